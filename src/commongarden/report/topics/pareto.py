"""What accuracy costs: test accuracy against seconds, inference and memory, and which arms are on the front."""

from __future__ import annotations

from typing import Any

import altair as alt

from commongarden.i18n.language import _
from commongarden.records import Estimate
from commongarden.report.charts import INK, SOFT, Chart, colour, domain_of, finished, in_hundredths, inline
from commongarden.report.charts.curves import faded
from commongarden.report.document import Legend, Paragraph, Plot, Section, SideBySide
from commongarden.report.wording import numbers, words
from commongarden.report.wording.labels import TEXT
from commongarden.stats import ArmResult, Results
from commongarden.stats.pareto import COSTS, Cost, Dominated, Front, front


def section(results: Results) -> Section | None:
    """A picture for each cost; None where no cost is known of two arms."""
    found = fronts(results)
    if not found:
        return None
    pictures = SideBySide(tuple((Plot(" ".join(said), (chart,)),) for chart, said in found))
    blocks = (Legend(), pictures, Paragraph(TEXT["cost_caption"], role="soft"))
    return Section(TEXT["cost"], blocks, anchor="cost")


def fronts(results: Results) -> list[tuple[Chart, list[str]]]:
    """For each cost that is known of two arms or more: the picture, and what it shows in sentences."""
    found = [front(results.arms, cost) for cost in COSTS]
    return [(_chart(results, item), sentences(item)) for item in found if item is not None]


def sentences(found: Front) -> list[str]:
    """Which arms are worth their cost, and which are surely not."""
    listed = numbers.listed(found.arms)
    said = {
        "seconds": _("Most accurate for its training time: {arms}."),
        "inference_ms": _("Most accurate for its inference time: {arms}."),
        "peak_memory_mb": _("Most accurate for its memory: {arms}."),
    }[found.cost].format(arms=listed)
    return [said, *(_behind(found.cost, arm) for arm in found.dominated if arm.surely)]


def _behind(cost: Cost, found: Dominated) -> str:
    return {
        "seconds": _("{arm} is less accurate than {by} and takes longer to train; the intervals overlap in neither."),
        "inference_ms": _("{arm} is less accurate than {by} and slower; the intervals overlap in neither."),
        "peak_memory_mb": _(
            "{arm} is less accurate and needs more memory than {by}; the intervals overlap in neither."
        ),
    }[cost].format(arm=found.arm, by=found.by)


def _chart(results: Results, found: Front) -> Chart:
    arms = [arm.arm for arm in results.arms]
    unit, size = _unit(results, found.cost)
    rows = [row for arm in results.arms if (row := _row(arm, found.cost, size, results.folds)) is not None]
    scale = alt.Scale(domain=arms, range=[colour(i) for i in range(len(arms))])
    line = 100 * results.commonest.accuracy
    spread = [row[key] for row in rows for key in ("value", "low", "high") if row[key] is not None]
    y_scale = alt.Scale(domain=domain_of([*spread, line], 0, 100), nice=False, zero=False)
    costs = [row[key] for row in rows for key in ("cost", "least", "most") if row[key] is not None]
    x_scale = alt.Scale(domain=_room(costs), nice=False, zero=False)
    x_axis, y_axis = alt.Axis(grid=False, tickCount=5), alt.Axis(tickCount=5)

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", title=unit, scale=x_scale, axis=x_axis)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=None, scale=y_scale, axis=y_axis)

    base = alt.Chart(inline(rows)).encode(opacity=faded(1, 0.12))
    stroke = alt.Stroke("arm:N", scale=scale, legend=None)
    told = [
        alt.Tooltip("arm:N", title=" "),
        alt.Tooltip("said:N", title=TEXT["test_accuracy"]),
        alt.Tooltip("cost:Q", title=unit, format=".3~r"),
    ]
    steps = [row for name in found.arms for row in rows if row["arm"] == name]
    layers = [
        alt.Chart(inline([{"value": line}])).mark_rule(stroke=SOFT, strokeDash=[4, 3]).encode(y=y("value")),
        alt.Chart(inline(steps))
        .mark_line(interpolate="step-after", stroke=INK, strokeWidth=1, opacity=0.45, fill=None)
        .encode(x=x("cost"), y=y("value")),
        base.mark_rule(strokeWidth=2, clip=True).encode(x=x("cost"), y=y("low"), y2=alt.Y2("high:Q"), stroke=stroke),
        base.mark_rule(strokeWidth=2, clip=True).encode(x=x("least"), x2=alt.X2("most:Q"), y=y("value"), stroke=stroke),
        base.mark_point(filled=True, size=110).encode(
            x=x("cost"), y=y("value"), fill=alt.Fill("arm:N", scale=scale, legend=None), tooltip=told
        ),
    ]
    title = TEXT[f"front_{found.cost}"]
    chart = alt.layer(*layers).add_params(alt.param(name="shown", value="")).properties(title=title)
    spoken = "; ".join(f"{row['arm']} {row['said']}: {row['cost']:.3g} {unit}" for row in rows)
    return finished(f"front_{found.cost}", chart, f"{title}. {spoken}.", 230)


def _unit(results: Results, cost: Cost) -> tuple[str, float]:
    if cost == "seconds":
        longest = max(arm.seconds.value for arm in results.arms if arm.seconds is not None)
        name, size = numbers.time_unit(longest)
        return f"{name} {TEXT['time_axis']}", size
    return TEXT[f"axis_{cost}"], 1.0


def _room(costs: list[float]) -> list[float]:
    low, high = min(costs), max(costs)
    room = 0.08 * (high - low) or 0.1 * high or 1.0
    return [max(0.0, low - room), high + room]


def _row(arm: ArmResult, cost: Cost, size: float, folds: int) -> dict[str, Any] | None:
    spent: Estimate | None = getattr(arm, cost)
    if spent is None or arm.test_accuracy is None:
        return None
    least, most = (None if bound is None else bound / size for bound in (spent.low, spent.high))
    return {
        "arm": arm.arm,
        "said": words.accuracy(arm.test_accuracy, folds),
        **in_hundredths(arm.test_accuracy),
        "cost": spent.value / size,
        "least": least,
        "most": most,
    }
