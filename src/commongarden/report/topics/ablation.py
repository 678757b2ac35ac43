"""The section on a network that is taken apart: what each of its parts is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from commongarden.i18n.language import _
from commongarden.report import charts
from commongarden.report.charts import Chart
from commongarden.report.topics.part_contributions import COLUMNS, cells, name, question, sentence, unit
from commongarden.report.wording import numbers
from commongarden.report.wording.labels import TEXT
from commongarden.stats import METRICS, PartContributions, Results


@dataclass(frozen=True)
class Section:
    """lead: what is established or equivalent, a sentence each; rest: what is not resolved. rows: a part, and a value
    with what stands below it for each of COLUMNS."""

    question: str
    lead: tuple[str, ...]
    rest: str
    chart: Chart | None
    caption: str
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    notes: str


def section(results: Results) -> Section | None:
    """The section of a study that takes a network apart; None for another one."""
    found = results.worth
    if found is None:
        return None
    settled = [part for part in found.parts if part.outcome in ("better", "worse", "equivalent")]
    rest = [name(part) for part in found.parts if part.outcome == "not resolved"]
    waiting = [name(part) for part in found.parts if part.outcome in ("one seed", "one photo", "one group", "no pairs")]
    said = [_("Not resolved: {parts}.").format(parts=numbers.listed(rest))] if rest else []
    if waiting:
        said.append(_("Not judged yet, for want of runs: {parts}.").format(parts=numbers.listed(waiting)))
    return Section(
        question(found),
        tuple(sentence(part, results) for part in settled),
        " ".join(said),
        picture(results, found),
        " ".join(TEXT[key] for key in ("worth_bar", _side(results), "effects_colours")),
        tuple((name(part), cells(part, results)) for part in found.parts),
        TEXT["worth_caption"],
    )


def picture(results: Results, found: PartContributions) -> Chart | None:
    """Every part with its interval beside zero, the most valuable first; None where no run has finished."""
    factor = 100 if METRICS[results.metric].unit == "points" else 1
    order = [arm.arm for arm in results.arms]
    rows: list[dict[str, Any]] = []
    for part in found.parts:
        estimate = part.adjusted or part.difference
        if estimate is None:
            continue
        established = part.outcome in ("better", "worse")
        better = found.arm if part.outcome == "better" else part.arm
        hue = charts.colour(order.index(better)) if established else charts.SOFT
        value, below = cells(part, results)[0]
        rows.append(
            {
                "row": len(rows),
                "label": name(part),
                "said": f"{value} ({below})" if below else value,
                "hue": hue,
                "fill": hue if established else charts.PAPER,
                "verdict": sentence(part, results),
                "value": factor * estimate.value,
                "low": None if estimate.low is None else factor * estimate.low,
                "high": None if estimate.high is None else factor * estimate.high,
            }
        )
    if not rows:
        return None
    title = TEXT["differences_axis" if results.metric == "accuracy" else f"differences_axis_{results.metric}"]
    return charts.beside_zero("worth", rows, title, " ".join(row["verdict"] for row in rows))


def _side(results: Results) -> str:
    return "worth_right" if METRICS[results.metric].higher_is_better else "worth_left"


def units(results: Results) -> dict[str, str]:
    """The unit of each of COLUMNS."""
    return {key: unit(key, results) for key in COLUMNS}
