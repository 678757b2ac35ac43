"""Rewrites: the same function, with the same parameters under the same paths, for less work. One by one, by name:

    pool-behind    an average pool before a 1x1 convolution is done behind it, on the channels that are left

A network is rewritten before it is built, at one size of images. Only the order of sums changes, so outputs and
gradients agree within rounding and the last bits of training differ: which rewrites are done is the recipe's to say.

A mean over a window is a linear map of each channel by itself, and a 1x1 convolution one of each pixel by itself, so
the two commute. A bias commutes with means whose weights sum to 1; those that count the padding's zeros have smaller
sums at the border. Somebody else's network is one leaf, and nothing inside of it is rewritten.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from commongarden.arch.nodes import Add, Auxiliary, AvgPool, Conv, Node, Parallel, Repeat, Serial, children, label
from commongarden.arch.trace import Shape, output_shape, trace, window
from commongarden.errors import ArchError, check_known

REWRITES = ("pool-behind",)
Path = tuple[str, ...]
Labelled = tuple[str, Node]


@dataclass(frozen=True)
class Rewrite:
    """One thing that was rewritten. path: of the layer that is now done first. other: the layer in whose place it is.
    saved: multiply-adds and additions of one image that are not needed any more, in one forward pass."""

    name: str
    path: Path
    other: Path
    saved: int


def rewritten(network: Node, input: Shape, names: Iterable[str]) -> tuple[Node, tuple[Rewrite, ...]]:
    """The network for images of shape `input` (height, width, channels) with the named rewrites, and where they were
    done. Labels stay, and with them every parameter's name. Raises ArchError for a name that is not known, and for a
    network that does not take such images."""
    wanted = tuple(names)
    check_known("rewrite", wanted, REWRITES, ArchError)
    if "pool-behind" not in wanted:
        return network, ()
    trace(network, input)  # so that a mistake anywhere is told with its full path
    done: list[Rewrite] = []
    return _pools_behind(network, input, (label(network),), done), tuple(done)


def _pools_behind(node: Node, shape: Shape, path: Path, done: list[Rewrite]) -> Node:
    match node:
        case Serial() | Auxiliary():
            return dataclasses.replace(node, layers=tuple(_row(node, shape, path, done)))
        case Parallel() | Add():
            branches = [_pools_behind(part, shape, (*path, name), done) for name, part in children(node)]
            return dataclasses.replace(node, branches=tuple(branches))
        case Repeat():
            return _repeat(node, shape, [(*path, name) for name, _body in children(node)], done)
        case _:
            return node


def _row(node: Serial | Auxiliary, shape: Shape, path: Path, done: list[Rewrite]) -> list[Node]:
    labels = iter([name for name, _part in children(node)])
    row: list[Labelled] = []
    inside = shape
    for layer in node.layers:
        if isinstance(layer, Repeat):  # its copies stand in the row, each with a label of its own
            copies = [next(labels) for _ in range(layer.times)]
            row.append((copies[0], _repeat(layer, inside, [(*path, name) for name in copies], done)))
        else:
            name = next(labels)
            row.append((name, _pools_behind(layer, inside, (*path, name), done)))
        inside = output_shape(layer, inside)
    while (swap := next(_swaps(row, shape), None)) is not None:
        place, saved = swap
        (pool, _), (conv, _) = row[place : place + 2]
        done.append(Rewrite("pool-behind", (*path, conv), (*path, pool), saved))
        row[place : place + 2] = reversed(row[place : place + 2])
    return [layer for _name, layer in row]


def _repeat(node: Repeat, shape: Shape, paths: list[Path], done: list[Rewrite]) -> Node:
    """Copies are of one body, so it is rewritten only where every copy would be rewritten alike, whatever its size."""
    bodies: list[Node] = []
    found: list[Rewrite] = []
    for path in paths:
        bodies.append(_pools_behind(node.body, shape, path, found))
        shape = output_shape(node.body, shape)
    if any(body != bodies[0] for body in bodies):
        return node
    done += found
    return dataclasses.replace(node, body=bodies[0])


def _swaps(row: list[Labelled], shape: Shape) -> Iterator[tuple[int, int]]:
    """Places of pools that may be done behind what follows them, and the operations that this saves."""
    for place, ((_, first), (_, second)) in enumerate(pairwise(row)):
        if isinstance(first, AvgPool) and isinstance(second, Conv) and _commute(first, second, shape):
            before = _operations(first, shape) + _operations(second, output_shape(first, shape))
            after = _operations(second, shape) + _operations(first, output_shape(second, shape))
            if after < before:
                yield place, before - after
        shape = output_shape(first, shape)


def _commute(pool: AvgPool, conv: Conv, shape: Shape) -> bool:
    one_by_one = conv.kernel == conv.stride == (1, 1) and not (isinstance(conv.padding, tuple) and any(conv.padding))
    return one_by_one and not (conv.bias and _counts_zeros(pool, shape))


def _counts_zeros(pool: AvgPool, shape: Shape) -> bool:
    """Whether some mean is over zeros of the padding too."""
    if not pool.count_padding:
        return False
    if isinstance(pool.padding, tuple):
        return any(pool.padding)
    for axis in (0, 1):
        kernel, stride = pool.kernel[axis], pool.stride[axis]
        before, kept = window(shape[axis], kernel, stride, 1, pool.padding, axis, pool.ceil_mode)
        if before > 0 or (kept - 1) * stride + kernel > shape[axis] + before:
            return True
    return False


def _operations(node: AvgPool | Conv, shape: Shape) -> int:
    """Multiply-adds of a 1x1 convolution, additions of a pool."""
    height, width, channels = output_shape(node, shape)
    each = shape[2] // node.groups if isinstance(node, Conv) else node.kernel[0] * node.kernel[1]
    return height * width * channels * each
