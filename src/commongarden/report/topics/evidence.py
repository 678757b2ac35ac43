"""The numbers behind the verdicts, all arms in one view, and metrics beyond accuracy: rows of text for the page."""

from __future__ import annotations

from dataclasses import dataclass

from commongarden.i18n.language import _
from commongarden.records import Estimate
from commongarden.report.wording import numbers
from commongarden.report.wording.verdicts import figure, probability
from commongarden.report.wording.verdicts import verdicts as ordered
from commongarden.stats import METRICS, ContrastResult, Results

CONTRAST_COLUMNS = (
    "difference", "interval_95", "interval_adjusted", "interval_90", "p_t", "p_holm", "p_signflip", "beats",
    "p_mcnemar", "sd_seed", "sd_photo", "sd_group",
)  # fmt: skip
METRIC_COLUMNS = ("test_accuracy", "balanced_accuracy", "log_loss", "calibration_error")


@dataclass(frozen=True)
class Section:
    """contrasts: (arm, against, cells). standings: (arm, cells). metrics: (arm, cells of value and interval).
    recalls: class names with their photos, and (arm, cells). grouped: groups of photos are the unit."""

    contrast_columns: tuple[str, ...]
    contrasts: list[tuple[str, str, dict[str, str]]]
    standings: list[tuple[str, list[str]]]
    metric_columns: tuple[str, ...]
    metrics: list[tuple[str, list[tuple[str, str]]]]
    classes: list[str]
    recalls: list[tuple[str, list[tuple[str, str]]]]
    grouped: bool = False


def section(results: Results) -> Section:
    """All rows, in the order of the verdicts and of the study's arms."""
    contrasts = [(found.arm, found.against, cells(found)) for found in ordered(results) if found.p is not None]
    several = sum(found.level is not None for found in results.contrasts) > 1
    columns = [
        name for name in CONTRAST_COLUMNS if any(row[name] for _, _, row in contrasts)
        and (several or name not in ("interval_adjusted", "p_holm"))
        and name != ("sd_photo" if results.n_test_groups else "sd_group")
    ]  # fmt: skip
    reached = [arm for arm in results.arms if arm.test_accuracy is not None]
    with_recalls = [arm for arm in reached if arm.recalls]
    first = with_recalls[0].recalls if with_recalls else ()
    return Section(
        tuple(columns),
        contrasts,
        _standings(results),
        METRIC_COLUMNS,
        [(arm.arm, [_two(name, getattr(arm, name)) for name in METRIC_COLUMNS]) for arm in reached],
        [f"{recall.label} ({numbers.whole(recall.n_photos)})" for recall in first],
        [
            (arm.arm, [_two("test_accuracy", recall.estimate) for recall in arm.recalls])
            for arm in with_recalls
            if len(arm.recalls) == len(first)
        ],
        bool(results.n_test_groups),
    )


def cells(found: ContrastResult) -> dict[str, str]:
    """One contrast's numbers as text, by column; empty where there is none."""
    metric, parts = found.metric, found.components
    sd_photo = "" if parts is None or parts.photo is None else figure(metric, parts.photo)
    return {
        "difference": _signed(metric, found.difference.value if found.difference else None),
        "interval_95": _span(metric, found.difference),
        "interval_adjusted": _span(metric, found.adjusted),
        "interval_90": _span(metric, found.equivalence),
        "p_t": _p(found.p),
        "p_holm": _p(found.p_holm),
        "p_signflip": _p(found.p_signflip),
        "beats": "" if found.probability is None else _share(found.probability.value),
        "p_mcnemar": _p(found.p_mcnemar),
        "sd_seed": "" if parts is None else figure(metric, parts.seed),
        "sd_photo": sd_photo,
        "sd_group": sd_photo,
    }


def _standings(results: Results) -> list[tuple[str, list[str]]]:
    if len(results.standings) < 2:
        return []
    metric = results.metric
    return [
        (
            found.arm,
            [
                numbers.percent(found.reached) if METRICS[metric].unit == "points" else figure(metric, found.reached),
                "" if found.behind is None else _signed(metric, found.behind.value),
                "" if found.behind is None else _span(metric, found.behind),
                "" if found.probability_best is None else _share(found.probability_best),
            ],
        )
        for found in results.standings
    ]


def _two(name: str, estimate: Estimate | None) -> tuple[str, str]:
    metric = "accuracy" if name == "test_accuracy" else name
    return ("", "") if estimate is None else (figure(metric, estimate.value), _span(metric, estimate))


def _signed(metric: str, value: float | None) -> str:
    if value is None:
        return ""
    text = figure(metric, value)
    return f"+{text}" if value > 0 and float(text) != 0 else text


def _span(metric: str, estimate: Estimate | None) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return _("{low} to {high}").format(low=figure(metric, estimate.low), high=figure(metric, estimate.high))


def _share(value: float) -> str:
    if 0 < value < 0.005:
        return "< 0.01"
    return "> 0.99" if 0.995 <= value < 1 else f"{value:.2f}"


def _p(value: float | None) -> str:
    return "" if value is None else probability(value)
