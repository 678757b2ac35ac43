"""Accuracy against what it costs: a point a model with its name beside it, axes that fit the points."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt

from commongarden.i18n.language import _
from commongarden.report.charts import INK, PAPER, SOFT, Chart, colour, domain_of, finished, inline
from commongarden.report.charts.curves import faded
from commongarden.report.wording.labels import TEXT

Rows = Sequence[Mapping[str, Any]]
NARROW, HEIGHT = 270, 230  # pixels: the narrowest place of such a chart, between its axes
LETTER, LINE = 7.2, 15  # pixels of the names
LONGEST = 150  # pixels of a name; what is longer ends in dots
COVERED = 30.0  # square pixels of points and other names that a name may lie on
SIDES: dict[
    str, tuple[Literal["left", "right", "center"], int, int]
] = {  # alignment of a name and its distance from the point, in the order of preference
    "right": ("left", 9, -9),
    "left": ("right", -9, -9),
    "below right": ("left", 9, 11),
    "below left": ("right", -9, 11),
    "above right": ("left", 3, -20),
    "above left": ("right", -3, -20),
    "below further right": ("left", 3, 22),
    "below further left": ("right", -3, 22),
    "above": ("center", 0, -16),
    "below": ("center", 0, 18),
}


def chart(
    name: str,
    rows: Rows,
    arms: Sequence[str],
    front: Sequence[str],
    unit: str,
    line: float,
    *,
    logarithmic: bool,
    title: str = "",
    measure: str = "",
) -> Chart:
    """rows: arm, value, low, high (of the accuracy, in hundredths), cost, least, most, said, spent.

    arms: those with a name and a colour, in the order of their colours; the other rows are points alone. front: those
    that the thin line joins. line: the accuracy of always guessing the commonest class, drawn where it is near them.
    title: of the chart [the label of its name]; measure: what the accuracy is of [test accuracy].
    """
    domain, room = _accuracy_domain(rows, line), _cost_domain(rows, logarithmic=logarithmic)
    if logarithmic:
        unit = _("{unit}, log scale").format(unit=unit)
    x, y = _axes(domain, room, unit, logarithmic=logarithmic)
    scale = alt.Scale(domain=list(arms), range=[colour(i) for i in range(len(arms))])
    told = [
        alt.Tooltip("arm:N", title=" "),
        alt.Tooltip("said:N", title=measure or TEXT["test_accuracy"]),
        alt.Tooltip("spent:N", title=unit),
    ]
    unnamed, every = [row for row in rows if row["arm"] not in arms], rows
    rows = [row for row in rows if row["arm"] in arms]
    base = alt.Chart(inline(rows)).encode(opacity=faded(1, 0.12), tooltip=told)
    stroke = alt.Stroke("arm:N", scale=scale, legend=None)
    joined = [row for arm in front for row in every if row["arm"] == arm]
    layers = [
        alt.Chart(inline(joined))
        .mark_line(interpolate="step-after", stroke=INK, strokeWidth=1, opacity=0.45, fill=None)
        .encode(x=x("cost"), y=y("value")),
        base.mark_rule(strokeWidth=2, clip=True).encode(x=x("cost"), y=y("low"), y2=alt.Y2("high:Q"), stroke=stroke),
        base.mark_rule(strokeWidth=2, clip=True).encode(x=x("least"), x2=alt.X2("most:Q"), y=y("value"), stroke=stroke),
        base.mark_point(filled=True, size=110).encode(
            x=x("cost"), y=y("value"), fill=alt.Fill("arm:N", scale=scale, legend=None)
        ),
    ]
    if unnamed:
        small = alt.Chart(inline(unnamed)).mark_point(size=36, filled=True, fill=SOFT, opacity=0.45, strokeWidth=0)
        layers.insert(1, small.encode(x=x("cost"), y=y("value"), tooltip=told))
    if domain[0] <= line <= domain[1]:
        rule = alt.Chart(inline([{"value": line}])).mark_rule(stroke=SOFT, strokeDash=[4, 3])
        layers.insert(0, rule.encode(y=y("value")))
    spots = _spots(rows, domain, room, logarithmic=logarithmic)
    points = layers.pop()
    halo: dict[str, Any] = {"stroke": PAPER, "strokeWidth": 4, "strokeJoin": "round"}
    for edge in (halo, {}):  # the halo hides lines and no points
        for side, there in _sides(rows, spots, front).items():
            align, dx, dy = SIDES[side]
            text = alt.Chart(inline(there)).mark_text(
                align=align, dx=dx, dy=dy, fontSize=12, fill=INK, limit=LONGEST, **edge
            )
            layers.append(text.encode(x=x("cost"), y=y("value"), text=alt.Text("arm:N"), opacity=faded(1, 0.12)))
        if edge:
            layers.append(points)
    title = title or TEXT[name]
    spoken = "; ".join(f"{row['arm']} {row['said']}: {row['spent']} {unit}" for row in rows)
    return finished(name, layers, f"{title}. {spoken}.", HEIGHT, title=title, shown=True)


def _axes(domain: list[float], room: list[float], unit: str, *, logarithmic: bool) -> tuple[Any, Any]:
    kind: Any = "log" if logarithmic else "linear"
    x_scale = alt.Scale(type=kind, domain=room, nice=False, zero=False if not logarithmic else alt.Undefined)
    y_scale = alt.Scale(domain=domain, nice=False, zero=False)
    short = f"format(datum.value, '{'~s' if room[1] >= 10_000 else '~g'}')"
    x_axis = alt.Axis(grid=False, values=ticks(*room, logarithmic=logarithmic), labelExpr=short, labelOverlap=True)
    y_axis = alt.Axis(tickCount=5)

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", title=unit, scale=x_scale, axis=x_axis)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=None, scale=y_scale, axis=y_axis)

    return x, y


def ticks(low: float, high: float, *, logarithmic: bool) -> list[float]:
    """Round numbers within an axis, three to seven of them where its length allows that.

    >>> ticks(17.5, 33, logarithmic=True), ticks(900, 2_400_000, logarithmic=True)
    ([20, 25, 30], [1000, 10000, 100000, 1000000])
    """
    if logarithmic and high / low >= 8:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for factors in ((1,), (1, 3), (1, 2, 5)):
            found = [factor * 10.0**decade for decade in decades for factor in factors]
            found = [_round(value) for value in found if low <= value <= high]
            if len(found) >= 3:
                return found[:: math.ceil(len(found) / 7)]
    size = 10.0 ** math.floor(math.log10((high - low) / 8))
    for step in (size, 2 * size, 2.5 * size, 5 * size, 10 * size, 20 * size):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < 6:
            return [_round(i * step) for i in range(first, last + 1)]
    return [_round(low), _round(high)]


def _round(value: float) -> float:
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() else short


def _accuracy_domain(rows: Rows, line: float) -> list[float]:
    """All points and their intervals, and the line where it lies near them.

    Intervals that are much longer than the points are apart, as two seeds give them, are cut.
    """
    means = [row["value"] for row in rows]
    most = max(15.0, 1.5 * (max(means) - min(means)))
    ends = [row[key] for row in rows for key in ("low", "high") if row[key] is not None]
    reach = [*means, *(min(max(end, min(means) - most), max(means) + most) for end in ends)]
    if min(reach) - line <= 0.35 * (max(reach) - min(reach)):
        reach.append(line)
    return domain_of(reach, 0, 100)


def _cost_domain(rows: Rows, *, logarithmic: bool) -> list[float]:
    means = [row["cost"] for row in rows]
    ends = [row[key] for row in rows for key in ("least", "most") if row[key] is not None]
    if logarithmic:
        apart = max(3.0, max(means) / min(means))
        reach = [*means, *(min(max(end, min(means) / apart), max(means) * apart) for end in ends)]
        room = max((max(reach) / min(reach)) ** 0.08, 1.05)
        return [min(reach) / room, max(reach) * room]
    most = max(0.5 * max(means), max(means) - min(means))
    reach = [*means, *(min(max(end, min(means) - most), max(means) + most) for end in ends)]
    space = 0.08 * (max(reach) - min(reach)) or 0.1 * max(reach) or 1.0
    return [max(0.0, min(reach) - space), max(reach) + space]


# Names beside the points


Box = tuple[float, float, float, float]  # left, top, right, bottom


def _spots(rows: Rows, domain: list[float], room: list[float], *, logarithmic: bool) -> list[tuple[Box, Box, Box]]:
    """For each row the boxes of its point and of its two intervals, in pixels."""

    def across(cost: float) -> float:
        low, high, value = (*room, cost)
        if logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(max(cost, low))
        return NARROW * min(max((value - low) / (high - low), 0.0), 1.0)

    def down(value: float) -> float:
        return HEIGHT * min(max((domain[1] - value) / (domain[1] - domain[0]), 0.0), 1.0)

    spots = []
    for row in rows:
        x, y = across(row["cost"]), down(row["value"])
        least, most = (across(row["cost"] if row[key] is None else row[key]) for key in ("least", "most"))
        top, bottom = (down(row["value"] if row[key] is None else row[key]) for key in ("high", "low"))
        spots.append(((x - 6, y - 6, x + 6, y + 6), (x - 1, top, x + 1, bottom), (least, y - 1, most, y + 1)))
    return spots


def _sides(rows: Rows, spots: Sequence[tuple[Box, Box, Box]], front: Sequence[str]) -> dict[str, list[Any]]:
    """For each side of its point the rows whose name stands there: where it covers least, those on the front first.

    A name that would cover points or names has no side: pressing or hovering tells whose the point is.
    """
    lines = [box for _point, *intervals in spots for box in intervals]
    taken = [point for point, *_intervals in spots]
    sides: dict[str, list[Any]] = {}
    for row, (point, *_intervals) in sorted(
        zip(rows, spots, strict=True), key=lambda item: item[0]["arm"] not in front
    ):
        boxes = {side: _box(row["arm"], point[0] + 6, point[1] + 6, side) for side in SIDES}
        hidden = {side: _covered(box, taken) + _outside(box) for side, box in boxes.items()}
        best = min(boxes, key=lambda side: hidden[side] + _covered(boxes[side], lines))
        if hidden[best] < COVERED:
            taken.append(boxes[best])
            sides.setdefault(best, []).append(row)
    return sides


def _box(name: str, x: float, y: float, side: str) -> Box:
    align, dx, dy = SIDES[side]
    wide = min(LETTER * len(name), LONGEST)
    left = x + dx - {"left": 0.0, "right": wide, "center": wide / 2}[align]
    return left, y + dy - LINE / 2, left + wide, y + dy + LINE / 2


def _covered(box: Box, taken: Sequence[Box]) -> float:
    """How much of a name lies on something else, in square pixels."""
    left, top, right, bottom = box
    over = 0.0
    for other in taken:
        wide, high = min(right, other[2]) - max(left, other[0]), min(bottom, other[3]) - max(top, other[1])
        over += max(wide, 0.0) * max(high, 0.0)
    return over


def _outside(box: Box) -> float:
    """How much of a name lies outside the chart."""
    left, top, right, bottom = box
    across = max(-left, 0.0) + max(right - NARROW, 0.0)
    return LINE * across + (right - left) * (max(-top - LINE, 0.0) + max(bottom - HEIGHT, 0.0))
