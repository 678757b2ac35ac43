"""The five arms of the flower experiment that this project began with, in blocks of its own.

Every convolution of an arm carries the arm's order, also the last one before a sum; nothing follows a sum. The
normalization has no scale and shift, the convolutions keep their bias, so the order changes no parameter count. A
strided layer normalizes the kept positions only (the original framework normalized all, then kept one in `stride`).
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

from commongarden.arch.layers import (
    add,
    avg_pool,
    conv,
    dense,
    dropout,
    global_avg_pool,
    max_pool,
    named,
    parallel,
    repeat,
    serial,
)
from commongarden.arch.nodes import BatchNorm, Node, Serial

WITHOUT_SCALE_AND_SHIFT = BatchNorm(affine=False)


class MakeConv(Protocol):
    """A convolution in the arm's order."""

    def __call__(self, channels: int, kernel: int | tuple[int, int], *, stride: int = 1) -> Node: ...


def _conv(order: str) -> MakeConv:
    return partial(conv, order=order, bias=True, norm=WITHOUT_SCALE_AND_SHIFT)


def inception_flower(n_classes: int, *, order: str = "LAB") -> Serial:
    """Inception: modules A and B with a reduction between each two (43,885 parameters for 5 classes)."""
    c = _conv(order)
    return serial(
        c(6, 3, stride=2),
        _inception_a(c, "inception a1"),
        _reduction(c, "reduction 1"),
        _inception_a(c, "inception a2"),
        _reduction(c, "reduction 2"),
        _inception_b(c, "inception b1"),
        _reduction(c, "reduction 3"),
        _inception_b(c, "inception b2"),
        global_avg_pool(),
        dropout(0.3),
        dense(n_classes),
        name="inception_flower",
    )


def plain_flower(n_classes: int, *, order: str = "LAB") -> Serial:
    """The residual arm without its shortcuts (173,637 parameters for 5 classes)."""
    c = _conv(order)

    def halving_stage(width: int) -> Node:
        first = named("block 1", c(width, 3, stride=2), c(width, 3))
        return serial(first, named("block 2", c(width, 3), c(width, 3)))

    first = repeat(serial(c(16, 3), c(16, 3)), 2)
    return _three_stages("plain_flower", n_classes, c, first, halving_stage(32), halving_stage(64))


def residual_flower(n_classes: int, *, order: str = "LAB") -> Serial:
    """Basic residual blocks, no parameters in a shortcut (173,637 parameters for 5 classes)."""
    c = _conv(order)

    def pair(width: int) -> Node:
        return add(serial(c(width, 3), c(width, 3)), input=True)

    def halving_stage(width: int) -> Node:
        first = _halving(serial(c(width, 3, stride=2), c(width, 3)))
        return serial(named("block 1", first), named("block 2", pair(width)))

    first = repeat(pair(16), 2)
    return _three_stages("residual_flower", n_classes, c, first, halving_stage(32), halving_stage(64))


def bottleneck_flower(n_classes: int, *, order: str = "LAB") -> Serial:
    """Bottleneck residual blocks, 1x1 down, 3x3, 1x1 up to four times (189,925 parameters for 5 classes)."""
    c = _conv(order)

    def body(width: int, stride: int = 1) -> Node:
        return serial(c(width, 1, stride=stride), c(width, 3), c(4 * width, 1))

    def block(width: int) -> Node:
        return add(body(width), input=True, channels="repeat")

    return serial(
        c(16, 7, stride=2),
        max_pool(3, stride=2),
        named("stage 1", named("block 1", block(16))),
        named(
            "stage 2", named("block 1", _halving(body(32, 2))), named("block 2", block(32)), named("block 3", block(32))
        ),
        named("stage 3", named("block 1", _halving(body(64, 2))), named("block 2", block(64))),
        global_avg_pool(),
        dense(n_classes),
        name="bottleneck_flower",
    )


def _halving(body: Node) -> Node:
    """A block that halves the image: its shortcut is an average pool, its channels repeated up to the wider width."""
    return add(named("body", body), named("shortcut", avg_pool(2)), channels="repeat")


def _three_stages(name: str, n_classes: int, c: MakeConv, *stages: Node) -> Serial:
    return serial(
        c(16, 7, stride=2),
        max_pool(2),
        *(named(f"stage {i}", stage) for i, stage in enumerate(stages, 1)),
        global_avg_pool(),
        dense(n_classes),
        name=name,
    )


def _inception_a(c: MakeConv, name: str) -> Node:
    return parallel(
        c(4, 1),
        c(6, 3),
        serial(c(6, 3), c(6, 3)),
        serial(avg_pool(3, stride=1), c(4, 1)),
        name=name,
    )


def _reduction(c: MakeConv, name: str) -> Node:
    return parallel(c(12, 3, stride=2), serial(c(12, 3), c(12, 3, stride=2)), avg_pool(3, stride=2), name=name)


def _inception_b(c: MakeConv, name: str) -> Node:
    def wide() -> Node:
        return parallel(c(8, (1, 3)), c(8, (3, 1)))

    return parallel(
        c(8, 1),
        serial(c(8, 3), wide()),
        serial(c(8, 1), c(8, 3), wide()),
        serial(avg_pool(3, stride=1), c(8, 1)),
        name=name,
    )
