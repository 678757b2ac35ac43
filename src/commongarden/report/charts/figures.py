"""The page's charts and the networks' drawings as pictures for paper: SVG that stands by itself, and PNG of it.

What the page leaves to the browser is settled here: custom properties have the values of the light scheme, widths are
numbers, and a chart that needs a legend brings its own.
"""

from __future__ import annotations

import copy
import functools
import html
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from commongarden import drawing
from commongarden.arch import Node, Shape
from commongarden.report.charts import Chart
from commongarden.report.document import scripts

PAPER = "#ffffff"
WIDTH = 640  # pixels of a chart as wide as the text
FONT = (
    "Liberation Sans, Arial, Helvetica, Malgun Gothic, Noto Sans CJK KR, Noto Sans KR, Apple SD Gothic Neo, sans-serif"
)
AXIS = {
    "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "titlePadding": 8, "labelPadding": 6,
    "tickSize": 4,
}  # fmt: skip
LEGEND = {
    "orient": "bottom", "title": None, "columns": 4, "labelFontSize": 12, "labelLimit": 300, "symbolSize": 160,
    "symbolType": "stroke", "symbolOpacity": 1, "symbolStrokeWidth": 2.4,
}  # fmt: skip


def chart(made: Chart) -> str:
    """A chart of the page as SVG."""
    return _svg({**made.spec, "width": WIDTH})


def charts(made: Sequence[Chart]) -> str:
    """Several charts with a line an arm, two beside each other, above one legend, as SVG."""
    if len(made) == 1:
        return _svg({**_with_legend(made[0].spec), "width": WIDTH})
    parts = [{**_with_legend(one.spec), "width": (WIDTH - 70) // 2, "height": 190} for one in made]
    return _svg(_beside(parts))


def panels(made: Sequence[Chart]) -> str:
    """Charts of one legend, which they bring themselves, two beside each other, as SVG."""
    parts = [{**one.spec, "width": (WIDTH - 70) // 2 if len(made) > 1 else WIDTH} for one in made]
    return _svg(_beside(parts))


def _beside(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for part in parts:  # what a view of several has once, at its top
        values |= part.pop("datasets", {})
    return {"concat": list(parts), "columns": 2, "spacing": 30, "datasets": values}


def block(node: Node, input: Shape, title: str, depth: int | None = None) -> str:
    """The drawing of a network, or of a block of it, as SVG."""
    return on_paper(drawing.svg(node, input, depth=depth, title=title))


def png(svg: str, pixels: int) -> bytes:
    """The picture, `pixels` wide."""
    import vl_convert

    width = float(re.search(r'<svg[^>]* width="([\d.]+)"', svg)[1])  # type: ignore[index]
    made: bytes = vl_convert.svg_to_png(svg, scale=pixels / width)
    return made


def size(svg: str) -> tuple[float, float]:
    """Width and height in CSS pixels."""
    found = re.search(r'<svg[^>]* width="([\d.]+)" height="([\d.]+)"', svg)
    assert found is not None
    return float(found[1]), float(found[2])


def on_paper(svg: str) -> str:
    """A drawing whose style follows the page's scheme, in the colours of the light one and with no others."""
    head, opened, rest = svg.partition("<style>")
    style, closed, tail = rest.partition("</style>")
    light = re.sub(r"@media[^{]*\{.*?\n\}\n", "", style, flags=re.DOTALL)
    values = dict(re.findall(r"--([\w-]+): ([^;]+);", light)) | {"paper": PAPER}
    bare = re.sub(r"--[\w-]+: [^;]+;\s?", "", light)
    painted = re.sub(r"var\(--([\w-]+)\)", lambda found: values[found[1]], bare)
    return f"{head}{opened}{painted}{closed}{tail}"


def _with_legend(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The chart with a legend, and without what brings an arm forward on the page."""
    made = copy.deepcopy(dict(spec))
    made.pop("params", None)
    values = [row["value"] for rows in made.get("datasets", {}).values() for row in rows if "low" not in row]
    for layer in made["layer"]:
        encoding = layer["encoding"]
        low, high = encoding["y"]["scale"]["domain"]
        spans = not {"x2", "y2"}.isdisjoint(encoding)  # an interval may be cut at the chart's edge
        if (
            values and low <= min(values) and max(values) <= high and not spans
        ):  # resvg takes seconds to clip what need not be
            layer["mark"].pop("clip", None)
        for channel in ("stroke", "strokeDash"):
            if "scale" in (encoding.get(channel) or {}):
                encoding[channel]["legend"] = LEGEND
        if faded := encoding.pop("opacity", None):  # of strokes alone: to blend whole lines takes resvg seconds
            layer["mark"]["strokeOpacity"] = faded["condition"]["value"]
    return made


def _svg(spec: dict[str, Any]) -> str:
    import vl_convert

    colours = _colours()
    axis = {
        **AXIS, "labelColor": colours["soft"], "titleColor": colours["soft"], "gridColor": colours["line"],
        "domainColor": colours["line"], "tickColor": colours["line"],
    }  # fmt: skip
    config = {
        "background": colours["paper"], "font": FONT, "axis": axis, "axisY": {"domain": False, "ticks": False},
        "view": {"stroke": None}, "point": {"strokeWidth": 1.5}, "padding": 8,
        "title": {"color": colours["ink"], "fontSize": 13, "fontWeight": 600, "anchor": "start", "frame": "group",
                  "offset": 10},
    }  # fmt: skip
    made: str = vl_convert.vegalite_to_svg(_painted(spec, colours), vl_version=scripts.vega_lite(), config=config)
    return made


def _painted(value: Any, colours: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _painted(part, colours) for key, part in value.items()}
    if isinstance(value, list):
        return [_painted(part, colours) for part in value]
    if isinstance(value, str):
        found = re.fullmatch(r"var\(--([\w-]+)\)", value)
        return colours[found[1]] if found else value
    return value


@functools.cache
def _colours() -> dict[str, str]:
    """The page's custom properties in the light scheme."""
    css = (resources.files("commongarden.report.document") / "page.css").read_text(encoding="utf-8")
    found = dict(re.findall(r"--([\w-]+): ([^;]+);", css[css.index(":root") : css.index("@media")]))
    return {**found, "paper": PAPER}


def said(svg: str) -> str:
    """A drawing in words: the description that it carries."""
    found = re.search(r"<desc[^>]*>(.*?)</desc>", svg, flags=re.DOTALL)
    return html.unescape(found[1]) if found else ""


def width_on_page(svg: str) -> float:
    """The share of the text's width at which a drawing's letters are about as large as the text's."""
    wide, high = size(svg)
    return min(1.0, wide / 860, 620 / high * wide / 860)
