"""The nouns of the language: sixteen frozen nodes. A network is a tree of them; input channels are never
written but follow from the input. Sizes are (height, width); a channel count is what a layer puts out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from commongarden.arch.checks import check_padding, check_pool, positive
from commongarden.errors import ArchError, check_known
from commongarden.i18n.language import _

Size = tuple[int, int]
Sides = tuple[int, int, int, int]  # top, bottom, left, right
Padding = Literal["same", "valid", "inside"] | Sides
WIDENINGS = ("equal", "repeat", "zeros")
ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh")


@dataclass(frozen=True)
class Conv:
    """The linear map of a convolution, alone. Padding is with zeros.

    padding: "same" keeps size // stride positions, the first at (stride - 1) // 2; "valid" pads nothing; "inside" pads
    nothing and keeps one in stride of the positions that stride 1 would have, the first at (stride - 1) // 2 too; or
    pixels per side (top, bottom, left, right).
    """

    channels: int
    kernel: Size
    stride: Size = (1, 1)
    padding: Padding = "same"
    dilation: Size = (1, 1)
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        positive(self, "channels", self.channels, self.groups, *self.kernel, *self.stride, *self.dilation)
        check_padding(self, self.padding)


@dataclass(frozen=True)
class _Pool:
    kernel: Size
    stride: Size
    padding: Padding = "same"
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        check_pool(self)


@dataclass(frozen=True)
class MaxPool(_Pool):
    """The greatest of each window; padding never wins."""


@dataclass(frozen=True)
class AvgPool(_Pool):
    """The mean of each window: over its real pixels, or with count_padding over the padding's zeros too."""

    count_padding: bool = False


@dataclass(frozen=True)
class AdaptiveAvgPool:
    """Means over windows that divide the image into height x width; (1, 1) is global average pooling."""

    size: Size

    def __post_init__(self) -> None:
        positive(self, "size", *self.size)


@dataclass(frozen=True)
class Dense:
    """A fully connected linear map; an image is flattened first, channel by channel."""

    features: int
    bias: bool = True

    def __post_init__(self) -> None:
        positive(self, "features", self.features)


@dataclass(frozen=True)
class Dropout:
    """Sets a share `rate` of the numbers to 0 in training and scales the rest up (1 - probability to keep)."""

    rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ArchError(_("dropout: found rate {rate}, accepted: 0 or more and less than 1").format(rate=self.rate))


@dataclass(frozen=True)
class Noise:
    """Adds N(0, std) in training, nothing in evaluation."""

    std: float

    def __post_init__(self) -> None:
        if not self.std >= 0:
            raise ArchError(_("noise: found std {std}, accepted: 0 or more").format(std=self.std))


@dataclass(frozen=True)
class BatchNorm:
    """Per channel to mean 0 and variance 1 over the batch, running statistics in evaluation (Ioffe & Szegedy 2015).

    momentum: how far the running statistics move towards the batch's at each step (torch's meaning).
    affine: with a learned scale and shift.
    first_scale: what the learned scale starts at; 0 silences a branch at first (Goyal et al. 2017, section 5.1).
    """

    epsilon: float = 1e-5
    momentum: float = 0.1
    affine: bool = True
    first_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.first_scale != 1 and not self.affine:
            text = _("batch norm: found first_scale {first_scale} without a learned scale, accepted: affine=True")
            raise ArchError(text.format(first_scale=self.first_scale))
        if not (self.epsilon > 0 and 0 < self.momentum <= 1):
            text = _(
                "batch norm: found epsilon {epsilon}, momentum {momentum}; accepted: epsilon above 0, "
                "momentum above 0 and up to 1"
            )
            raise ArchError(text.format(epsilon=self.epsilon, momentum=self.momentum))


@dataclass(frozen=True)
class Activation:
    """An element-wise nonlinearity, with torch's default constants."""

    kind: str = "relu"

    def __post_init__(self) -> None:
        check_known("activation", [self.kind], ACTIVATIONS, ArchError)


@dataclass(frozen=True)
class Rescale:
    """scale * x + shift per channel, both constants: how an architecture wants its pixels."""

    scale: tuple[float, ...]
    shift: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.scale or len(self.scale) != len(self.shift):
            text = _("rescale: found {n_scale} scales and {n_shift} shifts, accepted: one of each per channel")
            raise ArchError(text.format(n_scale=len(self.scale), n_shift=len(self.shift)))


@dataclass(frozen=True)
class External:
    """Somebody else's network, whole: a leaf that nobody here can look into, so its cost was measured, not reckoned.

    source: "torchvision:resnet50", "timm:convnext_atto", "nets/mine.py:small" or "package.module:small".
    options: what its maker was given besides the number of classes, as JSON with sorted keys.
    input: (height, width, channels) at which it was measured; it is good for no other.
    code: SHA-256 of the user's file; weights: of the file its first weights come from; "" where there is none.
    mean, std: the pixels' normalization that its published weights were made with, per channel in 0..255, or nothing.
    """

    source: str
    options: str
    classes: int
    input: tuple[int, int, int]
    n_params: int
    macs: int
    activation_bytes: int
    code: str = ""
    weights: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        positive(self, "classes", self.classes, *self.input)


@dataclass(frozen=True)
class Serial:
    """One after the other; an empty one passes its input on."""

    layers: tuple[Node, ...]
    name: str = ""


@dataclass(frozen=True)
class Parallel:
    """Branches over one input, their outputs concatenated along the channels."""

    branches: tuple[Node, ...]
    name: str = ""

    def __post_init__(self) -> None:
        if not self.branches:
            raise ArchError(_("{name}: found no branch, accepted: one or more").format(name=self.name or "parallel"))


@dataclass(frozen=True)
class Add:
    """The sum of branches over one input, and with `input` of that input itself (He et al. 2015).

    channels: "equal" demands the same number everywhere; "repeat" repeats a narrower tensor's channels up to the
    widest, [a b] to [a b a b], where the number divides; "zeros" appends channels of zeros.
    """

    branches: tuple[Node, ...]
    input: bool = False
    channels: Literal["equal", "repeat", "zeros"] = "equal"
    name: str = ""

    def __post_init__(self) -> None:
        if not self.branches:
            raise ArchError(_("{name}: found no branch, accepted: one or more").format(name=self.name or "add"))
        check_known("channels", [self.channels], WIDENINGS, ArchError, where=self.name or "add")


@dataclass(frozen=True)
class Repeat:
    """`times` copies of one body in a row, each with weights of its own."""

    body: Node
    times: int
    name: str = "block"

    def __post_init__(self) -> None:
        positive(self, "times", self.times)


@dataclass(frozen=True)
class Auxiliary:
    """A second classifier on a side path, in training only: its input goes on unchanged, its logits have a loss of
    their own that counts `weight` beside the network's (Szegedy et al. 2014, section 5).
    """

    layers: tuple[Node, ...]
    weight: float = 0.3
    name: str = "auxiliary head"

    def __post_init__(self) -> None:
        if not (self.layers and self.weight > 0):
            text = _(
                "{name}: found {n_layers} layers and weight {weight}; accepted: one or more layers, weight above 0"
            )
            raise ArchError(text.format(name=self.name, n_layers=len(self.layers), weight=self.weight))


Leaf = (
    Conv | MaxPool | AvgPool | AdaptiveAvgPool | Dense | Dropout | Noise | BatchNorm | Activation | Rescale | External
)
Node = Leaf | Serial | Parallel | Add | Repeat | Auxiliary
NODES: dict[str, type[Node]] = {
    kind.__name__: kind
    for kind in (
        Conv, MaxPool, AvgPool, AdaptiveAvgPool, Dense, Dropout, Noise, BatchNorm, Activation, Rescale,
        External, Serial, Parallel, Add, Repeat, Auxiliary,
    )
}  # fmt: skip


def label(node: Node) -> str:
    """What a reader calls the node: "conv 3x3", "max pool 2x2", "batch norm", or its own name."""
    match node:
        case Conv(kernel=kernel):
            return f"conv {kernel[0]}x{kernel[1]}"
        case MaxPool(kernel=kernel):
            return f"max pool {kernel[0]}x{kernel[1]}"
        case AvgPool(kernel=kernel):
            return f"avg pool {kernel[0]}x{kernel[1]}"
        case AdaptiveAvgPool(size=(1, 1)):
            return "global avg pool"
        case AdaptiveAvgPool(size=size):
            return f"adaptive avg pool {size[0]}x{size[1]}"
        case Activation(kind=kind):
            return kind.replace("_", " ")
        case BatchNorm():
            return "batch norm"
        case External():
            return "network"
        case Serial(name=name) | Parallel(name=name) | Add(name=name) | Repeat(name=name) | Auxiliary(name=name):
            return name or type(node).__name__.lower()
        case _:
            return type(node).__name__.lower()


def children(node: Node) -> list[tuple[str, Node]]:
    """The node's parts with labels that are unique among them; paths and module names are made of these.

    A repeat's copies are "block 1", "block 2"... and stand in a serial's row as if written out, counting on from
    blocks of that name before them; an unnamed branch is "branch 1"..., or "body" where it is the only one of a sum;
    a label that comes again is numbered: "conv 3x3", "conv 3x3 (2)".
    """
    seen: dict[str, int] = {}
    unique = []
    for text, part in _parts(node):
        seen[text] = seen.get(text, 0) + 1
        unique.append((text if seen[text] == 1 else f"{text} ({seen[text]})", part))
    return unique


def leaves(node: Node) -> Iterator[Node]:
    """The layers of a network, in their order."""
    parts = children(node)
    if not parts:
        yield node
    for _name, child in parts:
        yield from leaves(child)


def _parts(node: Node) -> list[tuple[str, Node]]:
    match node:
        case Serial(layers=layers) | Auxiliary(layers=layers):
            row: list[tuple[str, Node]] = []
            for layer in layers:
                row.extend(_copies(layer, row) if isinstance(layer, Repeat) else [(label(layer), layer)])
            return row
        case Add(branches=(body,)):
            return [(getattr(body, "name", "") or "body", body)]
        case Parallel(branches=branches) | Add(branches=branches):
            return [(getattr(part, "name", "") or f"branch {i}", part) for i, part in enumerate(branches, 1)]
        case Repeat():
            return _copies(node, [])
        case _:
            return []


def _copies(repeat: Repeat, before: list[tuple[str, Node]]) -> list[tuple[str, Node]]:
    taken = {text for text, _ in before}
    first = next(i for i in itertools.count(1) if f"{repeat.name} {i}" not in taken)
    return [(f"{repeat.name} {i}", repeat.body) for i in range(first, first + repeat.times)]
