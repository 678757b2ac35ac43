"""The numbers behind the verdicts, all arms in one view, and metrics beyond accuracy: rows of text for the page."""

from __future__ import annotations

import math

from commongarden.records import Estimate
from commongarden.report.document import Block, Cell, Fold, Heading, Section, Table
from commongarden.report.wording import designs, numbers
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.sizes import figure, plus, span
from commongarden.report.wording.verdicts import probability
from commongarden.report.wording.verdicts import verdicts as ordered
from commongarden.stats import METRICS, Chances, ContrastResult, Results
from commongarden.study import Study

CONTRAST_COLUMNS = (
    "difference", "interval_95", "interval_adjusted", "interval_90", "p_t", "p_holm", "p_signflip",
    "p_permutation", "beats", "chances",
    "p_mcnemar", "sd_seed", "sd_photo", "sd_group",
)  # fmt: skip
METRIC_COLUMNS = ("test_accuracy", "balanced_accuracy", "log_loss", "calibration_error")


MOST_CLASSES = 8  # whose recalls have room beside each other on paper


def section(study: Study, results: Results) -> Section | None:
    """The numbers behind the verdicts, the arms in their order, other metrics; None where nothing has finished."""
    blocks = [*_contrasts(study, results), *_standings(results), *beyond(results)]
    return Section(TEXT["evidence"], tuple(blocks), anchor="evidence") if blocks else None


def columns(results: Results) -> list[str]:
    """Those of CONTRAST_COLUMNS that any contrast of the results has."""
    rows = [cells(found) for found in results.contrasts if found.p is not None]
    several = sum(found.level is not None for found in results.contrasts) > 1
    left_out = {"sd_photo" if results.n_test_groups else "sd_group"}
    if not several:
        left_out |= {"interval_adjusted", "p_holm"}
    return [name for name in CONTRAST_COLUMNS if name not in left_out and any(row[name] for row in rows)]


def _contrasts(study: Study, results: Results) -> list[Block]:
    contrasts = [found for found in ordered(results) if found.p is not None]
    if not contrasts:
        return []
    names, text = columns(results), designs.labels(TEXT, study.folds)
    if results.reference:
        text |= {"p_holm": TEXT["p_dunnett"], "evidence_caption": TEXT["evidence_caption_dunnett"]}
    rows: tuple[tuple[str | Cell, ...], ...] = tuple(
        (Cell(f"{found.arm} − {found.against}", arm=found.arm), *(row[name] for name in names))
        for found in contrasts
        for row in [cells(found)]
    )
    said = [text["evidence_caption"], *designs.between(study.vary, study.folds)]
    if not study.splits_vary:
        said.insert(1, TEXT["sd_group_caption" if results.n_test_groups else "sd_caption"])
    if "chances" in names:
        said.append(TEXT["chances_caption"])
    header = (TEXT["contrast"], *(text[name] for name in names))
    return [Table(f"{TEXT['evidence']}. {' '.join(said)}", header, rows, name=TEXT["evidence"])]


def beyond(results: Results, most_classes: float = math.inf) -> list[Fold]:
    """Each arm by the metrics beyond accuracy, and the recall of each class; nothing where no run has finished."""
    reached = [arm for arm in results.arms if arm.test_accuracy is not None]
    if not reached:
        return []
    text = designs.labels(TEXT, results.folds)
    header: tuple[str | Cell, ...] = (TEXT["arm"], *(Cell(text[name], TEXT[f"unit_{name}"]) for name in METRIC_COLUMNS))
    rows = [(arm.arm, [_two(name, getattr(arm, name)) for name in METRIC_COLUMNS]) for arm in reached]
    made = [_fold("metrics", header, rows)]
    first = next((arm.recalls for arm in reached if arm.recalls), ())
    if first and len(first) <= most_classes:
        rows = [
            (arm.arm, [_two("test_accuracy", recall.estimate) for recall in arm.recalls])
            for arm in reached
            if len(arm.recalls) == len(first)
        ]
        classes = (f"{recall.label} ({numbers.whole(recall.n_photos)})" for recall in first)
        made.append(_fold("recalls", (TEXT["arm"], *classes), rows))
    return made


def _fold(key: str, header: tuple[str | Cell, ...], rows: list[tuple[str, list[Cell]]]) -> Fold:
    table = tuple((Cell(arm, arm=arm), *row) for arm, row in rows)
    caption = f"{TEXT[key]}. {TEXT[f'{key}_caption']}"
    return Fold(TEXT[key], (Table(caption, header, table, name=TEXT[key]),))


def cells(found: ContrastResult) -> dict[str, str]:
    """One contrast's numbers as text, by column; empty where there is none."""
    metric, parts = found.metric, found.components
    sd_photo = "" if parts is None or parts.photo is None else figure(metric, parts.photo)
    return {
        "difference": plus(metric, found.difference.value) if found.difference else "",
        "interval_95": span(metric, found.difference),
        "interval_adjusted": span(metric, found.adjusted),
        "interval_90": span(metric, found.equivalence),
        "p_t": _p(found.p),
        "p_holm": _p(found.p_holm),
        "p_signflip": _p(found.p_signflip),
        "p_permutation": _p(found.p_permutation),
        "beats": "" if found.probability is None else _share(found.probability.value),
        "chances": _chances(found.chances),
        "p_mcnemar": _p(found.p_mcnemar),
        "sd_seed": "" if parts is None else figure(metric, parts.seed),
        "sd_photo": sd_photo,
        "sd_group": sd_photo,
    }


def _standings(results: Results) -> list[Block]:
    if len(results.standings) < 2:
        return []
    metric = results.metric
    rows = tuple(
        (
            Cell(found.arm, arm=found.arm),
            numbers.percent(found.reached) if METRICS[metric].unit == "points" else figure(metric, found.reached),
            "" if found.behind is None else plus(metric, found.behind.value),
            "" if found.behind is None else span(metric, found.behind),
            "" if found.probability_best is None else _share(found.probability_best),
        )
        for found in results.standings
    )
    keys = ("arm", metric if metric != "accuracy" else "test_accuracy", "behind", "interval_95", "probability_best")
    caption = f"{TEXT['standings']}. {TEXT['standings_caption']}"
    table = Table(caption, tuple(TEXT[key] for key in keys), rows, name=TEXT["standings"])
    return [Heading(TEXT["standings"]), table]


def _two(name: str, estimate: Estimate | None) -> Cell:
    metric = "accuracy" if name == "test_accuracy" else name
    return Cell("") if estimate is None else Cell(figure(metric, estimate.value), span(metric, estimate))


def _share(value: float) -> str:
    if 0 < value < 0.005:
        return "< 0.01"
    return "> 0.99" if 0.995 <= value < 1 else f"{value:.2f}"


def _chances(found: Chances | None) -> str:
    return "" if found is None else " / ".join(_share(each) for each in (found.worse, found.equivalent, found.better))


def _p(value: float | None) -> str:
    return "" if value is None else probability(value)
