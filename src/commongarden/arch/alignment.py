"""The difference of two networks: which of their layers stand for each other, and to which edit every other one
belongs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from commongarden.arch.difference import (
    BESIDE,
    Difference,
    Edit,
    Joint,
    PartTree,
    _change,
    _counted,
    _moved,
    _Side,
    _tree,
    kind,
    size,
)
from commongarden.arch.edits import Comparison
from commongarden.arch.nodes import BatchNorm, Node
from commongarden.arch.trace import Shape

Path = tuple[str, ...]


@dataclass(frozen=True)
class Alignment:
    """difference: the fewest edits that make the second network of the first.

    kept: paths of the layers that both have, in the first and in the second.
    before, after: of every other layer of the first and of the second network, by its path, the place of its edit among
    the difference's edits. A layer that is changed is in both.
    """

    difference: Difference
    kept: tuple[tuple[Path, Path], ...]
    before: dict[Path, int]
    after: dict[Path, int]


@dataclass(frozen=True)
class _Edited:
    """A node of a tree that is not kept, and the node with which it comes or goes."""

    node: PartTree
    owner: PartTree
    edit: Edit


def difference(one: Node, two: Node, input: Shape, input_two: Shape | None = None) -> Difference:
    """What makes `two` of `one`, for images of shape `input` (`input_two` where the second's are of another shape)."""
    return align(one, two, input, input_two).difference


def align(one: Node, two: Node, input: Shape, input_two: Shape | None = None) -> Alignment:
    """The difference from `one` to `two` with what becomes of every layer; inputs as in `difference`."""
    first, second = _tree(one), _tree(two)
    comparison = Comparison(first, second, _change, moves=lambda part: isinstance(part, BatchNorm))
    script = comparison.script()
    removed = _Side(first, {id(before) for before, after in script if before is not None and after is None})
    added = _Side(second, {id(after) for before, after in script if after is not None and before is None})

    changes: dict[int, Edit] = {}
    of_first: list[_Edited] = []
    kept = []
    for before, after in script:
        if before is not None and after is not None:
            if before.label == after.label:
                kept.append((before, after))
            else:
                changes[id(after)] = Edit("change", before.label, after.label, paths=(after.path,))
                of_first.append(_Edited(before, before, changes[id(after)]))
    of_second = list(_edited(added, "add", changes))
    gone = list(_edited(removed, "remove", {}))
    of_first += gone
    raw = [one.edit for one in (*of_second, *gone) if one.node is one.owner]
    counted = _counted(iter(raw))
    final = _moved(counted)
    places = {dataclasses.replace(edit, paths=(), count=1): _final(edit, final) for edit in counted}

    def placed(edits: list[_Edited]) -> dict[Path, int]:
        return {one.node.path: places[dataclasses.replace(one.edit, paths=())] for one in edits if _works(one.node)}

    found = Difference(comparison.distance, final, size(one, input), size(two, input_two or input))
    pairs = tuple((before.path, after.path) for before, after in kept if _works(before))
    return Alignment(found, pairs, placed(of_first), placed(of_second))


def _works(node: PartTree) -> bool:
    """Whether it is a layer of its own, and no branch, shortcut or network, whose path is that of what is inside."""
    return not isinstance(node.label, Joint) or node.label.kind in ("Parallel", "Add")


def _edited(side: _Side, action: Literal["add", "remove"], changes: dict[int, Edit]) -> Iterator[_Edited]:
    """Every node that is not kept, in order, with the edit that it belongs to."""
    own: dict[int, Edit] = {}
    for node in side.order:
        if id(node) in side.alone:
            owner = _owner(side, node)
            if id(owner) not in own:
                own[id(owner)] = side.edit(owner, action)
            yield _Edited(node, owner, own[id(owner)])
        elif id(node) in changes:
            yield _Edited(node, node, changes[id(node)])


def _owner(side: _Side, node: PartTree) -> PartTree:
    """The node that this one comes or goes with; itself where it comes by itself. See `_Side.carried`."""
    while side.carried(node):
        parent, row, place = side.row[id(node)]
        if parent is not None and id(parent) in side.alone:
            node = parent
        else:
            node = next(one for one in reversed(row[:place]) if kind(one.label) not in BESIDE)
    return node


def _final(edit: Edit, final: tuple[Edit, ...]) -> int:
    """Where a counted edit is among the final ones; one that was found to be half of a move is there as that move."""
    if edit in final:
        return final.index(edit)

    def is_half(move: Edit) -> bool:
        if move.action != "move" or move.count != edit.count or move.anchor != edit.anchor:
            return False
        if edit.action == "add":
            return move.after == edit.after and move.place == edit.place
        return move.before == edit.before and move.place_before == edit.place

    action: Literal["move"] = "move"
    return next(place for place, move in enumerate(final) if move.action == action and is_half(move))
