"""The comparison and the contrasts as tables for a written report, and for LaTeX."""

from __future__ import annotations

from commongarden.i18n.language import _
from commongarden.report.document import Table
from commongarden.report.topics import evidence, tables
from commongarden.report.wording import designs, numbers, verdicts
from commongarden.report.wording.labels import TEXT
from commongarden.stats import ContrastResult, Results

COST = ("inference_ms", "peak_memory_mb", "model_mb", "n_params", "macs")  # what a network costs, whatever it reaches
MOST_CLASSES = 8  # whose recalls have room beside each other on a page


def comparison(results: Results) -> tuple[Table, Table]:
    """What each arm reached, with the line to beat, and what it costs."""
    names = [name for name in tables.columns(results) if name not in COST]
    reached = _table(
        results,
        names,
        _("Results: means over the finished runs, below them 95 % intervals where there are two runs or more."),
        commonest=True,
    )
    costs = _table(
        results,
        list(COST),
        _(
            "Cost: milliseconds for one photo at a time, peak memory of the training process, size of the stored "
            "weights, parameters, and multiply-adds (MACs) for one photo; FLOPs = 2 x MACs."
        ),
        commonest=False,
    )
    return reached, costs


def _table(results: Results, names: list[str], caption: str, *, commonest: bool) -> Table:
    header = [TEXT["arm"], *(_header(name, results.folds) for name in names)]
    rows = [
        (row.name, *(_cell(name, row.values[name]) for name in names))
        for row in tables.rows(results)
        if commonest or row.kind == "arm"
    ]
    return Table(caption, tuple(header), tuple(rows))


def _header(name: str, folds: int) -> str:
    said, unit = designs.labels(TEXT, folds)[name], TEXT.get(f"unit_{name}", "")
    return f"{said}\n({unit})" if unit else said


def _cell(name: str, value: tables.Value) -> str:
    cell = tables.cell(name, value)
    return "\n".join(filter(None, (cell.text, cell.below)))


def contrasts(results: Results) -> Table | None:
    """Every planned difference in the order planned, with what its verdict comes from; None where there is none."""
    if not results.contrasts:
        return None
    names = {"interval_95": TEXT["interval_95"], "interval_90": TEXT["interval_90"]}
    if sum(contrast.level is not None for contrast in results.contrasts) > 1:
        names["interval_adjusted"] = TEXT["interval_adjusted"]
    if any(contrast.p_signflip is not None for contrast in results.contrasts):
        names["p_signflip"] = TEXT["p_signflip"]
    header = (
        TEXT["arm"],
        TEXT["against"],
        TEXT["outcome"],
        TEXT["difference"],
        *names.values(),
        _header("seeds", results.folds),
    )
    rows = tuple(
        (
            found.arm,
            found.against,
            outcome(found),
            cells["difference"],
            *(cells[name] for name in names),
            n_pairs(found),
        )
        for found in results.contrasts
        for cells in [evidence.cells(found)]
    )
    return Table(_contrasts_caption(results), header, rows, n_left=3)


def _contrasts_caption(results: Results) -> str:
    said = {
        "accuracy": _("Planned differences in test accuracy, in points (hundredths of the photos)."),
        "balanced_accuracy": _("Planned differences in balanced test accuracy, in points (hundredths)."),
        "log_loss": _("Planned differences in log loss on the test part, in nats."),
        "calibration_error": _("Planned differences in calibration error on the test part, in points (hundredths)."),
    }[results.metric]
    if not any(found.adjusted is not None and found.adjusted.low is not None for found in results.contrasts):
        return said
    size = verdicts.margin(results.metric, results.margin)
    return " ".join(
        (
            said,
            _(
                "95 %, 90 %: intervals by themselves; adjusted: for all contrasts, where there are several. Better or "
                "worse: the adjusted interval excludes 0. Equivalent: the 90 % interval lies within {margin}."
            ).format(margin=size),
        )
    )


def n_pairs(contrast: ContrastResult) -> str:
    """How many seeds or folds have finished with both arms."""
    return str(0 if contrast.difference is None else contrast.difference.n)


def metrics(results: Results) -> tuple[Table, ...]:
    """Each arm by the metrics beyond accuracy, and the recall of each class; nothing where no run has finished."""
    found = evidence.section(results)
    made = []
    if found.metrics:
        header = (TEXT["arm"], *(_header(name, results.folds) for name in found.metric_columns))
        rows = tuple((arm, *("\n".join(filter(None, cell)) for cell in cells)) for arm, cells in found.metrics)
        made.append(Table(f"{TEXT['metrics']}. {TEXT['metrics_caption']}", header, rows))
    if found.recalls and len(found.classes) <= MOST_CLASSES:
        rows = tuple((arm, *("\n".join(filter(None, cell)) for cell in cells)) for arm, cells in found.recalls)
        made.append(Table(f"{TEXT['recalls']}. {TEXT['recalls_caption']}", (TEXT["arm"], *found.classes), rows))
    return tuple(made)


def outcome(contrast: ContrastResult) -> str:
    """What a contrast allows one to say, in a word or two."""
    said = {
        "better": _("better"),
        "worse": _("worse"),
        "equivalent": _("equivalent"),
        "not resolved": _("not resolved"),
        "one seed": _("one seed"),
        "one photo": _("one photo"),
        "one group": _("one group"),
        "no pairs": _("no pairs"),
    }
    return said.get(contrast.outcome, contrast.outcome)


def published(results: Results) -> Table | None:
    """Published figures beside the study's own; None where there are none."""
    rows = tuple(
        (
            arm.arm,
            numbers.hundredths(arm.published.test_accuracy),
            _cell("test_accuracy", arm.test_accuracy),
            "" if arm.published.seconds is None else numbers.number(arm.published.seconds),
            "" if arm.seconds is None else _cell("seconds", arm.seconds),
        )
        for arm in results.arms
        if arm.published is not None
    )
    if not rows:
        return None
    header = (
        TEXT["arm"],
        _("published accuracy\n(%)"),
        _("accuracy in this study\n(%)"),
        _("published training\n(s)"),
        _("training in this study\n(s)"),
    )
    return Table(_("Published figures beside those of this study."), header, rows)
