"""The section on the factors of a study: sentences on their effects, and the picture of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from commongarden.language import _
from commongarden.report import charts, effects
from commongarden.report.charts import Chart
from commongarden.report.numbers import signed_points
from commongarden.stats import Effect, Factorial, Results


@dataclass(frozen=True)
class Effects:
    """Sentences on main effects and on interactions, what must be said beside them, the picture."""

    main: tuple[str, ...]
    interactions: tuple[str, ...]
    notes: tuple[str, ...]
    chart: Chart | None


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
    )


def picture(found: Factorial) -> Chart | None:
    """Every effect with its interval beside zero, main effects first; None where none can be estimated."""
    rows: list[dict[str, Any]] = []
    for effect in found.effects:
        estimate = effect.adjusted
        if estimate is None:
            continue
        established = effect.outcome == "established"
        hue = charts.colour(0) if established else charts.SOFT
        below = "" if estimate.low is None or estimate.high is None else f" ({effects.interval(estimate)})"
        rows.append(
            {
                "row": len(rows),
                "label": _short(effect),
                "said": f"{signed_points(estimate.value)}{below}",
                "hue": hue,
                "fill": hue if established else charts.PAPER,
                "verdict": effects.sentence(effect, found),
                **charts.in_hundredths(estimate),
            }
        )
    if not rows:
        return None
    return charts.beside_zero("effects", rows, 400, " ".join(row["verdict"] for row in rows))


def _short(effect: Effect) -> str:
    return " × ".join(_("{factor} {level} − {against}").format(**vars(step)) for step in effect.steps)
