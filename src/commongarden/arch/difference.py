"""What differs between two networks, as edits that make one the other; equal ones are counted together. alignment.py
finds the fewest."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from commongarden.arch.edits import Tree
from commongarden.arch.nodes import (
    Activation,
    AdaptiveAvgPool,
    Add,
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    External,
    MaxPool,
    Node,
    Noise,
    Repeat,
    Serial,
    children,
    label,
)
from commongarden.arch.reach import depth
from commongarden.arch.trace import UNKNOWN, Shape, cost

Action = Literal["add", "remove", "change", "move"]
Place = Literal["", "after", "between", "before", "around"]


@dataclass(frozen=True)
class Joint:
    """Stands in the tree for what joins branches: "Parallel" with "branch"es, "Add" with "shortcut"s, the "network".

    Its branches, and a network's layers, are its children; names and repeats written once make no difference.
    """

    kind: str
    channels: str = ""


Part = Node | Joint
PartTree = Tree[Part]
POOLS = (MaxPool, AvgPool, AdaptiveAvgPool)
FAMILY: dict[type, str] = {
    Conv: "convolution", Dense: "dense layer", BatchNorm: "batch norm", Activation: "activation", Dropout: "dropout",
    Noise: "noise", **dict.fromkeys(POOLS, "pool"),
}  # fmt: skip
BESIDE = ("batch norm", "activation", "dropout", "noise")  # kinds that belong to the layer they stand beside


def kind(part: Part) -> str:
    """What a part counts as: "convolution", "pool", "batch norm", "Parallel", "Add", "branch"..."""
    return part.kind if isinstance(part, Joint) else FAMILY.get(type(part), type(part).__name__)


@dataclass(frozen=True)
class Edit:
    """One or more equal edits.

    before, after: the part in the first and in the second network; None where it is added or removed.
    inside: what comes or goes with it: an added module's layers, the batch norm behind an added convolution.
    place, anchor: where: "after" every layer of kind `anchor`, "between" it and its activation, "before" it, or
        "around" `n_around` convolutions and dense layers. place_before: where a part was that moves.
    count: how many of them; paths: where each stands, in the second network, or in the first if removed there.
    """

    action: Action
    before: Part | None
    after: Part | None
    inside: tuple[Part, ...] = ()
    place: Place = ""
    anchor: str = ""
    n_around: int = 0
    place_before: Place = ""
    count: int = 1
    paths: tuple[tuple[str, ...], ...] = ()

    @property
    def part(self) -> Part:
        """The part that is added, removed, moved, or what a changed one becomes."""
        part = self.after if self.after is not None else self.before
        assert part is not None
        return part

    @property
    def fields(self) -> tuple[tuple[str, object, object], ...]:
        """Of a change: (field, value before, value after); no rows where a pool becomes one of another kind."""
        before, after = self.before, self.after
        if before is None or after is None or type(before) is not type(after):
            return ()
        names = [field.name for field in dataclasses.fields(before)]
        pairs = [(name, getattr(before, name), getattr(after, name)) for name in names]
        unknown = {"macs", "activation_bytes"} if isinstance(before, External) else set()
        return tuple(row for row in pairs if row[1] != row[2] and not (row[0] in unknown and UNKNOWN in row[1:]))


@dataclass(frozen=True)
class Size:
    """What a network costs for one image, and how deep it is (convolutions and dense layers on the longest way)."""

    n_params: int
    macs: int
    activation_bytes: int
    depth: int


@dataclass(frozen=True)
class Difference:
    """From one network to another one. n_edits: insertions, deletions and changes of nodes, the fewest that do it."""

    n_edits: int
    edits: tuple[Edit, ...]
    before: Size
    after: Size


def size(network: Node, input: Shape) -> Size:
    """Cost and depth of a network."""
    total = cost(network, input)
    return Size(total.n_params, total.macs, total.activation_bytes, depth(network))


def _tree(network: Node) -> PartTree:
    return Tree(Joint("network"), tuple(_row(network, (label(network),))), (label(network),))


def _row(node: Node, path: tuple[str, ...]) -> Iterator[PartTree]:
    """The node as a row of layers: serials are laid flat and repeats written out."""
    match node:
        case Serial() | Repeat():
            for name, child in children(node):
                yield from _row(child, (*path, name))
        case Add(input=with_input, channels=channels):
            # the first branch is the row that the others, shortcuts, lead around
            (name, body), *others = children(node)
            shortcuts = [_branch("shortcut", child, (*path, name)) for name, child in others]
            if with_input:
                shortcuts.append(Tree(Joint("shortcut"), (), (*path, "input")))
            yield Tree(Joint("Add", channels), (*_row(body, (*path, name)), *shortcuts), path)
        case _ if parts := children(node):
            branches = tuple(_branch("branch", child, (*path, name)) for name, child in parts)
            yield Tree(Joint(type(node).__name__), branches, path)
        case _:
            yield Tree(node, (), path)


def _branch(kind: str, node: Node, path: tuple[str, ...]) -> PartTree:
    return Tree(Joint(kind), tuple(_row(node, path)), path)


def _change(one: Part, two: Part) -> int:
    """1 between two convolutions, two pools...; what is of another kind is removed and added, which costs 2."""
    return 1 if kind(one) == kind(two) else 2


class _Side:
    """One of the two trees: for each node its siblings, and whether it is only on this side."""

    def __init__(self, tree: PartTree, alone: set[int]) -> None:
        self.alone = alone
        self.row: dict[int, tuple[PartTree | None, tuple[PartTree, ...], int]] = {id(tree): (None, (tree,), 0)}
        self.order: list[PartTree] = []
        self._visit(tree)

    def _visit(self, node: PartTree) -> None:
        self.order.append(node)
        for place, child in enumerate(node.children):
            self.row[id(child)] = (node, node.children, place)
            self._visit(child)

    def edit(self, node: PartTree, action: Literal["add", "remove"]) -> Edit:
        part = node.label
        below = list(_below(node))
        inside = tuple(one.label for one in (*below, *self._beside(node)) if id(one) in self.alone)
        place: Place = ""
        anchor, n_around = "", 0
        if isinstance(part, Joint):
            n_around = sum(isinstance(one.label, Conv | Dense) and id(one) not in self.alone for one in below)
            place = "around" if n_around else ""
        elif kind(part) in BESIDE:
            place, anchor = self._place(node)
        before, after = (None, part) if action == "add" else (part, None)
        return Edit(action, before, after, inside, place, anchor, n_around, paths=(node.path,))

    def carried(self, node: PartTree) -> bool:
        """Whether a node comes or goes with the node that it lies in, or with the layer that it stands behind."""
        parent, row, place = self.row[id(node)]
        if parent is not None and id(parent) in self.alone:
            return True
        if kind(node.label) not in BESIDE:
            return False
        owner = next((one for one in reversed(row[:place]) if kind(one.label) not in BESIDE), None)
        return owner is not None and id(owner) in self.alone and not owner.children

    def _beside(self, node: PartTree) -> Iterator[PartTree]:
        """What stands behind a layer and belongs to it."""
        _, row, place = self.row[id(node)]
        if not node.children and kind(node.label) not in BESIDE:
            yield from itertools.takewhile(lambda one: kind(one.label) in BESIDE, row[place + 1 :])

    def _place(self, node: PartTree) -> tuple[Place, str]:
        """Where a batch norm, activation or dropout stands beside the layer that it belongs to."""
        _, row, place = self.row[id(node)]
        for i in range(place - 1, -1, -1):
            if kind(row[i].label) not in BESIDE:
                follows = next((one.label for one in row[place + 1 :] if id(one) not in self.alone), None)
                started = any(isinstance(one.label, Activation) for one in row[i + 1 : place])
                between = isinstance(follows, Activation) and not started and not isinstance(node.label, Activation)
                return ("between" if between else "after"), kind(row[i].label)
        behind = next((kind(one.label) for one in row[place + 1 :] if kind(one.label) not in BESIDE), "")
        return ("before", behind) if behind else ("", "")


def _below(node: PartTree) -> Iterator[PartTree]:
    for child in node.children:
        yield child
        yield from _below(child)


def _counted(edits: Iterator[Edit]) -> list[Edit]:
    """Equal edits as one, with their paths."""
    groups: dict[Edit, list[tuple[str, ...]]] = {}
    for edit in edits:
        groups.setdefault(dataclasses.replace(edit, paths=()), []).extend(edit.paths)
    return [dataclasses.replace(edit, count=len(paths), paths=tuple(paths)) for edit, paths in groups.items()]


def _moved(edits: list[Edit]) -> tuple[Edit, ...]:
    """A part added in one place as often as it is removed in another one has moved."""
    kept = list(edits)
    for added in edits:
        for removed in edits:
            if (
                (added.action, removed.action) == ("add", "remove")
                and added.part == removed.part
                and (added.count, added.anchor) == (removed.count, removed.anchor)
                and added.place != removed.place
                and removed in kept
                and added in kept
            ):
                move = dataclasses.replace(added, action="move", before=removed.before, place_before=removed.place)
                kept[kept.index(added)] = move
                kept.remove(removed)
    return tuple(kept)
