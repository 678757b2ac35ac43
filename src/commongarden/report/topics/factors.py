"""The section on the factors of a study: sentences on their effects, and the picture of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from commongarden.i18n.language import _
from commongarden.report import charts
from commongarden.report.charts import Chart
from commongarden.report.wording import effects
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.verdicts import figure
from commongarden.stats import METRICS, Effect, Factorial, Results


@dataclass(frozen=True)
class Effects:
    """Sentences on main effects and on interactions, what must be said beside them, the picture."""

    main: tuple[str, ...]
    interactions: tuple[str, ...]
    notes: tuple[str, ...]
    chart: Chart | None
    caption: str


def section(results: Results) -> Effects | None:
    """The section of a factorial study; None for another one."""
    found = results.factorial
    if found is None:
        return None
    said = [(len(effect.steps), effects.sentence(effect, found)) for effect in found.effects]
    return Effects(
        main=tuple(sentence for n, sentence in said if n == 1),
        interactions=tuple(sentence for n, sentence in said if n > 1),
        notes=tuple(effects.notes(found)),
        chart=picture(found),
        caption=_caption(found),
    )


def picture(found: Factorial) -> Chart | None:
    """Every effect with its interval beside zero, main effects first; None where none can be estimated."""
    factor = 100 if METRICS[found.metric].unit == "points" else 1
    rows: list[dict[str, Any]] = []
    for effect in found.effects:
        estimate = effect.adjusted
        if estimate is None:
            continue
        established = effect.outcome == "established"
        hue = charts.colour(0) if established else charts.SOFT
        has_interval = estimate.low is not None and estimate.high is not None
        below = f" ({effects.interval(found.metric, estimate)})" if has_interval else ""
        value = figure(found.metric, estimate.value)
        rows.append(
            {
                "row": len(rows),
                "label": _short(effect, found),
                "said": f"{'+' if estimate.value > 0 and float(value) else ''}{value}{below}",
                "hue": hue,
                "fill": hue if established else charts.PAPER,
                "verdict": effects.sentence(effect, found),
                "value": factor * estimate.value,
                "low": None if estimate.low is None else factor * estimate.low,
                "high": None if estimate.high is None else factor * estimate.high,
            }
        )
    if not rows:
        return None
    title = TEXT["differences_axis" if found.metric == "accuracy" else f"differences_axis_{found.metric}"]
    return charts.beside_zero("effects", rows, title, " ".join(row["verdict"] for row in rows))


def _short(effect: Effect, found: Factorial) -> str:
    """An effect's label, short enough for a phone: levels are named where a factor has more than two."""
    sizes = {name: len(levels) for name, levels in found.factors}
    if len(effect.steps) == 1:
        return _("{factor}: {level}").format(factor=effect.steps[0].factor, level=effect.steps[0].level)
    joined = " × ".join(step.factor for step in effect.steps)
    if all(sizes[step.factor] == 2 for step in effect.steps):
        return joined
    return _("{factor}: {level}").format(factor=joined, level=", ".join(step.level for step in effect.steps))


def _caption(found: Factorial) -> str:
    side = "effects_right" if METRICS[found.metric].higher_is_better else "effects_left"
    return " ".join(TEXT[key] for key in ("effects_bar", side, "effects_colours"))
