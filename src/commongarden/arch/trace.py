"""Shapes and cost: one walk over the tree with the shape that flows through it.

A shape is (height, width, channels) for images and (features,) behind the first dense layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from commongarden.arch.nodes import (
    AdaptiveAvgPool,
    Add,
    Auxiliary,
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    External,
    MaxPool,
    Node,
    Padding,
    Parallel,
    Repeat,
    Rescale,
    Serial,
    Size,
    children,
    label,
)
from commongarden.errors import ArchError
from commongarden.i18n.language import _

Shape = tuple[int, ...]
FLOAT_BYTES = 4
UNKNOWN = -1  # multiply-adds and bytes of a network by others that could not be counted


@dataclass(frozen=True)
class Layer:
    """One leaf, concatenation or sum of the tree, at its place.

    macs: multiply-adds for one image, of convolutions and dense layers only (no bias, pooling, normalization).
    activation_bytes: of the output for one image, in float32; of a whole network by others, of all its layers' outputs.
    An auxiliary head's layers are among them, with their cost: training works through them, evaluation does not.
    """

    path: tuple[str, ...]
    node: Node
    input: Shape
    output: Shape
    n_params: int
    macs: int

    @property
    def activation_bytes(self) -> int:
        if isinstance(self.node, External):
            return self.node.activation_bytes
        return FLOAT_BYTES * math.prod(self.output)


@dataclass(frozen=True)
class Cost:
    """What a network costs for one image. FLOPs would be 2 x macs. UNKNOWN where a layer's is."""

    n_params: int
    macs: int
    activation_bytes: int

    def training_bytes(self, batch_size: int) -> int:
        """What training holds in memory: weights with gradient and two moments, each activation with its gradient."""
        return 4 * 4 * self.n_params + 2 * batch_size * max(self.activation_bytes, 0)


def trace(network: Node, input: Shape) -> tuple[Layer, ...]:
    """Every layer with its path, shapes and cost, in the order of work. Raises ArchError with the layer's path."""
    layers: list[Layer] = []
    _walk(network, input, (label(network),), layers)
    return tuple(layers)


def cost(network: Node, input: Shape) -> Cost:
    """Parameters, MACs and activation bytes of the whole network."""
    layers = trace(network, input)
    return Cost(
        sum(layer.n_params for layer in layers),
        _sum_of_known(layer.macs for layer in layers),
        _sum_of_known(layer.activation_bytes for layer in layers),
    )


def _sum_of_known(values: Iterable[int]) -> int:
    found = list(values)
    return UNKNOWN if UNKNOWN in found else sum(found)


def trunk(network: Serial, input: Shape) -> tuple[tuple[str, Shape], ...]:
    """The network's own children, each with the shape that leaves it."""
    shape, rows = input, []
    for name, child in children(network):
        shape = _walk(child, shape, (label(network), name), [])
        rows.append((name, shape))
    return tuple(rows)


def output_shape(node: Node, input: Shape, path: tuple[str, ...] = ()) -> Shape:
    """The shape that leaves `node`. Raises ArchError."""
    return _walk(node, input, path or (label(node),), [])


def show_shape(shape: Shape) -> str:
    """As people write it: 96x96x3, or 5 for features."""
    return "x".join(map(str, shape))


def window(
    size: int, kernel: int, stride: int, dilation: int, padding: Padding, axis: int, ceil: bool
) -> tuple[int, int]:
    """Along one axis (0 height, 1 width): pixels padded before the first, and how many positions are kept.

    "same" keeps size // stride positions, the first at (stride - 1) // 2 (the flower experiment's framework), and
    "inside" does so among the positions whose windows need no padding; `before` is negative where the first window
    starts inside. ceil_mode keeps a last window that starts inside the image or its padding but reaches over the end
    (torch's rule).
    """
    reach = dilation * (kernel - 1) + 1
    if padding == "same":
        return (reach - 1) // 2 - (stride - 1) // 2, size // stride
    if padding == "inside":
        return -((stride - 1) // 2), (size - reach + 1) // stride
    before, after = (0, 0) if padding == "valid" else (padding[2 * axis], padding[2 * axis + 1])
    room = size + before + after - reach
    kept = (-(-room // stride) if ceil else room // stride) + 1
    if ceil and (kept - 1) * stride >= size + before:
        kept -= 1
    return before, kept


def _walk(node: Node, shape: Shape, path: tuple[str, ...], layers: list[Layer]) -> Shape:
    match node:
        case Serial() | Repeat():
            for name, child in children(node):
                shape = _walk(child, shape, (*path, name), layers)
            return shape
        case Auxiliary():
            side = shape
            for name, child in children(node):
                side = _walk(child, side, (*path, name), layers)
            if len(side) != 1:
                text = _("the network ends in a feature map of {side}, accepted: logits of a dense layer")
                raise _error(path, text.format(side=show_shape(side)))
            return shape
        case Parallel():
            output = _concatenated(path, [_walk(child, shape, (*path, name), layers) for name, child in children(node)])
        case Add():
            parts = [
                (_last_linear(child, (*path, name)) or (*path, name), _walk(child, shape, (*path, name), layers))
                for name, child in children(node)
            ]
            output = _summed(node, [*parts, (path, shape)] if node.input else parts)
        case _:
            output, n_params, macs = _leaf(node, shape, path)
            layers.append(Layer(path, node, shape, output, n_params, macs))
            return output
    layers.append(Layer(path, node, shape, output, 0, 0))
    return output


def _leaf(node: Node, shape: Shape, path: tuple[str, ...]) -> tuple[Shape, int, int]:
    """Output shape, parameters, MACs."""
    match node:
        case Conv():
            channels = _image(shape, path)[2]
            if channels % node.groups or node.channels % node.groups:
                text = _(
                    "found {before} input and {channels} output channels in {groups} groups, accepted: both "
                    "divisible by the number of groups"
                )
                raise _error(path, text.format(before=channels, channels=node.channels, groups=node.groups))
            height, width = _positions(node, node.dilation, shape, path)
            weights = node.channels * (channels // node.groups) * node.kernel[0] * node.kernel[1]
            return (height, width, node.channels), weights + node.channels * node.bias, weights * height * width
        case MaxPool() | AvgPool():
            return (*_positions(node, (1, 1), shape, path), _image(shape, path)[2]), 0, 0
        case AdaptiveAvgPool(size=size):
            return (*size, _image(shape, path)[2]), 0, 0
        case Dense():
            inputs = math.prod(shape)
            return (node.features,), inputs * node.features + node.features * node.bias, inputs * node.features
        case BatchNorm():
            return shape, 2 * shape[-1] * node.affine, 0
        case Rescale(scale=scale):
            if len(scale) != shape[-1]:
                text = _("found {shape} channels, accepted: {n_scale}, one per scale and shift")
                raise _error(path, text.format(shape=shape[-1], n_scale=len(scale)))
            return shape, 0, 0
        case External():
            if shape != node.input:
                text = _("measured at {input}, found {shape}")
                raise _error(path, text.format(input=show_shape(node.input), shape=show_shape(shape)))
            return (node.classes,), node.n_params, node.macs
        case _:
            return shape, 0, 0


def _positions(node: Conv | MaxPool | AvgPool, dilation: Size, shape: Shape, path: tuple[str, ...]) -> Size:
    _image(shape, path)
    ceil = not isinstance(node, Conv) and node.ceil_mode
    kept = [
        window(shape[axis], node.kernel[axis], node.stride[axis], dilation[axis], node.padding, axis, ceil)[1]
        for axis in (0, 1)
    ]
    if min(kept) < 1:
        text = _(
            "the output would be empty for input {shape}, kernel {kernel}, stride {stride}, padding "
            "{padding!r}; accepted: a larger input, a smaller kernel or stride"
        )
        kernel, stride = show_shape(node.kernel), show_shape(node.stride)
        raise _error(path, text.format(shape=show_shape(shape), kernel=kernel, stride=stride, padding=node.padding))
    return (kept[0], kept[1])


def _concatenated(path: tuple[str, ...], shapes: list[Shape]) -> Shape:
    if len({shape[:-1] for shape in shapes}) > 1:
        found = ", ".join(map(show_shape, shapes))
        raise _error(path, _("branches of different sizes cannot be concatenated: {found}").format(found=found))
    return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))


def _summed(node: Add, parts: list[tuple[tuple[str, ...], Shape]]) -> Shape:
    widest = max((shape for _, shape in parts), key=lambda shape: shape[-1])
    body_path, body = parts[0]
    for _path, shape in parts:
        if shape[:-1] != body[:-1]:
            text = _("found {body} added to {shape}; accepted: equal sizes")
            raise _error(body_path, text.format(body=show_shape(body), shape=show_shape(shape)))
        fits = {"equal": False, "repeat": widest[-1] % shape[-1] == 0, "zeros": True}[node.channels]
        if shape[-1] != widest[-1] and not fits:
            other = next(other[-1] for _, other in parts if other[-1] != body[-1])
            accepted = _('equal channels, channels="zeros", or channels="repeat" if one number divides the other')
            text = _("found {body} channels added to {other}; accepted: {accepted}")
            raise _error(body_path, text.format(body=body[-1], other=other, accepted=accepted))
    return widest


def _last_linear(node: Node, path: tuple[str, ...]) -> tuple[str, ...]:
    """The path of the layer that decides how many channels leave `node`; empty where it has none."""
    if isinstance(node, Conv | Dense | Parallel | Add | External):
        return path
    if isinstance(node, Auxiliary):
        return ()
    for name, child in reversed(children(node)):
        if found := _last_linear(child, (*path, name)):
            return found
    return ()


def _image(shape: Shape, path: tuple[str, ...]) -> Shape:
    if len(shape) != 3:
        text = _("found {shape} features, accepted: an image (height x width x channels)")
        raise _error(path, text.format(shape=show_shape(shape)))
    return shape


def _error(path: tuple[str, ...], message: str) -> ArchError:
    return ArchError(f"{' / '.join(path)}: {message}")
