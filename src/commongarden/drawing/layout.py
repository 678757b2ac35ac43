"""Where everything in a drawing stands. A network is a series-parallel tree, so recursion over it gives a layout
without a crossing: rows go down, branches stand side by side, shortcuts lead around on the right.

Every part is measured around its axis, the line on which it is entered at the top and left at the bottom.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from commongarden.arch import Shape
from commongarden.drawing.letters import width
from commongarden.drawing.parts import Box, Fork, Frame, Part, Row, Sum

TEXT, SMALL = 13.0, 11.0  # font sizes
PAD = 12.0  # between a box's edge and its text
BETWEEN = 28.0  # from one part to the next one below
BESIDE = 26.0  # from one branch to the next
BAR = 24.0  # height of a concatenation
FAN = 28.0  # where branches part and come together
CIRCLE = 9.0  # radius of a sum
FRAME_TOP, FRAME_SIDE, FRAME_BOTTOM = 34.0, 16.0, 18.0
NOTE = 7.0  # from a line to its text

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Rect:
    """A box, frame or concatenation: left, top, width, height, and how it is painted."""

    x: float
    y: float
    w: float
    h: float
    style: str


@dataclass(frozen=True)
class Text:
    """One line of text, with `x`, `y` the middle of the line at its anchor."""

    x: float
    y: float
    text: str
    size: float
    style: str
    anchor: Anchor = "middle"

    @property
    def width(self) -> float:
        return width(self.text, self.size)


@dataclass(frozen=True)
class Line:
    """A way through points with rounded corners of at most `radius`; with a head at its end or without."""

    points: tuple[Point, ...]
    head: bool = True
    radius: float = 8.0
    style: str = "edge"


@dataclass
class Picture:
    """Everything that is drawn, frames first; the outermost size."""

    frames: list[Rect] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    rects: list[Rect] = field(default_factory=list)
    circles: list[Point] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    w: float = 0.0
    h: float = 0.0


@dataclass(frozen=True)
class Extent:
    """Room that a part takes left and right of its axis and downwards; `enter` and `leave` say how far inside it the
    line that comes ends and the line that goes on starts; exits: where lines leave, right of the axis."""

    left: float
    right: float
    h: float
    enter: float = 0.0
    leave: float = 0.0
    head: bool = True
    exits: tuple[float, ...] = (0.0,)


def lay_out(network: Row, outcome: str) -> Picture:
    """The whole drawing, from an input at the top to an output, called `outcome`, at the bottom."""
    whole = Row(
        (_end("input", network.input), *network.parts, _end(outcome, network.output)), network.input, network.output
    )
    boxes = _boxes(whole)
    layout = _Layout(max(map(_text_width, boxes), default=0.0), 44.0 if any(box.small for box in boxes) else 30.0)
    extent = layout.row(whole)
    margin = 16.0
    layout.place_row(whole, margin + extent.left, margin)
    layout.picture.w, layout.picture.h = extent.left + extent.right + 2 * margin, extent.h + 2 * margin
    return layout.picture


def show(shape: Shape) -> str:
    return "×".join(map(str, shape))


def _end(text: str, shape: Shape) -> Box:
    return Box(f"{text} {show(shape)}", "", "end", shape, shape)


def _boxes(row: Row) -> list[Box]:
    found: list[Box] = []
    for part in row.parts:
        match part:
            case Box():
                found += [part] if part.style not in ("group", "end") else []
            case Fork(branches=rows):
                found += [box for branch in rows for box in _boxes(branch)]
            case Sum(body=body, shortcuts=shortcuts):
                found += [box for branch in (body, *shortcuts) for box in _boxes(branch)]
            case Frame(body=body):
                found += _boxes(body)
    return found


def _text_width(box: Box) -> float:
    return max(width(box.text, TEXT), width(box.small, SMALL)) + 2 * PAD


def _changes(part: Part) -> bool:
    return part.output != part.input


def _noted(row: Row, i: int, framed: bool) -> bool:
    """Whether the line behind a row's part says its shape: where it changes, unless the frame or the output says it
    at once."""
    rest = row.parts[i + 1 :]
    if isinstance(rest[0], Box) and rest[0].style == "end":
        return False
    soon = framed and row.output == row.parts[i].output and all(isinstance(p, Box) and p.style == "small" for p in rest)
    return _changes(row.parts[i]) and not soon


class _Layout:
    """Measures parts, then places them; boxes of layers are all of one size."""

    def __init__(self, box_width: float, box_height: float) -> None:
        self.box_width, self.box_height = box_width, box_height
        self.picture = Picture()
        self.nesting = 0  # frames around the place that is being drawn

    def row(self, row: Row, *, open_end: bool = False, framed: bool = False) -> Extent:
        """open_end: a fork at the end leaves its branches open, for the concatenation that follows."""
        left = right = h = 0.0
        enter, head, leave = 0.0, True, 0.0
        exits: tuple[float, ...] = (0.0,)
        for i, part in enumerate(row.parts):
            last = i == len(row.parts) - 1
            extent = self.part(part, open_end=open_end and last)
            left, right = max(left, extent.left), max(right, extent.right)
            if i == 0:
                enter, head = extent.enter, extent.head
            h += extent.h + (0.0 if last else BETWEEN)
            if not last and _noted(row, i, framed):
                right = max(right, NOTE + width(show(part.output), SMALL))
            leave, exits = extent.leave, extent.exits
        return Extent(left, right, h, enter, leave, head and bool(row.parts), exits)

    def part(self, part: Part, *, open_end: bool = False) -> Extent:
        match part:
            case Box():
                if part.style in ("end", "small"):
                    return Extent(_text_width(part) / 2, _text_width(part) / 2, 26.0)
                half = max(self.box_width, _text_width(part)) / 2
                return Extent(half, half, 44.0 if part.small else self.box_height)
            case Fork():
                return self._fork(part, open_end)
            case Sum():
                return self._sum(part)
            case Frame():
                inner = self.row(part.body, framed=True)
                title = width(part.title, SMALL) + 2 * PAD if part.title else 0.0
                count = width(f"×{part.times}", TEXT) * 1.12 + 2 * PAD if part.times > 1 else 0.0
                return Extent(
                    max(inner.left + FRAME_SIDE, title),
                    max(inner.right + FRAME_SIDE, count),
                    inner.h + FRAME_TOP + FRAME_BOTTOM,
                    FRAME_TOP + inner.enter,
                    FRAME_BOTTOM + inner.leave,
                    inner.head,
                )

    def _axes(self, fork: Fork) -> tuple[list[float], list[Extent], float, float]:
        """Where the branches' axes stand, right of the fork's own, which is in their middle; and the room it takes."""
        extents = [self.row(branch, open_end=True) for branch in fork.branches]
        axes, x = [], 0.0
        for branch, extent in zip(fork.branches, extents, strict=True):
            note = NOTE + width(show(branch.output), SMALL) if branch.parts and _changes(branch.parts[-1]) else 0.0
            axes.append(x + extent.left)
            x += extent.left + max(extent.right, note) + BESIDE
        total, middle = x - BESIDE, (axes[0] + axes[-1]) / 2
        return [axis - middle for axis in axes], extents, middle, total - middle

    def _fork(self, fork: Fork, open_end: bool) -> Extent:
        axes, extents, left, right = self._axes(fork)
        tallest = max(extent.h for extent in extents)
        exits = tuple(axis + x for axis, extent in zip(axes, extents, strict=True) for x in extent.exits)
        if open_end:
            return Extent(left, right, FAN + tallest, FAN / 2, 0.0, False, exits)
        bar = width("concatenate", SMALL) / 2 + PAD
        return Extent(max(left, bar), max(right, bar), FAN + tallest + BETWEEN + BAR, FAN / 2, 0.0, False)

    def _sum(self, part: Sum) -> Extent:
        body, sides = self.row(part.body), self._sides(part)
        rows = [extent for _, extent, _ in sides]
        h = max([body.h, *(extent.h for extent in rows)]) + FAN + BETWEEN + 2 * CIRCLE
        right = max(axis + max(extent.right, note) for axis, extent, note in sides)
        return Extent(max(body.left, CIRCLE), max(right, body.right), h, FAN + body.enter, 0.0, body.head)

    def _sides(self, part: Sum) -> list[tuple[float, Extent, float]]:
        """For each shortcut: its axis right of the sum's, its extent, and the room for what is said beside it."""
        x, sides = self.row(part.body).right + 24.0, []
        for shortcut in part.shortcuts:
            extent, said = self.row(shortcut), _note(part, shortcut)
            note = NOTE + width(said, SMALL) if said else 0.0
            sides.append((x + extent.left, extent, note))
            x += extent.left + max(extent.right, note) + BESIDE
        return sides

    def place_row(self, row: Row, x: float, y: float, *, open_end: bool = False, framed: bool = False) -> None:
        for i, part in enumerate(row.parts):
            last = i == len(row.parts) - 1
            extent = self.part(part, open_end=open_end and last)
            self._place(part, x, y, open_end=open_end and last)
            if not last:
                after = self.part(row.parts[i + 1], open_end=open_end and i + 1 == len(row.parts) - 1)
                start, end = y + extent.h - extent.leave, y + extent.h + BETWEEN + after.enter
                self.picture.lines.append(Line(((x, start), (x, end)), after.head))
                if _noted(row, i, framed):
                    self._note(x, y + extent.h + BETWEEN / 2 - 2, show(part.output))
            y += extent.h + BETWEEN

    def _place(self, part: Part, x: float, y: float, *, open_end: bool) -> None:
        extent = self.part(part, open_end=open_end)
        match part:
            case Box():
                self._box(part, extent, x, y)
            case Fork():
                self._place_fork(part, x, y, open_end)
            case Sum():
                self._place_sum(part, extent, x, y)
            case Frame():
                style = "frame inner" if self.nesting % 2 else "frame"
                self.picture.frames.append(Rect(x - extent.left, y, extent.left + extent.right, extent.h, style))
                at = y + 15.0
                if part.title:
                    self._write(Text(x - extent.left + PAD, at, part.title, SMALL, "title", "start"))
                if part.times > 1:
                    self._write(Text(x + extent.right - PAD, at, f"×{part.times}", TEXT, "count", "end"))
                self.nesting += 1
                self.place_row(part.body, x, y + FRAME_TOP, framed=True)
                self.nesting -= 1

    def _box(self, box: Box, extent: Extent, x: float, y: float) -> None:
        self.picture.rects.append(Rect(x - extent.left, y, extent.left + extent.right, extent.h, box.style))
        middle, size = y + extent.h / 2, TEXT if box.style != "small" else SMALL
        self._write(Text(x, middle - (8.0 if box.small else 0.0), box.text, size, "name"))
        if box.small:
            self._write(Text(x, middle + 10.0, box.small, SMALL, "soft"))

    def _place_fork(self, fork: Fork, x: float, y: float, open_end: bool) -> None:
        axes, extents, *_ = self._axes(fork)
        split, top, tallest = y + FAN / 2, y + FAN, max(extent.h for extent in extents)
        bar = top + tallest + BETWEEN
        for axis, extent, branch in zip(axes, extents, fork.branches, strict=True):
            at, begin = x + axis, top + tallest - extent.h  # branches end level: what is concatenated stands in a line
            self.picture.lines.append(Line(((x, split), (at, split), (at, begin + extent.enter)), extent.head))
            self.place_row(branch, at, begin, open_end=True)
            if open_end:
                continue
            for exit_ in extent.exits:
                start = top + tallest - extent.leave if branch.parts else begin
                self.picture.lines.append(Line(((at + exit_, start), (at + exit_, bar))))
            if branch.parts and _changes(branch.parts[-1]) and len(extent.exits) == 1:
                self._note(at, top + tallest + BETWEEN / 2 - 2, show(branch.output))
        if not open_end:
            exits = [axis + exit_ for axis, extent in zip(axes, extents, strict=True) for exit_ in extent.exits]
            half = width("concatenate", SMALL) / 2 + PAD
            left, right = min(-half, exits[0] - 18.0), max(half, exits[-1] + 18.0)
            self.picture.rects.append(Rect(x + left, bar, right - left, BAR, "joint"))
            self._write(Text(x + (left + right) / 2, bar + BAR / 2, "concatenate", SMALL, "soft"))

    def _place_sum(self, part: Sum, extent: Extent, x: float, y: float) -> None:
        body = self.row(part.body)
        split, center = y + FAN / 2 - 3.0, y + extent.h - CIRCLE
        top, bottom = y + FAN, center - CIRCLE - BETWEEN
        self.place_row(part.body, x, top)
        self.picture.lines.append(Line(((x, top + body.h - body.leave), (x, center - CIRCLE))))
        self.picture.circles.append((x, center))
        for (axis, side, note), shortcut in zip(self._sides(part), part.shortcuts, strict=True):
            at, radius = x + axis, min(44.0, (center - split) / 2, axis)
            if not shortcut.parts:
                self._around(((x, split), (at, split), (at, center), (x + CIRCLE, center)), radius)
            else:
                start = (top + bottom - side.h) / 2
                radius = min(28.0, start - split, axis)
                self._around(((x, split), (at, split), (at, start + side.enter)), radius, side.head)
                self.place_row(shortcut, at, start)
                self._around(((at, start + side.h - side.leave), (at, center), (x + CIRCLE, center)), radius)
            if note:
                below = (bottom + center) / 2 - 6.0 if shortcut.parts else (split + center) / 2
                self._note(at, below, _note(part, shortcut))

    def _around(self, points: tuple[Point, ...], radius: float, head: bool = True) -> None:
        self.picture.lines.append(Line(points, head, radius, "shortcut"))

    def _note(self, x: float, y: float, text: str) -> None:
        self._write(Text(x + NOTE, y, text, SMALL, "shape", "start"))

    def _write(self, text: Text) -> None:
        self.picture.texts.append(text)


def _note(part: Sum, shortcut: Row) -> str:
    """Said beside a shortcut whose channels are repeated up to the sum's."""
    times = part.output[-1] // shortcut.output[-1]
    return f"channels ×{times}" if times > 1 else ""
