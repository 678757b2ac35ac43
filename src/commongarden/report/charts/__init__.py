"""The charts, as Vega-Lite written with Altair: single views that are as wide as their place on the page.

Colours are custom properties of page.css ("var(--arm-0)"), so that one chart serves light and dark. An arm has one
colour, by its place in the study, in every chart. The page draws no legend inside a chart: its own one folds at
phone width and brings an arm forward through the parameter `shown`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from commongarden.i18n.language import _, ngettext
from commongarden.records import Estimate
from commongarden.report.document import Chart as Chart
from commongarden.report.wording import baselines, mistakes, numbers, sizes, verdicts, words
from commongarden.report.wording.labels import TEXT
from commongarden.stats import METRICS, ArmResult, ContrastResult, Results

N_COLOURS = 12  # --arm-0 to --arm-11 in page.css
N_SOLID = 6  # arms from here on are dashed, so that hue is not all that tells twelve lines apart
ROW = 50  # pixels for one row of the verdict pictures: a line of text, and the interval below it
INK, SOFT, PAPER = "var(--ink)", "var(--soft)", "var(--paper)"
Rows = list[dict[str, Any]]  # what is drawn, a row a mark


def colour(index: int) -> str:
    """The colour of the arm at this place in the study."""
    return f"var(--arm-{index % N_COLOURS})"


def dash(index: int) -> list[int]:
    """The dashes of that arm's lines."""
    return [1, 0] if index % N_COLOURS < N_SOLID else [6, 3]


def finished(
    name: str,
    layers: Sequence[alt.Chart],
    description: str,
    height: int,
    *,
    title: str = "",
    rows: Sequence[Mapping[str, Any]] | None = None,
    shown: bool = False,
) -> Chart:
    """The layers as a chart. rows: of the layers without data of their own. shown: whether an arm can be brought
    forward."""
    first = layers[0].add_params(alt.param(name="shown", value="")) if shown else layers[0]
    made = alt.layer(first, *layers[1:], data=alt.Undefined if rows is None else inline(rows))
    # checking takes a third of the page's time; a test holds all charts to the schema
    spec = made.to_dict(validate=False)
    for key in ("$schema", "config"):  # the page's script sets the look of all charts at once
        spec.pop(key, None)
    # set here, as each of Altair's methods copies the whole chart
    spec |= {"width": "container", "height": height} | ({"title": title} if title else {})
    spec["datasets"] = {key: list(values) for key, values in spec.get("datasets", {}).items()}
    return Chart(name, spec, description)


def inline(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    # a tuple: Altair copies lists, each time that a chart is made from another
    return alt.InlineData(values=tuple({key: _short(value) for key, value in row.items()} for row in rows))


def at(x: float | str) -> alt.XValue:
    """A place across the chart in pixels, or "width"."""
    return alt.XValue(x)  # type: ignore[no-untyped-call]


def _short(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value


def domain_of(values: Sequence[float], least: float, most: float) -> list[float]:
    """Room for all values, within what is possible."""
    low, high = max(min(values), least), min(max(values), most)
    room = 0.04 * (high - low) or 1.0
    return [max(low - room, least), min(high + room, most)]


# The answer


def _rows_chart(name: str, layers: list[alt.Chart], rows: int, description: str) -> Chart:
    return finished(name, layers, description, rows * ROW)


def down(n_rows: int) -> alt.Y:
    """The rows one below the other."""
    # a label above each interval, in place of an axis: long names of arms fit a phone
    band = alt.Scale(type="band", paddingInner=0, paddingOuter=0)
    return alt.Y("row:O", axis=None, sort=list(range(n_rows)), scale=band)


def row_labels(data: alt.InlineData, n_rows: int) -> list[alt.Chart]:
    """Its label above each row, and its figures beside that. data: row, label, said."""
    base, y = alt.Chart(data), down(n_rows)
    layers = []
    for halo in (True, False):  # the grid must not run through the words
        edge: dict[str, Any] = {"stroke": PAPER, "strokeWidth": 5, "strokeJoin": "round"} if halo else {}
        name = base.mark_text(align="left", dy=-9, fontSize=13, fill=INK, limit=alt.expr("width - 145"), **edge)
        value = base.mark_text(align="right", dy=-9, fontSize=13, fill=SOFT, **edge)
        layers += [
            name.encode(x=at(0), y=y, text=alt.Text("label:N")),
            value.encode(x=at("width"), y=y, text=alt.Text("said:N")),
        ]
    return layers


def across(domain: list[float], title: str, field: str) -> alt.X:
    """A scale across the chart for a field of the rows; title: of its axis."""
    axis = alt.Axis(title=title, grid=True, domain=False, ticks=False, tickCount=6)
    return alt.X(f"{field}:Q", axis=axis, scale=alt.Scale(domain=domain, nice=False, zero=False))


HUE = alt.Stroke("hue:N", scale=None)
VERDICT = alt.Tooltip("verdict:N", title=" ")


def differences(results: Results, contrasts: Sequence[ContrastResult]) -> Chart | None:
    """Each contrast's difference with its intervals, beside zero and the margin; None where no contrast has one.

    The wide pale bar is the interval that the verdict comes from (adjusted for all contrasts), the narrow one that of
    the contrast by itself; with a single contrast they are one.
    """
    place = {arm.arm: i for i, arm in enumerate(results.arms)}
    metric = METRICS[results.metric]
    factor = _factor(results.metric)
    rows: Rows = []
    for contrast in contrasts:
        found = contrast.difference
        if found is None:
            continue
        winner = {"better": contrast.arm, "worse": contrast.against}.get(contrast.outcome)
        hue = None if winner is None else colour(place[winner])
        names = f"{contrast.arm} − {contrast.against}"
        row = difference_row(results.metric, names, found, verdicts.beside(contrast), words.verdict(contrast), hue)
        wide = _scaled(contrast.adjusted or found, factor)
        rows.append({"row": len(rows), **row, "adjusted_low": wide["low"], "adjusted_high": wide["high"]})
    if not rows:
        return None
    ends = ("value", "low", "high", "adjusted_low", "adjusted_high")
    reach = [row[key] for row in rows for key in ends if row[key] is not None]
    has_intervals = any(row["low"] is not None for row in rows)
    band = [-factor * results.margin, factor * results.margin] if has_intervals else []
    domain = domain_of([*reach, *band, 0.0], *(factor * bound for bound in metric.spread_bounds))
    title = difference_axis(results.metric)
    layers = _intervals(rows, domain, title, 0)
    if sum(contrast.level is not None for contrast in contrasts) > 1:
        base = alt.Chart(inline(rows)).encode(y=down(len(rows)), tooltip=VERDICT)
        wide_bar = base.mark_rule(strokeWidth=9, strokeCap="butt", yOffset=10, clip=True, opacity=0.3)
        wide_bar = wide_bar.encode(x=across(domain, title, "adjusted_low"), x2=alt.X2("adjusted_high:Q"), stroke=HUE)
        layers.insert(1, wide_bar)
    if band:
        margin = alt.Chart(inline([{"value": band[0], "end": band[1]}])).mark_rect(fill=SOFT, opacity=0.13)
        layers.insert(0, margin.encode(x=across(domain, title, "value"), x2=alt.X2("end:Q")))
    description = " ".join(words.verdict(contrast) for contrast in contrasts if contrast.difference is not None)
    return _rows_chart("differences", layers, len(rows), description)


def _factor(metric: str) -> int:
    return 100 if METRICS[metric].unit == "points" else 1


def difference_axis(metric: str) -> str:
    """The title of an axis with differences of a metric."""
    return TEXT["differences_axis" if metric == "accuracy" else f"differences_axis_{metric}"]


def difference_row(
    metric: str, label: str, found: Estimate, said: str, verdict: str, hue: str | None
) -> dict[str, Any]:
    """A row of `beside_zero`. said: the figures beside the label; hue: where the difference is established."""
    marks = {"label": label, "said": said, "hue": hue or SOFT, "fill": hue or PAPER, "verdict": verdict}
    return {**marks, **_scaled(found, _factor(metric))}


def beside_zero(
    name: str, rows: Sequence[Mapping[str, Any]], title: str, description: str, zero_at: float = 0.0
) -> Chart:
    """Differences with their intervals beside zero, each row with its label above: label, said, value, low, high, hue,
    fill, and the verdict that is told of it. title: of the axis. zero_at: where there is no difference, 1 for ratios.
    """
    rows = [{"row": i, **row} for i, row in enumerate(rows)]
    reach = [row[key] for row in rows for key in ("value", "low", "high") if row[key] is not None]
    domain = domain_of([*reach, zero_at], -math.inf, math.inf)
    return _rows_chart(name, _intervals(rows, domain, title, zero_at), len(rows), description)


def _intervals(
    rows: Sequence[Mapping[str, Any]], domain: list[float], title: str, zero_at: float = 0.0
) -> list[alt.Chart]:
    """A line at zero, an interval and a point for each row, and their labels."""
    x = across(domain, title, "value")
    zero = alt.Chart(inline([{"value": zero_at}])).mark_rule(stroke=INK, strokeWidth=1).encode(x=x)
    data = inline(rows)
    base = alt.Chart(data).encode(y=down(len(rows)), tooltip=VERDICT)
    interval = base.mark_rule(strokeWidth=4, strokeCap="butt", yOffset=10, clip=True).encode(
        x=across(domain, title, "low"), x2=alt.X2("high:Q"), stroke=HUE
    )
    point = base.mark_point(filled=True, size=130, yOffset=10, opacity=1, strokeWidth=2.5).encode(
        x=x, fill=alt.Fill("fill:N", scale=None), stroke=HUE
    )
    return [zero, interval, point, *row_labels(data, len(rows))]


def accuracies(
    results: Results, seeds: Mapping[str, Sequence[float]], others: Sequence[ArmResult] = ()
) -> Chart | None:
    """Each arm's mean test accuracy with its interval, its seeds, its published figure, and the baselines. others: arms
    of which a row shows the means alone."""
    rows: Rows = []
    dots: Rows = []
    published: Rows = []
    for i, arm in enumerate(results.arms):
        if arm.test_accuracy is None:
            continue
        row = {"row": len(rows), "arm": arm.arm}
        if arm.published is not None:
            published.append({**row, "value": 100 * arm.published.test_accuracy})
        dots += [
            {**row, "value": 100 * value, "hue": colour(i), "label": arm.arm, "said": numbers.percent(value)}
            for value in seeds[arm.arm]
        ]
        span = sizes.span("accuracy", arm.test_accuracy)
        said = numbers.percent(arm.test_accuracy.value) + (f" ({span})" if span else "")
        label = {"label": arm.arm, "said": said, "hue": colour(i)}
        rows.append({**row, **label, **in_hundredths(arm.test_accuracy)})
    if not rows:
        return None
    simple = [
        {"row": len(rows) + i, "label": baselines.name(item), "value": 100 * item.test_accuracy}
        | {"said": numbers.percent(item.test_accuracy)}
        for i, item in enumerate(results.baselines)
    ]
    together: Rows = []
    n_rows = len(rows) + len(simple)
    if others:
        simple, together, n_rows = _with_others(simple, others, n_rows)
    layers = _accuracy_layers(results, rows, dots, published, simple, together)
    spoken = "; ".join(
        [f"{arm.arm} {words.accuracy(arm.test_accuracy, results.folds)}" for arm in results.arms]
        + [f"{item['label']} {item['said']}" for item in simple]
    )
    line_said = f"{words.commonest_line(results.commonest)} {numbers.percent(results.commonest.accuracy)}"
    return _rows_chart("accuracies", [*layers, *row_labels(inline(rows), n_rows)], n_rows, f"{spoken}; {line_said}.")


def _with_others(simple: Rows, others: Sequence[ArmResult], n_rows: int) -> tuple[Rows, Rows, int]:
    """A row more, for arms that have none of their own: below the others, above the simple methods."""
    at = n_rows - len(simple)
    name = ngettext("{n} other model", "{n} other models", len(others)).format(n=numbers.whole(len(others)))
    means = [(arm.arm, arm.test_accuracy.value) for arm in others if arm.test_accuracy is not None]
    together = [
        {"row": at, "label": arm, "value": 100 * value, "said": numbers.percent(value), "hue": SOFT}
        for arm, value in means
    ]
    low, high = (numbers.percent(end(value for _arm, value in means)) for end in (min, max))
    together[0] |= {"named": name, "reach": _("{low} to {high}").format(low=low, high=high)}
    return [{**row, "row": row["row"] + 1} for row in simple], together, n_rows + 1


def _accuracy_layers(
    results: Results, rows: Rows, dots: Rows, published: Rows, simple: Rows, together: Rows
) -> list[alt.Chart]:
    """The marks: of the arms, their seeds, their published figures, the arms without a row of their own, and the simple
    methods."""
    line, n_rows = 100 * results.commonest.accuracy, len(rows) + len(simple) + bool(together)
    reach = [row[key] for row in rows for key in ("value", "low", "high") if row[key] is not None]
    domain = domain_of([*reach, line, *(row["value"] for row in (*dots, *published, *simple, *together))], 0, 100)
    title = TEXT["accuracies_axis"]
    x, y = across(domain, title, "value"), down(n_rows)
    fill = alt.Fill("hue:N", scale=None)
    told = [alt.Tooltip("label:N", title=" "), alt.Tooltip("said:N", title=TEXT["test_accuracy"])]
    rule = alt.Chart(inline([{"value": line}])).mark_rule(stroke=INK, strokeDash=[4, 3]).encode(x=x)
    base = alt.Chart(inline(rows))
    interval = base.mark_rule(strokeWidth=6, strokeCap="round", yOffset=10, clip=True, opacity=0.35).encode(
        x=across(domain, title, "low"), x2=alt.X2("high:Q"), y=y, stroke=HUE, tooltip=told
    )
    edged: dict[str, Any] = {"filled": True, "yOffset": 10, "opacity": 1, "stroke": PAPER, "strokeWidth": 1}
    seed = alt.Chart(inline(dots)).mark_point(size=40, **edged).encode(x=x, y=y, fill=fill, tooltip=told)
    mean = base.mark_point(size=150, **edged).encode(x=x, y=y, fill=fill, tooltip=told)
    several = len(dots) > len(rows)
    layers = [rule, interval, mean, seed] if several else [rule, mean]
    if published:
        diamond = alt.Chart(inline(published)).mark_point(
            filled=False, shape="diamond", size=110, yOffset=10, stroke=INK, strokeWidth=1.6, opacity=1
        )
        figure = [alt.Tooltip("arm:N", title=" "), alt.Tooltip("value:Q", title=TEXT["published"], format=".1f")]
        layers.append(diamond.encode(x=x, y=y, tooltip=figure))
    if together:
        points = alt.Chart(inline(together)).mark_point(size=40, filled=True, yOffset=10, opacity=0.45, strokeWidth=0)
        head = [{"row": row["row"], "label": row["named"], "said": row["reach"]} for row in together[:1]]
        layers += [points.encode(x=x, y=y, fill=fill, tooltip=told), *row_labels(inline(head), n_rows)]
    if simple:
        hollow = alt.Chart(inline(simple)).mark_point(
            filled=True, size=110, yOffset=10, opacity=1, fill=PAPER, stroke=SOFT, strokeWidth=2
        )
        best = max(results.baselines, key=lambda item: item.val_accuracy)
        dotted = alt.Chart(inline([{"value": 100 * best.test_accuracy}])).mark_rule(stroke=SOFT, strokeDash=[1.5, 3])
        layers = [dotted.encode(x=x), *layers, hollow.encode(x=x, y=y, tooltip=told)]
        layers += row_labels(inline(simple), n_rows)
    return layers


def in_hundredths(estimate: Estimate) -> dict[str, float | None]:
    return _scaled(estimate, 100)


def _scaled(estimate: Estimate, factor: float) -> dict[str, float | None]:
    return {
        "value": factor * estimate.value,
        "low": None if estimate.low is None else factor * estimate.low,
        "high": None if estimate.high is None else factor * estimate.high,
    }


# Confusion


def confusion(name: str, arm: str, classes: Sequence[str], shares: Sequence[Sequence[float]]) -> Chart:
    """shares[true][called] as a heat map, with numbers where the cells have room for them."""
    n = len(classes)
    rows = [
        {"is": true, "called": called, "share": 100 * share}
        for true, row in zip(classes, shares, strict=True)
        for called, share in zip(classes, row, strict=True)
    ]
    cell = 40 if n <= 6 else 30 if n <= 12 else 16
    level = n * max(map(len, classes)) <= 36  # letters that fit below the matrix at phone width
    label: dict[str, Any] = {
        "labelOverlap": False, "labelLimit": 90, "domain": False, "ticks": False, "labelPadding": 5, "labelFontSize": 11
    }  # fmt: skip
    slanted = alt.Axis(labelAngle=0 if level else -45, **label)
    padding = alt.Scale(paddingInner=0.04, paddingOuter=0)
    x = alt.X("called:N", title=TEXT["called"], sort=list(classes), scale=padding, axis=slanted)
    y = alt.Y("is:N", title=TEXT["is"], sort=list(classes), scale=padding, axis=alt.Axis(**label))
    base = alt.Chart(inline(rows)).encode(x=x, y=y)
    told = [
        alt.Tooltip("is:N", title=TEXT["is"]),
        alt.Tooltip("called:N", title=TEXT["called"]),
        alt.Tooltip("share:Q", title=TEXT["share"], format=".1f"),
    ]
    strength = alt.FillOpacity("share:Q", scale=alt.Scale(domain=[0, 100], range=[0.05, 1]), legend=None)
    layers: list[alt.Chart] = [base.mark_rect(fill="var(--heat)").encode(fillOpacity=strength, tooltip=told)]
    if n <= 12:
        number = base.mark_text(fontSize=12 if n <= 6 else 10).encode(
            text=alt.Text("share:Q", format=".0f"),
            fill=alt.FillValue(INK, condition={"test": "datum.share > 55", "value": "var(--heat-ink)"}),
        )
        layers.append(number)
    description = f"{arm}: {mistakes.mistaken(classes, shares)}"
    return finished(name, layers, description, cell * n)


def worst_classes(shares: Sequence[Sequence[float]], most: int = 30) -> list[int]:
    """Places of the classes that a matrix can show: all, or those most often mistaken, in their order."""
    worst = sorted(range(len(shares)), key=lambda i: shares[i][i])[:most]
    return sorted(worst)
