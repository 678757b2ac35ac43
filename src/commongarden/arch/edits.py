"""The fewest insertions, deletions and changes of nodes that make one ordered tree another.

Zhang & Shasha, "Simple fast algorithms for the editing distance between trees and related problems" (SIAM Journal on
Computing 18, 1989). Inserting a node between a parent and some of its children in a row, and deleting one so that its
children take its place, cost 1 each. Equal subtrees are compared once, so a network of many equal blocks is quick.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

L = TypeVar("L", bound=Hashable)


@dataclass(frozen=True)
class Tree(Generic[L]):
    """A node with what it is, its children in order, and where it stands (which makes no difference)."""

    label: L
    children: tuple[Tree[L], ...] = ()
    path: tuple[str, ...] = field(default=(), compare=False)


Script = list[tuple[Tree[L] | None, Tree[L] | None]]


@dataclass(frozen=True)
class _Rows(Generic[L]):
    """A tree in postorder: for each node its leftmost leaf's place and a number that equal subtrees share."""

    nodes: list[Tree[L]]
    leftmost: list[int]
    shape: list[int]

    def keyroots(self) -> list[int]:
        """The root, and every node with a sibling to its left."""
        last = {left: i for i, left in enumerate(self.leftmost)}
        return sorted(last.values())


class Comparison(Generic[L]):
    """The distance between two trees and one cheapest script.

    change: what it costs to turn one label into another one that is not equal.
    moves: of two equally cheap scripts, the one that deletes or inserts nodes for whose label this is true.
    """

    def __init__(
        self,
        one: Tree[L],
        two: Tree[L],
        change: Callable[[L, L], int],
        moves: Callable[[L], bool] = lambda label: False,
    ) -> None:
        numbers: dict[Hashable, int] = {}
        self._one, self._two = _rows(one, numbers), _rows(two, numbers)
        self._change, self._moves = change, moves
        self._trees: dict[tuple[int, int], int] = {}
        for i in self._one.keyroots():
            for j in self._two.keyroots():
                if (self._one.shape[i], self._two.shape[j]) not in self._trees:
                    self._forests(i, j)
        self.distance = self._trees[self._one.shape[-1], self._two.shape[-1]]

    def script(self) -> Script[L]:
        """Every node of both trees once: (kept or changed, its counterpart), (deleted, None) or (None, inserted)."""
        pairs: Script[L] = []
        waiting = [(len(self._one.nodes) - 1, len(self._two.nodes) - 1)]
        while waiting:
            self._trace_back(*waiting.pop(), pairs, waiting)
        return pairs

    def _forests(self, i: int, j: int) -> list[list[int]]:
        """Distances between all beginnings of the subtrees at i and j; [0][0] is nothing against nothing."""
        one, two = self._one, self._two
        left, top = one.leftmost[i], two.leftmost[j]
        table = [list(range(j - top + 2))]
        for x in range(left, i + 1):
            above, row = table[-1], [len(table)]
            for y in range(top, j + 1):
                cheapest = min(above[y - top + 1], row[-1]) + 1
                if one.leftmost[x] == left and two.leftmost[y] == top:
                    cheapest = min(cheapest, above[y - top] + self._cost(x, y))
                    self._trees[one.shape[x], two.shape[y]] = cheapest
                else:
                    before = table[one.leftmost[x] - left][two.leftmost[y] - top]
                    cheapest = min(cheapest, before + self._trees[one.shape[x], two.shape[y]])
                row.append(cheapest)
            table.append(row)
        return table

    def _cost(self, x: int, y: int) -> int:
        one, two = self._one.nodes[x].label, self._two.nodes[y].label
        return 0 if one == two else self._change(one, two)

    def _trace_back(self, i: int, j: int, pairs: Script[L], waiting: list[tuple[int, int]]) -> None:
        one, two, table = self._one, self._two, self._forests(i, j)
        left, top = one.leftmost[i], two.leftmost[j]
        x, y = i, j
        while x >= left or y >= top:
            here = table[x - left + 1][y - top + 1]
            deleted = x >= left and here == table[x - left][y - top + 1] + 1
            inserted = y >= top and here == table[x - left + 1][y - top] + 1
            if x >= left and y >= top:
                if one.leftmost[x] == left and two.leftmost[y] == top:
                    if here == table[x - left][y - top] + self._cost(x, y) and self._cost(x, y) < 2:
                        pairs.append((one.nodes[x], two.nodes[y]))
                        x, y = x - 1, y - 1
                        continue
                elif here == table[one.leftmost[x] - left][two.leftmost[y] - top] + self._trees[
                    one.shape[x], two.shape[y]
                ] and (self._cost(x, y) < 2):
                    waiting.append((x, y))
                    x, y = one.leftmost[x] - 1, two.leftmost[y] - 1
                    continue
            if inserted and (not deleted or self._moves(two.nodes[y].label)):
                pairs.append((None, two.nodes[y]))
                y -= 1
            else:
                pairs.append((one.nodes[x], None))
                x -= 1


def _rows(tree: Tree[L], numbers: dict[Hashable, int]) -> _Rows[L]:
    rows: _Rows[L] = _Rows([], [], [])

    def visit(node: Tree[L]) -> tuple[int, int]:
        below = [visit(child) for child in node.children]
        number = numbers.setdefault((node.label, tuple(shape for _, shape in below)), len(numbers))
        left = below[0][0] if below else len(rows.nodes)
        rows.nodes.append(node)
        rows.leftmost.append(left)
        rows.shape.append(number)
        return left, number

    visit(tree)
    return rows
