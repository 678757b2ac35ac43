"""The reductions of a network as parts that can be taken out: 1x1 convolutions before a larger kernel, and modules that
halve the image."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from commongarden.arch.nodes import (
    Activation,
    Add,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    MaxPool,
    Node,
    Noise,
    Parallel,
    Serial,
    children,
    leaves,
)
from commongarden.arch.part import Part, Path


def reductions(nodes: list[tuple[Path, Node, bool]]) -> Iterator[Part]:
    """1x1 reductions and grid reductions among nodes with their paths, each with whether it is inside of a module."""
    narrow = tuple(
        (*path, name)
        for path, node, _inside in nodes
        if isinstance(node, Parallel | Add)
        for name, branch in children(node)
        if isinstance(branch, Serial) and _reduces(branch)
    )
    if narrow:
        yield Part("reductions", "1x1 reductions", narrow, _without_reduction)
    grids = tuple(
        path for path, node, inside in nodes if isinstance(node, Parallel) and not inside and _halves(node) is not None
    )
    if grids:
        yield Part("reductions", "grid reductions", grids, _to_pool)


def _units(layers: Sequence[Node]) -> list[list[Node]]:
    """A row of layers cut into convolutions with the norms and activations that belong to them: those behind each, or
    in a row that begins with such a layer those before it (pre-activation)."""
    before = bool(layers) and isinstance(layers[0], BatchNorm | Activation)
    units: list[list[Node]] = []
    fresh = True
    for layer in layers:
        beside = isinstance(layer, BatchNorm | Activation | Dropout | Noise)
        if before:
            if fresh:
                units.append([])
            units[-1].append(layer)
            fresh = not beside
        elif beside and units:
            units[-1].append(layer)
        else:
            units.append([layer])
    return units


def _linear(unit: Sequence[Node]) -> Conv | None:
    return next((layer for layer in unit if isinstance(layer, Conv)), None)


def _reduces(branch: Serial) -> bool:
    units = [_linear(unit) for unit in _units(branch.layers)]
    first, second = units[0] if units else None, units[1] if len(units) > 1 else None
    return first is not None and first.kernel == (1, 1) and second is not None and second.kernel != (1, 1)


def _without_reduction(node: Node, path: Path) -> Node | None:
    if not isinstance(node, Parallel | Add):
        return node
    return dataclasses.replace(
        node,
        branches=tuple(
            _unreduced(branch) if isinstance(branch, Serial) and _reduces(branch) else branch
            for branch in node.branches
        ),
    )


def _unreduced(branch: Serial) -> Serial:
    """The branch without its first convolution, whose stride the next one takes."""
    first, second, *rest = _units(branch.layers)
    dropped, kept = _linear(first), _linear(second)
    assert dropped is not None
    assert kept is not None
    stride = (dropped.stride[0] * kept.stride[0], dropped.stride[1] * kept.stride[1])
    strided = [dataclasses.replace(kept, stride=stride) if layer is kept else layer for layer in second]
    return dataclasses.replace(branch, layers=tuple(layer for unit in (strided, *rest) for layer in unit))


def _halves(module: Parallel) -> tuple[int, int] | None:
    """The stride of a module whose branches all have the same one above 1."""
    strides = {_stride(branch) for branch in module.branches}
    (stride,) = strides if len(strides) == 1 else ((1, 1),)
    return stride if max(stride) > 1 else None


def _stride(node: Node) -> tuple[int, int]:
    height, width = getattr(node, "stride", (1, 1))
    inner = [_stride(child) for _name, child in children(node)]
    if isinstance(node, Serial):
        for one, two in inner:
            height, width = height * one, width * two
    elif inner:
        height, width = max(inner)
    return height, width


def _to_pool(node: Node, path: Path) -> Node | None:
    stride = _halves(node) if isinstance(node, Parallel) else None
    if stride is None:
        return node
    pool = next((leaf for leaf in leaves(node) if isinstance(leaf, MaxPool | AvgPool) and leaf.stride == stride), None)
    if pool is not None:
        return MaxPool(pool.kernel, pool.stride, pool.padding, pool.ceil_mode)
    return MaxPool((stride[0] + 1, stride[1] + 1), stride)
