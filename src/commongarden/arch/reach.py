"""How far layers see and how deep they lie: receptive fields and depth, as folds over the tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from commongarden.arch.nodes import (
    AdaptiveAvgPool,
    Add,
    Auxiliary,
    AvgPool,
    Conv,
    Dense,
    External,
    MaxPool,
    Node,
    Repeat,
    Serial,
    Size,
    children,
    label,
)
from commongarden.arch.trace import Layer, Shape, trace, window

Path = tuple[str, ...]


@dataclass(frozen=True)
class _Sight:
    """Along one axis: position p depends on the input's pixels p * jump + first to p * jump + last."""

    first: int = 0
    last: int = 0
    jump: int = 1

    def through(self, before: int, reach: int, stride: int) -> _Sight:
        """Behind a window of `reach` positions that starts `before` positions early."""
        return _Sight(self.first - before * self.jump, self.last + (reach - 1 - before) * self.jump, self.jump * stride)

    @property
    def size(self) -> int:
        return self.last - self.first + 1


_Sights = tuple[_Sight, _Sight]


def receptive_fields(network: Node, input: Shape) -> dict[Path, Size]:
    """For every layer of `trace`: the height and width, in input pixels, that one of its positions depends on.

    Beyond the image's edge it counts on, so a field may be larger than the image. Branches are taken together; a
    dense layer and a global pool see what all positions see (Araujo et al. 2019, "Computing receptive fields").
    """
    layers = {layer.path: layer for layer in trace(network, input)}
    found: dict[Path, _Sights] = {}
    _look(network, (label(network),), (_Sight(), _Sight()), layers, found)
    return {path: (sights[0].size, sights[1].size) for path, sights in found.items()}


def depth(network: Node) -> int:
    """Convolutions and dense layers on the longest way through, as in "ResNet-34"."""
    match network:
        case Conv() | Dense():
            return 1
        case Repeat(body=body, times=times):
            return times * depth(body)
        case Serial(layers=layers):
            return sum(map(depth, layers))
        case Auxiliary():
            return 0
        case _:
            return max((depth(child) for _, child in children(network)), default=0)


def _look(node: Node, path: Path, sights: _Sights, layers: Mapping[Path, Layer], found: dict[Path, _Sights]) -> _Sights:
    match node:
        case Serial() | Repeat():
            for name, child in children(node):
                sights = _look(child, (*path, name), sights, layers, found)
            return sights
        case Auxiliary():  # its own layers see on from here; the network goes on as if it were not there
            side = sights
            for name, child in children(node):
                side = _look(child, (*path, name), side, layers, found)
            return sights
        case _ if parts := children(node):
            branches = [_look(child, (*path, name), sights, layers, found) for name, child in parts]
            if isinstance(node, Add) and node.input:
                branches.append(sights)
            output = (_joined([height for height, _ in branches]), _joined([width for _, width in branches]))
        case _:
            output = _behind(node, sights, layers[path].input)
    found[path] = output
    return output


def _joined(branches: list[_Sight]) -> _Sight:
    return _Sight(
        min(sight.first for sight in branches),
        max(sight.last for sight in branches),
        max(sight.jump for sight in branches),
    )


def _behind(node: Node, sights: _Sights, shape: Shape) -> _Sights:
    if len(shape) != 3:
        return sights
    match node:
        case Conv() | MaxPool() | AvgPool():
            height, width = (_windowed(node, sights[axis], shape[axis], axis) for axis in (0, 1))
        case AdaptiveAvgPool(size=size):
            height, width = (_adaptive(sights[axis], shape[axis], size[axis]) for axis in (0, 1))
        case Dense() | External():  # what a network by others does inside is not known
            height, width = (_adaptive(sights[axis], shape[axis], 1) for axis in (0, 1))
        case _:
            return sights
    return height, width


def _windowed(node: Conv | MaxPool | AvgPool, sight: _Sight, size: int, axis: int) -> _Sight:
    dilation = node.dilation[axis] if isinstance(node, Conv) else 1
    kernel, stride = node.kernel[axis], node.stride[axis]
    before, _kept = window(size, kernel, stride, dilation, node.padding, axis, False)
    return sight.through(before, dilation * (kernel - 1) + 1, stride)


def _adaptive(sight: _Sight, size: int, kept: int) -> _Sight:
    longest = max(-(-(i + 1) * size // kept) - i * size // kept for i in range(kept))
    return sight.through(0, longest, max(1, size // kept))
