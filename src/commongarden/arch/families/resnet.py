"""Residual networks, and the plain ones they were compared with: a stem, four stages of equal blocks, a head.

The order is spelt as everywhere, with one exception, which makes a block residual: the activation that would end a
branch is moved behind the sum ("LBA": the body ends in "LB", then the sum, then the ReLU). Orders that end in L are
pre-activation: "BAL" puts batch norm and ReLU before each convolution and nothing behind the sum (He et al. 2016).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from commongarden.arch.layers import avg_pool, conv, dense, global_avg_pool, max_pool, named, repeat, serial
from commongarden.arch.nodes import Activation, Add, BatchNorm, Node, Serial
from commongarden.errors import ArchError, check_known
from commongarden.i18n.language import _

Shortcut = Literal["none", "zeros", "repeat", "pooled", "projection"]
StrideIn = Literal["1x1", "3x3"]
SHORTCUTS = ("none", "zeros", "repeat", "pooled", "projection")
WIDTHS = (64, 128, 256, 512)
DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


@dataclass(frozen=True)
class Form:
    """What all blocks of a residual network share.

    order: letters behind the L (a sum is activated) or before it (pre-activation).
    shortcut: where a block changes the shape,
        "projection": a 1x1 convolution with the block's stride (He et al. 2015, section 3.3, B);
        "pooled": an average pool, then a 1x1 convolution (He et al. 2018, "Bag of tricks", fig. 2c);
        "zeros": every `stride`-th pixel, with channels of zeros behind (He et al. 2015, section 3.3, A);
        "repeat": an average pool, its channels repeated (the flower experiment);
        "none": no sum anywhere, a plain network (He et al. 2015, fig. 3, middle).
    zero_init: a body's last normalization starts at scale 0, so that the block starts as its shortcut
        (Goyal et al. 2017, section 5.1).
    stride_in: which convolution of a bottleneck halves the image. The paper has "1x1"; "3x3" loses no pixels and is
        the form in general use, torchvision's among them.
    """

    order: str = "LBA"
    shortcut: Shortcut = "projection"
    zero_init: bool = False
    stride_in: StrideIn = "3x3"

    def __post_init__(self) -> None:
        before, linear, after = str(self.order).partition("L")
        if not linear or (before and after) or sorted(before + after) not in ([], ["A"], ["B"], ["A", "B"]):
            text = _(
                "order: found {order!r}, accepted in residual networks: letters after the L (LA, LAB, LBA: "
                "activation after the addition) or before it (AL, BAL: pre-activation)"
            )
            raise ArchError(text.format(order=self.order))
        check_known("shortcut", [self.shortcut], SHORTCUTS, ArchError)
        check_known("stride_in", [self.stride_in], ("1x1", "3x3"), ArchError)
        if self.zero_init and (self.shortcut == "none" or "B" not in after):
            text = _(
                "zero_init: found order {order!r} and shortcut {shortcut!r}, accepted: batch norm after "
                "the convolution (LBA, LAB) and a shortcut"
            )
            raise ArchError(text.format(order=self.order, shortcut=self.shortcut))

    @property
    def before(self) -> str:
        return self.order.partition("L")[0]

    @property
    def after(self) -> str:
        return self.order.partition("L")[2]

    @property
    def at_end(self) -> str:
        """What follows a branch's last convolution."""
        return self.after if self.shortcut == "none" else self.after.replace("A", "")

    def conv(self, channels: int, kernel: int, *, stride: int = 1, order: str) -> Node:
        # where the next layer begins with a normalization, it would take a bias away
        bias = False if self.before.startswith("B") else None
        return conv(channels, kernel, stride=stride, padding="half", order=order, bias=bias)


class MakeBlock(Protocol):
    """A block of a stage. reshapes: its output has another shape than its input. activated: the stem has normalized
    and activated its input already."""

    def __call__(
        self, width: int, form: Form, *, stride: int = 1, reshapes: bool = False, activated: bool = False
    ) -> Node: ...


def plain(depth: int, n_classes: int, *, order: str = "LBA") -> Serial:
    """The basic residual network without its shortcuts (He et al. 2015, fig. 3, middle)."""
    return _network(f"plain{depth}", depth, n_classes, basic_block, Form(order, "none"))


def basic_resnet(
    depth: int, n_classes: int, *, order: str = "LBA", shortcut: Shortcut = "projection", zero_init: bool = False
) -> Serial:
    """Residual network of basic blocks, 18 or 34 layers (He et al. 2015, table 1). Options: `Form`."""
    return _network(f"resnet{depth}", depth, n_classes, basic_block, Form(order, shortcut, zero_init))


def bottleneck_resnet(
    depth: int,
    n_classes: int,
    *,
    order: str = "LBA",
    shortcut: Shortcut = "projection",
    zero_init: bool = False,
    stride_in: StrideIn = "3x3",
) -> Serial:
    """Residual network of bottleneck blocks, 50, 101 or 152 layers (He et al. 2015, table 1). Options: `Form`."""
    form = Form(order, shortcut, zero_init, stride_in)
    return _network(f"resnet{depth}", depth, n_classes, bottleneck_block, form)


def basic_block(width: int, form: Form, *, stride: int = 1, reshapes: bool = False, activated: bool = False) -> Node:
    """Two 3x3 convolutions, added to the input (He et al. 2015, fig. 5, left)."""
    body = serial(
        form.conv(width, 3, stride=stride, order="L" + form.after),
        form.conv(width, 3, order=form.before + "L" + form.at_end),
    )
    return _residual(body, width, form, stride, reshapes, activated)


def bottleneck_block(
    width: int, form: Form, *, stride: int = 1, reshapes: bool = False, activated: bool = False
) -> Node:
    """1x1 down, 3x3, 1x1 up to four times the width, added to the input (He et al. 2015, fig. 5, right)."""
    in_1x1, in_3x3 = (stride, 1) if form.stride_in == "1x1" else (1, stride)
    body = serial(
        form.conv(width, 1, stride=in_1x1, order="L" + form.after),
        form.conv(width, 3, stride=in_3x3, order=form.before + "L" + form.after),
        form.conv(4 * width, 1, order=form.before + "L" + form.at_end),
    )
    return _residual(body, 4 * width, form, stride, reshapes, activated)


def _residual(body: Serial, channels: int, form: Form, stride: int, reshapes: bool, activated: bool) -> Node:
    """`body`, written without what comes before its first convolution, added to its input.

    In pre-activation the normalization and activation before a block are shared by both paths where the shape
    changes, and belong to the body elsewhere, where the shortcut stays clean (He et al. 2016, and its published code).
    """
    first = () if activated else _letters(form.before)
    if form.shortcut == "none":
        return serial(*first, body)
    if form.zero_init:
        body = _silenced(body)
    then = _letters(form.after.replace("B", ""))
    if not reshapes:
        return serial(Add((serial(*first, body),), input=True), *then)
    branches = named("body", body), named("shortcut", _shortcut(form, channels, stride))
    widening: Literal["equal", "zeros", "repeat"] = "equal"
    if form.shortcut in ("zeros", "repeat"):
        widening = form.shortcut
    return serial(*first, Add(branches, channels=widening), *then)


def _shortcut(form: Form, channels: int, stride: int) -> Node:
    project = partial(form.conv, channels, 1, order="L" + form.after.replace("A", ""))
    if form.shortcut == "projection":
        return project(stride=stride)
    if form.shortcut == "zeros":
        pool = avg_pool(1, stride=stride, padding="valid")
    else:  # an odd last row or column is kept, as the body's strided convolution keeps it
        pool = avg_pool(stride, padding="valid", ceil_mode=True)
    return serial(*((pool,) if stride > 1 else ()), *((project(),) if form.shortcut == "pooled" else ()))


def _silenced(body: Serial) -> Serial:
    *layers, last = body.layers
    assert isinstance(last, BatchNorm), "Form has checked that a branch ends in a normalization"
    return dataclasses.replace(body, layers=(*layers, dataclasses.replace(last, first_scale=0.0)))


def _letters(letters: str) -> tuple[Node, ...]:
    return tuple(Activation() if letter == "A" else BatchNorm() for letter in letters)


def _network(name: str, depth: int, n_classes: int, block: MakeBlock, form: Form) -> Serial:
    stages = []
    for i, (width, n) in enumerate(zip(WIDTHS, DEPTHS[depth], strict=True)):
        # the stem puts out 64 channels: what a first basic block does too, but not a first bottleneck
        reshapes = i > 0 or block is bottleneck_block
        first = block(width, form, stride=2 if i else 1, reshapes=reshapes, activated=i == 0)
        stages.append(named(f"stage {i + 1}", named("block 1", first), repeat(block(width, form), n - 1)))
    return serial(
        # a pre-activation network normalizes and activates its stem at once, for the first body goes without
        form.conv(64, 7, stride=2, order="L" + (form.before or form.after)),
        max_pool(3, stride=2, padding="half"),
        *stages,
        *_letters(form.before),
        global_avg_pool(),
        dense(n_classes),
        name=name,
    )
