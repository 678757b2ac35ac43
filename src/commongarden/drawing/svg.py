"""The drawing as SVG: readable in the light and in the dark, by eye and by ear, in a page or by itself."""

from __future__ import annotations

import hashlib
from html import escape

from commongarden.arch import Node, Shape, label
from commongarden.drawing.layout import CIRCLE, Line, Picture, Rect, Text, lay_out, show
from commongarden.drawing.letters import FONTS
from commongarden.drawing.parts import Box, Fork, Frame, Part, Row, Sum, parts_of
from commongarden.i18n.language import _

STYLE = """
svg.network {
  --paper: #fefefc; --ink: #1b1e23; --soft: #565d66; --edge: #6d747c; --shortcut: #b4500c;
  --frame: #f4f4ef; --frame-edge: #d5d5cc; --joint: #e9e9e3; --joint-edge: #9a9f95;
  --conv: #e1edf7; --conv-edge: #2f7fb5; --pool: #dff1ea; --pool-edge: #2c9574;
  --dense: #ece7f6; --dense-edge: #7d66ae;
  --small: #fdf3dc; --small-edge: #b98d1c; --group: #eef1f4; --group-edge: #7b848e;
}
@media (prefers-color-scheme: dark) {
  svg.network {
    --paper: #16181b; --ink: #e9e9e6; --soft: #aab1b9; --edge: #8f979f; --shortcut: #f0955a;
    --frame: #1d2024; --frame-edge: #3a3f45; --joint: #2a2e33; --joint-edge: #6b727a;
    --conv: #17303f; --conv-edge: #4aa0d4; --pool: #15332a; --pool-edge: #35b08b;
    --dense: #2a2340; --dense-edge: #9d88d2;
    --small: #342b13; --small-edge: #c9a03a; --group: #262b31; --group-edge: #858e98;
  }
}
svg.network text { fill: var(--ink); dominant-baseline: central; }
svg.network .soft, svg.network .title { fill: var(--soft); }
svg.network .shape { fill: var(--soft); font-variant-numeric: tabular-nums; }
svg.network .count { font-weight: bold; }
svg.network .background { fill: var(--paper); }
svg.network .end { fill: none; stroke: none; }
svg.network .frame { fill: var(--frame); stroke: var(--frame-edge); }
svg.network .inner { fill: var(--paper); }
svg.network .joint { fill: var(--joint); stroke: var(--joint-edge); }
svg.network .conv { fill: var(--conv); stroke: var(--conv-edge); }
svg.network .pool { fill: var(--pool); stroke: var(--pool-edge); }
svg.network .dense { fill: var(--dense); stroke: var(--dense-edge); }
svg.network .small { fill: var(--small); stroke: var(--small-edge); }
svg.network .group { fill: var(--group); stroke: var(--group-edge); }
svg.network .edge, svg.network .shortcut { fill: none; stroke: var(--edge); stroke-width: 1.3; }
svg.network .shortcut { stroke: var(--shortcut); stroke-width: 1.6; }
svg.network .edge-head { fill: var(--edge); }
svg.network .shortcut-head { fill: var(--shortcut); }
svg.network .sum { fill: var(--paper); stroke: var(--ink); stroke-width: 1.3; }
svg.network .plus { stroke: var(--ink); stroke-width: 1.3; }
"""
CORNERS = {"frame": 10, "frame inner": 8, "joint": 5, "small": 13, "end": 0}
HEAD = 6.5


def svg(network: Node, input: Shape, *, depth: int | None = None, title: str = "") -> str:
    """The network as an SVG document, input at the top, output at the bottom.

    depth: how many levels of blocks are drawn, from 1; what lies deeper is one box. None draws all.
    title: what the drawing is called; the network's own name unless given. Raises ArchError.
    """
    parts = parts_of(network, input, None if depth is None else depth - 1)
    return _write(lay_out(parts, "output"), title or label(network), _say(parts))


def _write(picture: Picture, title: str, description: str) -> str:
    name = hashlib.sha256(f"{title}{description}".encode()).hexdigest()[:8]  # so that one page can hold several
    w, h = _n(picture.w), _n(picture.h)
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="network" width="{w}" height="{h}" viewBox="0 0 {w} {h}" '
        f'font-family="{escape(FONTS)}" role="img" aria-labelledby="title-{name} description-{name}">',
        f'<title id="title-{name}">{escape(title)}</title>',
        f'<desc id="description-{name}">{escape(description)}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="background" width="{w}" height="{h}"/>',
        *map(_rect, picture.frames),
        *map(_line, picture.lines),
        *map(_rect, picture.rects),
        *(_circle(x, y) for x, y in picture.circles),
        *map(_text, picture.texts),
        "</svg>",
    ]
    return "\n".join(body) + "\n"


def _rect(rect: Rect) -> str:
    x, y, w, h = map(_n, (rect.x, rect.y, rect.w, rect.h))
    return f'<rect class="{rect.style}" x="{x}" y="{y}" width="{w}" height="{h}" rx="{CORNERS.get(rect.style, 5)}"/>'


def _text(text: Text) -> str:
    anchor = "" if text.anchor == "start" else f' text-anchor="{text.anchor}"'
    return (
        f'<text class="{text.style}" x="{_n(text.x)}" y="{_n(text.y)}" font-size="{_n(text.size)}"{anchor}>'
        f"{escape(text.text)}</text>"
    )


def _circle(x: float, y: float) -> str:
    arm = CIRCLE - 3.5
    return (
        f'<circle class="sum" cx="{_n(x)}" cy="{_n(y)}" r="{_n(CIRCLE)}"/>'
        f'<path class="plus" d="M{_n(x - arm)} {_n(y)}h{_n(2 * arm)}M{_n(x)} {_n(y - arm)}v{_n(2 * arm)}"/>'
    )


def _line(line: Line) -> str:
    """Straight pieces joined by arcs; the line ends where its head begins."""
    points = [point for i, point in enumerate(line.points) if i == 0 or point != line.points[i - 1]]
    (x0, y0), (x1, y1) = points[-2:]
    length = abs(x1 - x0) + abs(y1 - y0)
    dx, dy = ((x1 - x0) / length, (y1 - y0) / length) if length else (0.0, 1.0)
    head = ""
    if line.head:
        points[-1] = (x1 - dx * HEAD * 0.8, y1 - dy * HEAD * 0.8)
        wing = HEAD * 0.5
        back_x, back_y = x1 - dx * HEAD, y1 - dy * HEAD
        head = (
            f'<path class="{line.style}-head" d="M{_n(x1)} {_n(y1)}'
            f'L{_n(back_x + dy * wing)} {_n(back_y + dx * wing)}L{_n(back_x - dy * wing)} {_n(back_y - dx * wing)}z"/>'
        )
    way = f"M{_n(points[0][0])} {_n(points[0][1])}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(line.radius, _distance(before, corner), _distance(corner, after))
        way += f"L{_at(corner, before, radius)}"
        turn = (corner[0] - before[0]) * (after[1] - corner[1]) - (corner[1] - before[1]) * (after[0] - corner[0])
        way += f"A{_n(radius)} {_n(radius)} 0 0 {int(turn > 0)} {_at(corner, after, radius)}"
    return f'<path class="{line.style}" d="{way}L{_n(points[-1][0])} {_n(points[-1][1])}"/>{head}'


def _distance(one: tuple[float, float], two: tuple[float, float]) -> float:
    return abs(one[0] - two[0]) + abs(one[1] - two[1])


def _at(corner: tuple[float, float], towards: tuple[float, float], radius: float) -> str:
    far = _distance(corner, towards) or 1.0
    x = corner[0] + (towards[0] - corner[0]) * radius / far
    y = corner[1] + (towards[1] - corner[1]) * radius / far
    return f"{_n(x)} {_n(y)}"


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _say(row: Row) -> str:
    """The drawing in words, for those who hear it."""
    return _("Input {input}; {row}; output {output}.").format(
        input=show(row.input), row=_said_row(row), output=show(row.output)
    )


def _said_row(row: Row) -> str:
    return "; ".join(map(_said, row.parts)) or _("the input itself")


def _said(part: Part) -> str:
    match part:
        case Box():
            return f"{part.text} ({part.small})" if part.small else part.text
        case Fork(branches=branches):
            return _("{n} branches, concatenated: {branches}").format(
                n=len(branches), branches=" | ".join(f"[{_said_row(row)}]" for row in branches)
            )
        case Sum(body=body, shortcuts=shortcuts):
            said = [f"[{_said_row(row)}]" if row.parts else _("the input") for row in shortcuts]
            if not said:
                return f"[{_said_row(body)}]"
            around = said[0]
            for one in said[1:]:
                around = _("{first} and {last}").format(first=around, last=one)
            return _("[{body}] added to {around}").format(body=_said_row(body), around=around)
        case Frame():
            title = part.title or _("block")
            if part.times > 1:
                title = _("{title}, {n} times").format(title=title, n=part.times)
            return f"{title}: {{{_said_row(part.body)}}}"
