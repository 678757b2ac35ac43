"""Inception: modules whose branches look at one input through several kernels, and the networks made of them.

"Going deeper" is Szegedy et al. 2014, "Rethinking" is Szegedy et al. 2015. Branches stand as in the figures, left to
right. A module is a function of its widths: channels that leave a branch, and those it is reduced to before.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

from commongarden.arch.layers import (
    Pixels,
    adaptive_avg_pool,
    auxiliary,
    avg_pool,
    conv,
    dense,
    dropout,
    global_avg_pool,
    max_pool,
    named,
    parallel,
    rescale,
    serial,
)
from commongarden.arch.nodes import BatchNorm, Node, Serial

# pixels standardized by ImageNet's mean and deviation become (x - 0.5) / 0.5, which the published weights were
# trained on
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class MakeConv(Protocol):
    """A convolution in the network's order, padded by half its kernel unless told otherwise."""

    def __call__(
        self, channels: int, kernel: int | tuple[int, int], *, stride: int = 1, padding: Pixels = "half"
    ) -> Node: ...


def _conv(order: str) -> MakeConv:
    return partial(conv, padding="half", order=order, norm=BatchNorm(epsilon=1e-3))


def naive_module(one: int, three: int, five: int, *, order: str = "LA", name: str = "") -> Node:
    """1x1, 3x3, 5x5 and a max pool side by side ("Going deeper", fig. 2a)."""
    c = _conv(order)
    return parallel(c(one, 1), c(three, 3), c(five, 5), max_pool(3, stride=1, padding=1), name=name)


def reduced_module(
    one: int,
    to_three: int,
    three: int,
    to_five: int,
    five: int,
    pool: int,
    *,
    large: int = 5,
    order: str = "LA",
    name: str = "",
) -> Node:
    """The naive module with 1x1 reductions before the large kernels and after the pool ("Going deeper", fig. 2b).

    large: the kernel of the third branch; 3 in torchvision's form, a slip that its published weights were trained with.
    """
    c = _conv(order)
    return parallel(
        c(one, 1),
        serial(c(to_three, 1), c(three, 3)),
        serial(c(to_five, 1), c(five, large)),
        serial(max_pool(3, stride=1, padding=1), c(pool, 1)),
        name=name,
    )


def factorized_module(
    one: int, to_three: int, three: int, to_five: int, five: int, pool: int, *, order: str = "LBA", name: str = ""
) -> Node:
    """The reduced module with two 3x3 for its 5x5 ("Rethinking", fig. 5)."""
    c = _conv(order)
    return parallel(
        serial(c(to_five, 1), c(five, 3), c(five, 3)),
        serial(c(to_three, 1), c(three, 3)),
        serial(_pool(), c(pool, 1)),
        c(one, 1),
        name=name,
    )


def first_module(pool: int, *, order: str = "LBA", name: str = "") -> Node:
    """The modules at 35x35 of Inception v3 as published in code: a 5x5 and two 3x3, of 64 and 96 channels."""
    c = _conv(order)
    return parallel(
        c(64, 1),
        serial(c(48, 1), c(64, 5)),
        serial(c(64, 1), c(96, 3), c(96, 3)),
        serial(_pool(), c(pool, 1)),
        name=name,
    )


def asymmetric_module(inner: int, outer: int = 192, n: int = 7, *, order: str = "LBA", name: str = "") -> Node:
    """1xn then nx1 for nxn, once in one branch and twice in the other ("Rethinking", fig. 6)."""
    c = _conv(order)
    wide, tall = (1, n), (n, 1)
    return parallel(
        c(outer, 1),
        serial(c(inner, 1), c(inner, wide), c(outer, tall)),
        serial(c(inner, 1), c(inner, tall), c(inner, wide), c(inner, tall), c(outer, wide)),
        serial(_pool(), c(outer, 1)),
        name=name,
    )


def widened_module(
    one: int = 320, to_three: int = 384, to_five: int = 448, outer: int = 384, pool: int = 192,
    *, order: str = "LBA", name: str = "",
) -> Node:  # fmt: skip
    """The last modules: 1x3 and 3x1 side by side, so that the coarsest grid is the widest ("Rethinking", fig. 7)."""
    c = _conv(order)

    def spread() -> Node:
        return parallel(c(outer, (1, 3)), c(outer, (3, 1)))

    return parallel(
        c(one, 1),
        serial(c(to_three, 1), spread()),
        serial(c(to_five, 1), c(outer, 3), spread()),
        serial(_pool(), c(pool, 1)),
        name=name,
    )


def grid_reduction(three: int = 384, to_five: int = 64, five: int = 96, *, order: str = "LBA", name: str = "") -> Node:
    """Convolutions and a pool of stride 2 side by side, so that the grid shrinks without a narrow place
    ("Rethinking", fig. 10)."""
    c = _conv(order)
    return parallel(
        c(three, 3, stride=2, padding="valid"),
        serial(c(to_five, 1), c(five, 3), c(five, 3, stride=2, padding="valid")),
        max_pool(3, stride=2, padding="valid"),
        name=name,
    )


def asymmetric_reduction(three: int = 320, inner: int = 192, *, order: str = "LBA", name: str = "") -> Node:
    """The grid reduction before the widened modules of Inception v3 as published in code, with 1x7 then 7x1 in it."""
    c = _conv(order)
    return parallel(
        serial(c(inner, 1), c(three, 3, stride=2, padding="valid")),
        serial(c(inner, 1), c(inner, (1, 7)), c(inner, (7, 1)), c(inner, 3, stride=2, padding="valid")),
        max_pool(3, stride=2, padding="valid"),
        name=name,
    )


def googlenet(n_classes: int, *, order: str = "LBA", aux: bool = False, transform_input: bool = False) -> Serial:
    """GoogLeNet as torchvision has it: "Going deeper" with batch norm and 3x3 where the paper has 5x5.

    aux: two auxiliary heads, their losses weighed 0.3 (section 5). transform_input: for pixels standardized by
    ImageNet's mean and deviation.
    """
    return _googlenet("googlenet", n_classes, order, aux, transform_input, large=3, last_pool=2, rate=0.2)


def googlenet_paper(n_classes: int, *, order: str = "LA", aux: bool = False) -> Serial:
    """GoogLeNet as in "Going deeper", table 1: 5x5, no batch norm. Its local response normalization is left out.

    aux: two auxiliary heads, their losses weighed 0.3 (section 5); with them an input needs 79 pixels per side.
    """
    return _googlenet("googlenet_paper", n_classes, order, aux, False, large=5, last_pool=3, rate=0.4)


def _googlenet(
    name: str, n_classes: int, order: str, aux: bool, transform_input: bool, *, large: int, last_pool: int, rate: float
) -> Serial:
    c = _conv(order)
    module = partial(reduced_module, large=large, order=order)

    def halve(kernel: int = 3) -> Node:
        return max_pool(kernel, stride=2, padding="valid", ceil_mode=True)

    def head(number: int) -> tuple[Node, ...]:
        # the paper pools 14x14 to 4x4 by 5x5 and stride 3, torchvision whatever comes
        pool = avg_pool(5, stride=3, padding="valid") if large == 5 else adaptive_avg_pool(4)
        layers = pool, c(128, 1), dense(1024, order="LA"), dropout(0.7), dense(n_classes)
        return (auxiliary(*layers, name=f"auxiliary head {number}"),) if aux else ()

    return serial(
        *_transform(transform_input),
        c(64, 7, stride=2),
        halve(),
        c(64, 1),
        c(192, 3),
        halve(),
        module(64, 96, 128, 16, 32, 32, name="module 3a"),
        module(128, 128, 192, 32, 96, 64, name="module 3b"),
        halve(),
        module(192, 96, 208, 16, 48, 64, name="module 4a"),
        *head(1),
        module(160, 112, 224, 24, 64, 64, name="module 4b"),
        module(128, 128, 256, 24, 64, 64, name="module 4c"),
        module(112, 144, 288, 32, 64, 64, name="module 4d"),
        *head(2),
        module(256, 160, 320, 32, 128, 128, name="module 4e"),
        halve(last_pool),
        module(256, 160, 320, 32, 128, 128, name="module 5a"),
        module(384, 192, 384, 48, 128, 128, name="module 5b"),
        global_avg_pool(),
        dropout(rate),
        dense(n_classes),
        name=name,
    )


def inception_v3(n_classes: int, *, order: str = "LBA", aux: bool = False, transform_input: bool = False) -> Serial:
    """Inception v3 ("Rethinking", table 1 and section 6, in the form of its published code, which torchvision has too).

    aux: an auxiliary head, its loss weighed 0.3; with it an input needs 299 pixels per side, without it 75.
    transform_input: for pixels standardized by ImageNet's mean and deviation.
    """
    c = _conv(order)
    head = auxiliary(
        avg_pool(5, stride=3, padding="valid"),
        c(128, 1),
        c(768, 5, padding="valid"),
        global_avg_pool(),
        dense(n_classes),
    )
    return serial(
        *_transform(transform_input),
        named(
            "stem",
            c(32, 3, stride=2, padding="valid"),
            c(32, 3, padding="valid"),
            c(64, 3),
            max_pool(3, stride=2, padding="valid"),
            c(80, 1),
            c(192, 3, padding="valid"),
            max_pool(3, stride=2, padding="valid"),
        ),
        first_module(32, order=order, name="module 5b"),
        first_module(64, order=order, name="module 5c"),
        first_module(64, order=order, name="module 5d"),
        grid_reduction(order=order, name="reduction 6a"),
        asymmetric_module(128, order=order, name="module 6b"),
        asymmetric_module(160, order=order, name="module 6c"),
        asymmetric_module(160, order=order, name="module 6d"),
        asymmetric_module(192, order=order, name="module 6e"),
        *((head,) if aux else ()),
        asymmetric_reduction(order=order, name="reduction 7a"),
        widened_module(order=order, name="module 7b"),
        widened_module(order=order, name="module 7c"),
        global_avg_pool(),
        dropout(0.5),
        dense(n_classes),
        name="inception_v3",
    )


def _pool() -> Node:
    return avg_pool(3, stride=1, padding=1, count_padding=True)


def _transform(wanted: bool) -> tuple[Node, ...]:
    if not wanted:
        return ()
    scale = [std / 0.5 for std in STD]
    shift = [(mean - 0.5) / 0.5 for mean in MEAN]
    return (rescale(scale, shift),)
