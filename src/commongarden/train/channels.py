"""Which dimension of a tensor its channels are, known from what made it and never from its shape alone.

Axes count from the end, so that they stay when a tensor is broadcast: -3 in (n, channels, height, width), -1 in (n,
tokens, channels).
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from commongarden.train.torch_private import POOLS, BatchNorm, ConvNd, NormBase, saved

# autograd's names, without "Backward0", of what leaves every number's place, or the order of dimensions, as it was
KEEPING = frozenset({
    "Abs", "Add", "AdaptiveAvgPool2D", "AdaptiveMaxPool2D", "AvgPool2D", "Cat", "Clamp", "ClampMin", "Clone",
    "ConstantPadNd", "Div", "Elu", "Exp", "Gelu", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyRelu",
    "MaxPool2DWithIndices", "Mish", "Mul", "NativeDropout", "Neg", "Pow", "Relu", "Sigmoid", "Silu", "Slice",
    "Softplus", "Sqrt", "Sub", "Tanh", "ToCopy", "UpsampleBilinear2D", "UpsampleNearest2D",
})  # fmt: skip
MOST_STEPS = 64  # back through the graph, from an activation to what made its input


def own_axis(module: nn.Module, y: Tensor) -> int | None:
    """The axis of the channels in a module's output, where the module itself says it."""
    axis, n = None, 0
    if isinstance(module, ConvNd):
        axis, n = -1 - len(module.kernel_size), module.out_channels
    elif isinstance(module, nn.Linear):
        axis, n = -1, module.out_features
    elif isinstance(module, NormBase):  # batch and instance norms
        batched = isinstance(module, BatchNorm) or y.dim() > 2
        axis, n = (1 - y.dim() if batched else None), module.num_features
    elif isinstance(module, nn.GroupNorm):
        axis, n = 1 - y.dim(), module.num_channels
    elif type(module) is nn.LayerNorm and len(module.normalized_shape) == 1:
        axis, n = -1, module.normalized_shape[0]
    if axis is None or y.dim() < -axis or y.shape[axis] != n:
        return None
    return axis


class Channels:
    """The axes of one pass, noted call by call as its modules end."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Makes ready for a pass, and lets its graph go."""
        self._tensors: dict[int, tuple[weakref.ref[Tensor], int]] = {}  # held weakly, so that no memory waits for it
        self._nodes: dict[Any, int | None] = {}
        self._by_dimensions: dict[int, list[tuple[int, int]]] = {}  # axis and number of channels, in order of work

    def image(self, x: Tensor) -> None:
        """What the network is given: (n, channels, height, width)."""
        if x.dim() == 4:
            self._note(x, -3)

    def ended(self, module: nn.Module, given: Tensor | None, result: Tensor) -> int | None:
        """The axis in the module's output, which is noted; None where it is not known. given: its first input."""
        axis = own_axis(module, result)
        if axis is None and given is not None and given.dim() == result.dim():
            keeps = isinstance(module, POOLS) or (given.shape == result.shape and next(module.children(), None) is None)
            axis = self.of(given) if keeps else None
        if axis is not None:
            self._note(result, axis)
        return axis

    def of(self, x: Tensor) -> int | None:
        """The axis of a tensor that a module is given."""
        if x.dim() < 2:
            return None
        if x.dim() == 2:
            return -1
        same, axis = self._tensors.get(id(x), (None, None))
        if same is not None and same() is x:
            return axis
        axis = self._behind(x.grad_fn, MOST_STEPS) if x.grad_fn is not None else None
        return self._alike(x) if axis is None else axis

    def _note(self, x: Tensor, axis: int) -> None:
        self._tensors[id(x)] = (weakref.ref(x), axis)
        if x.grad_fn is not None:
            self._nodes[x.grad_fn] = axis
        self._by_dimensions.setdefault(x.dim(), []).append((axis, x.shape[axis]))

    def _behind(self, node: Any, steps: int) -> int | None:
        """By the graph: through what keeps the order of dimensions, or changes it in a known way."""
        if node in self._nodes:
            return self._nodes[node]
        name, axis = node.name().partition("Backward")[0], None
        before = [parent for parent, _ in node.next_functions if parent is not None]
        if name == "Convolution":
            stride = saved(node, "stride")
            axis = None if stride is None else -1 - len(stride)
        elif name in ("Addmm", "Mm"):
            axis = -1
        elif steps and before and name in KEEPING:
            found = {self._behind(parent, steps - 1) for parent in before} - {None}
            axis = found.pop() if len(found) == 1 else None
        elif steps and before and name in MOVING:
            inner, shape = self._behind(before[0], steps - 1), _shape(node)
            axis = None if inner is None or not shape else MOVING[name](node, inner, shape)
        self._nodes[node] = axis
        return axis

    def _alike(self, x: Tensor) -> int | None:
        """By the layers so far whose outputs have as many dimensions: all have the same axis, or the last one of as
        many channels has, and no other dimension of x is as long."""
        found = self._by_dimensions.get(x.dim(), [])
        if len({axis for axis, _n in found}) == 1:
            return found[0][0]
        for axis, n in reversed(found):
            if x.shape[axis] == n and x.shape[1:].count(n) == 1:
                return axis
        return None


def _shape(node: Any) -> tuple[int, ...]:
    """Of what the node made; nothing where this version of torch does not say it."""
    found = getattr(node, "_input_metadata", ())
    return tuple(found[0].shape) if found else ()


def _permuted(node: Any, inner: int, shape: tuple[int, ...]) -> int | None:
    n, dims = len(shape), saved(node, "dims")
    return None if dims is None else [_signed(dim) % n for dim in dims].index(inner % n) - n


def _transposed(node: Any, inner: int, shape: tuple[int, ...]) -> int | None:
    n, dims = len(shape), (saved(node, "dim0"), saved(node, "dim1"))
    if None in dims:
        return None
    one, two = (_signed(dim) % n for dim in dims)
    return {one: two, two: one}.get(inner % n, inner % n) - n


def _viewed(node: Any, inner: int, shape: tuple[int, ...]) -> int | None:
    """The dimension as long as before behind which as many numbers lie as before."""
    before = saved(node, "self_sym_sizes")
    if before is None:
        return None
    before = tuple(before)
    length, behind = before[inner], math.prod(before[len(before) + inner + 1 :])
    for axis in range(-1, -len(shape) - 1, -1):
        if (shape[axis], math.prod(shape[len(shape) + axis + 1 :])) == (length, behind):
            return axis
    return None


def _signed(dim: int) -> int:
    """Negative ones are kept as very large numbers."""
    return dim - 2**64 if dim >= 2**63 else dim


MOVING: dict[str, Callable[[Any, int, tuple[int, ...]], int | None]] = {
    "Permute": _permuted, "Transpose": _transposed, "View": _viewed, "UnsafeView": _viewed, "ReshapeAlias": _viewed,
}  # fmt: skip


def by_channel(x: Tensor, axis: int) -> Tensor:
    """(numbers of one channel, channels)."""
    return x.movedim(axis, -1).reshape(-1, x.shape[axis])
