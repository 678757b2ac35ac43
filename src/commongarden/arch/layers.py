"""How a network is written: one short function for each node, and the order of linear map, activation and
normalization spelt per layer. "LBA" is conv, batch norm, ReLU; "BAL" is pre-activation; "LA" has no normalization.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from commongarden.arch.nodes import (
    Activation,
    AdaptiveAvgPool,
    Add,
    Auxiliary,
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Leaf,
    MaxPool,
    Node,
    Noise,
    Padding,
    Parallel,
    Repeat,
    Rescale,
    Serial,
    Size,
)
from commongarden.errors import ArchError
from commongarden.i18n.language import _

Pair = int | Sequence[int]
Pixels = Literal["same", "valid", "inside", "half"] | int | Sequence[int]


def conv(
    channels: int,
    kernel: Pair,
    *,
    stride: Pair = 1,
    padding: Pixels = "same",
    dilation: Pair = 1,
    groups: int = 1,
    order: str = "LBA",
    bias: bool | None = None,
    norm: BatchNorm = BatchNorm(),  # noqa: B008  frozen
    activation: str = "relu",
) -> Node:
    """A convolution with its activation and normalization in the given order.

    padding: as the node's, or "half": half the kernel on each side, which most published networks mean.
    order: letters in the order of work: L the linear map, A the activation, B the batch normalization.
    bias: None gives one unless a normalization follows the linear map at once and would take it away.
    """
    linear = Conv(
        channels,
        pair("kernel", kernel),
        pair("stride", stride),
        sides(padding, pair("kernel", kernel)),
        pair("dilation", dilation),
        groups,
        ("LB" not in order) if bias is None else bias,
    )
    return _ordered(linear, order, norm, activation)


def dense(
    features: int,
    *,
    order: str = "L",
    bias: bool | None = None,
    norm: BatchNorm = BatchNorm(),  # noqa: B008  frozen
    activation: str = "relu",
) -> Node:
    """A fully connected layer with its activation and normalization in the given order."""
    return _ordered(Dense(features, ("LB" not in order) if bias is None else bias), order, norm, activation)


def max_pool(kernel: Pair, *, stride: Pair | None = None, padding: Pixels = "same", ceil_mode: bool = False) -> Node:
    """Max pooling; the stride is the kernel unless given."""
    size = pair("kernel", kernel)
    return MaxPool(size, size if stride is None else pair("stride", stride), sides(padding, size), ceil_mode)


def avg_pool(
    kernel: Pair,
    *,
    stride: Pair | None = None,
    padding: Pixels = "same",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Node:
    """Average pooling; the stride is the kernel unless given."""
    size = pair("kernel", kernel)
    step = size if stride is None else pair("stride", stride)
    return AvgPool(size, step, sides(padding, size), ceil_mode, count_padding)


def adaptive_avg_pool(size: Pair) -> Node:
    """Average pooling to height x width, whatever comes in."""
    return AdaptiveAvgPool(pair("size", size))


def global_avg_pool() -> Node:
    """The mean of each channel (Lin et al. 2013)."""
    return AdaptiveAvgPool((1, 1))


def dropout(rate: float) -> Node:
    """Dropout of a share `rate` (0.3 is a probability of 0.7 to keep)."""
    return Dropout(rate)


def noise(std: float) -> Node:
    """Gaussian noise in training."""
    return Noise(std)


def batch_norm(*, epsilon: float = 1e-5, momentum: float = 0.1, affine: bool = True, first_scale: float = 1.0) -> Node:
    """Batch normalization by itself."""
    return BatchNorm(epsilon, momentum, affine, first_scale)


def rescale(scale: Sequence[float], shift: Sequence[float]) -> Node:
    """scale * x + shift for each channel."""
    return Rescale(tuple(scale), tuple(shift))


def activation(kind: str = "relu") -> Node:
    """A nonlinearity by itself."""
    return Activation(kind)


def serial(*layers: Node, name: str = "") -> Serial:
    """One after the other. Unnamed serials inside are laid flat, so that a path names only what has a name."""
    flat: list[Node] = []
    for layer in layers:
        flat.extend(layer.layers if isinstance(layer, Serial) and not layer.name else (layer,))
    return Serial(tuple(flat), name)


def parallel(*branches: Node, name: str = "") -> Node:
    """Branches side by side, concatenated along the channels."""
    return Parallel(branches, name)


def add(
    *branches: Node,
    input: bool = False,
    channels: Literal["equal", "repeat", "zeros"] = "equal",
    then: str = "",
    name: str = "",
) -> Node:
    """The sum of the branches and, if asked, of the input. then: what follows the sum, "A", "B" or both in order."""
    after: list[Node] = []
    for letter in then:
        if letter not in "AB":
            text = _("{name}: found then={then!r}, accepted: A (activation), B (batch norm), or both")
            raise ArchError(text.format(name=name or "add", then=then))
        after.append(Activation() if letter == "A" else BatchNorm())
    if not after:
        return Add(branches, input, channels, name)
    return serial(Add(branches, input, channels), *after, name=name)


def repeat(body: Node, times: int, *, name: str = "block") -> Node:
    """`times` copies in a row, each with weights of its own."""
    return Repeat(body, times, name)


def auxiliary(*layers: Node, weight: float = 0.3, name: str = "auxiliary head") -> Node:
    """A second classifier on a side path, in training only; its loss counts `weight`."""
    return Auxiliary(serial(*layers).layers, weight, name)


def named(name: str, *layers: Node) -> Node:
    """Gives a part of a network the name that paths, drawings and errors call it by."""
    if len(layers) == 1 and isinstance(layers[0], Parallel | Add | Serial) and not layers[0].name:
        return dataclasses.replace(layers[0], name=name)
    return serial(*layers, name=name)


def pair(what: str, value: Pair) -> Size:
    """(height, width) from one number or two. Raises ArchError."""
    values = (value, value) if isinstance(value, int) else tuple(value)
    if len(values) != 2:
        text = _("{what}: found {value!r}, accepted: one number, or [height, width]")
        raise ArchError(text.format(what=what, value=value))
    return (values[0], values[1])


def sides(padding: Pixels, kernel: Size) -> Padding:
    """Pixels per side (top, bottom, left, right), or "same", "valid", "inside" as they are."""
    if padding == "half":
        return (kernel[0] // 2, kernel[0] // 2, kernel[1] // 2, kernel[1] // 2)
    if isinstance(padding, str):
        return padding
    values = (padding,) if isinstance(padding, int) else tuple(padding)
    match values:
        case (all_sides,):
            return (all_sides,) * 4
        case (height, width):
            return (height, height, width, width)
        case (top, bottom, left, right):
            return (top, bottom, left, right)
    text = _("padding: found {padding!r}, accepted: pixels as one number, [height, width] or four sides")
    raise ArchError(text.format(padding=padding))


def _ordered(linear: Leaf, order: str, norm: BatchNorm, kind: str) -> Node:
    if not isinstance(order, str) or sorted(order.replace("A", "", 1).replace("B", "", 1)) != ["L"]:
        text = _(
            "order: found {order!r}, accepted: one L (linear), at most one A (activation) and one B "
            "(batch norm), in the order of execution: LA, LAB, LBA, BAL..."
        )
        raise ArchError(text.format(order=order))
    parts = {"L": linear, "A": Activation(kind), "B": norm}
    layers = tuple(parts[letter] for letter in order)
    return layers[0] if len(layers) == 1 else Serial(layers)
