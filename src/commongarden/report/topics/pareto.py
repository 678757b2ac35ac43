"""What accuracy costs: test accuracy against time, size and memory, and which arms are on the front."""

from __future__ import annotations

from typing import Any

from commongarden.i18n.language import _
from commongarden.report.charts import Chart, costs, in_hundredths
from commongarden.report.document import Legend, Paragraph, Plot, Section, SideBySide
from commongarden.report.wording import numbers, sweeps, words
from commongarden.report.wording.labels import TEXT
from commongarden.stats import ArmResult, Results
from commongarden.stats.foremost import foremost
from commongarden.stats.pareto import COSTS, EXACT, Cost, Dominated, Front, cost_of, decided, front


def section(results: Results) -> Section | None:
    """A picture for each cost; None where no cost is known of two arms."""
    found = fronts(results)
    if not found:
        return None
    pictures = SideBySide(tuple((Plot(" ".join(said), (chart,)),) for chart, said in found), "matrices", 320)
    blocks = (Legend(), pictures, Paragraph(TEXT["cost_caption"], role="soft"))
    return Section(TEXT["cost"], blocks, anchor="cost")


def fronts(results: Results) -> list[tuple[Chart, list[str]]]:
    """For each cost that is known of two arms or more: the picture, and what it shows in sentences."""
    worse = decided(results.contrasts)
    found = [front(results.arms, cost, worse) for cost in COSTS]
    told = foremost(results)
    return [(_chart(results, told, item), sentences(item, told)) for item in found if item is not None]


def sentences(found: Front, told: Results) -> list[str]:
    """Which arms are on the front by their means, and which are significantly less accurate and cost more.
    told: the results of the arms that are told of one by one."""
    named = {arm.arm for arm in told.arms}
    listed = sweeps.some(found.arms)
    said = {
        "seconds": _("By the means, most accurate for its training time: {arms}."),
        "inference_ms": _("By the means, most accurate for its inference time: {arms}."),
        "n_params": _("By the means, most accurate for its number of parameters: {arms}."),
        "macs": _("By the means, most accurate for its MACs: {arms}."),
        "peak_memory_mb": _("By the means, most accurate for its memory: {arms}."),
    }[found.cost].format(arms=listed)
    return [said, *(_behind(found.cost, arm) for arm in found.dominated if arm.surely and arm.arm in named)]


def _behind(cost: Cost, found: Dominated) -> str:
    return {
        "seconds": _(
            "{arm} is significantly less accurate than {by} and takes longer to train (exploratory: the 95 % "
            "intervals of the times do not overlap)."
        ),
        "inference_ms": _(
            "{arm} is significantly less accurate than {by} and slower at inference (exploratory: the 95 % "
            "intervals of the times do not overlap)."
        ),
        "n_params": _("{arm} is significantly less accurate than {by} and has more parameters."),
        "macs": _("{arm} is significantly less accurate than {by} and needs more MACs."),
        "peak_memory_mb": _(
            "{arm} is significantly less accurate than {by} and needs more memory (exploratory: the 95 % "
            "intervals do not overlap)."
        ),
    }[cost].format(arm=found.arm, by=found.by)


def _chart(results: Results, told: Results, found: Front) -> Chart:
    unit, size = _unit(results, found.cost)
    rows = [row for arm in results.arms if (row := _row(arm, found.cost, size, results.folds)) is not None]
    names, line = [arm.arm for arm in told.arms], 100 * results.commonest.accuracy
    return costs.chart(
        f"front_{found.cost}", rows, names, found.arms, unit, line, logarithmic=found.cost != "peak_memory_mb"
    )


def _unit(results: Results, cost: Cost) -> tuple[str, float]:
    if cost == "seconds":
        longest = max(arm.seconds.value for arm in results.arms if arm.seconds is not None)
        name, size = numbers.time_unit(longest)
        return f"{name} {TEXT['time_axis']}", size
    return TEXT[f"axis_{cost}"], 1.0


def _row(arm: ArmResult, cost: Cost, size: float, folds: int) -> dict[str, Any] | None:
    spent = cost_of(arm, cost)
    if spent is None or arm.test_accuracy is None:
        return None
    value, *ends = (None if bound is None else bound / size for bound in (spent.value, spent.low, spent.high))
    least, most = (None, None) if cost in EXACT else ends
    return {
        "arm": arm.arm,
        "said": words.accuracy(arm.test_accuracy, folds),
        **in_hundredths(arm.test_accuracy),
        "cost": value,
        "least": least,
        "most": most,
        "spent": _spent(cost, value, least, most),
    }


def _spent(cost: Cost, value: float | None, least: float | None, most: float | None) -> str:
    assert value is not None
    if cost in EXACT:
        return numbers.short(round(value))
    if least is None or most is None:
        return numbers.number(value)
    span = _("{low} to {high}").format(low=numbers.number(least, value), high=numbers.number(most, value))
    return f"{numbers.number(value)} ({span})"
