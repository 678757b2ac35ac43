"""What kinds of blocks a network is made of, found in its tree: bottlenecks, residual blocks, modules of branches."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from commongarden import arch
from commongarden.arch import Add, BatchNorm, Conv, Node, Parallel, Shape, leaves

Kind = Literal["bottleneck", "residual", "module"]


@dataclass(frozen=True)
class Block:
    """A sum or a module at its place. name: as a path within the network. input: the shape that enters it."""

    kind: Kind
    name: str
    node: Add | Parallel
    input: Shape


def blocks(network: Node, input: Shape) -> tuple[Block, ...]:
    """Every block of the network, outermost ones only, in the order of work.

    A bottleneck is a sum whose body is a 1x1 convolution, larger ones, and a 1x1 convolution (He et al. 2015, fig. 5);
    any other sum with a shortcut is a residual block; branches side by side that are concatenated are a module.
    """
    return tuple(_found(network, input, ()))


def of_a_kind(found: tuple[Block, ...], kind: Kind) -> list[Block]:
    """The blocks of one kind."""
    return [block for block in found if block.kind == kind]


def unlike(found: list[Block], most: int) -> list[Block]:
    """One of each sort: blocks whose names differ but for their numbers, or that stand in no named place."""
    first: dict[str, Block] = {}
    for block in found:
        first.setdefault(re.sub(r"\d+", "", block.name.rpartition(" / ")[2]), block)
    return list(first.values())[:most]


def batch_norms(network: Node) -> int:
    """How many batch norms the network has."""
    return sum(isinstance(leaf, BatchNorm) for leaf in leaves(network))


def widths(block: Block) -> tuple[int, ...]:
    """Channels that leave each convolution of a block's first branch, which is a sum's body."""
    return tuple(leaf.channels for leaf in leaves(block.node.branches[0]) if isinstance(leaf, Conv))


def bare(block: Block) -> Node:
    """The block without its name, which a drawing of it alone need not repeat."""
    return dataclasses.replace(block.node, name="")


def _found(node: Node, shape: Shape, path: tuple[str, ...]) -> Iterator[Block]:
    if isinstance(node, Parallel) and len(node.branches) > 1:
        yield Block("module", " / ".join(path), node, shape)
    elif isinstance(node, Add) and (node.input or len(node.branches) > 1):
        inner = list(_found(node.branches[0], shape, (*path, "body")))
        if inner:  # modules within a sum tell more than the sum does
            yield from inner
        else:
            yield Block("bottleneck" if _narrows(node) else "residual", " / ".join(path), node, shape)
    else:
        for name, child in arch.children(node):
            yield from _found(child, shape, (*path, name))
            shape = arch.output_shape(child, shape)


def _narrows(block: Add) -> bool:
    kernels = [leaf.kernel for leaf in leaves(block.branches[0]) if isinstance(leaf, Conv)]
    return len(kernels) > 2 and kernels[0] == kernels[-1] == (1, 1) and any(kernel != (1, 1) for kernel in kernels)
