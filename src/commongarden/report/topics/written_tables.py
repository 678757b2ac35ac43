"""The comparison and the contrasts as tables for a written report, and for LaTeX."""

from __future__ import annotations

from commongarden.i18n.language import _
from commongarden.report.document import Table
from commongarden.report.topics import evidence, tables
from commongarden.report.wording import designs, numbers, sizes
from commongarden.report.wording.labels import TEXT
from commongarden.stats import ContrastResult, Results

COST = ("inference_ms", "peak_memory_mb", "model_mb", "n_params", "macs")  # what a network costs, whatever it reaches


def comparison(results: Results) -> tuple[Table, Table]:
    """What each arm reached, with the line to beat, and what it costs: on paper there is no room for one table."""
    names = [name for name in tables.columns(results) if name not in COST]
    reached = _("Results: means over the finished runs, below them 95 % intervals where there are two runs or more.")
    costs = _(
        "Cost: milliseconds for one image at a time, peak memory of the training process, size of the stored "
        "weights, parameters, and multiply-adds (MACs) for one image; FLOPs = 2 x MACs."
    )
    return tables.table(results, names, reached), tables.table(results, COST, costs, ("arm",))


def contrasts(results: Results) -> Table | None:
    """Every planned difference in the order planned, with what its verdict comes from; None where there is none."""
    if not results.contrasts:
        return None
    figures = ["difference", "interval_95", "interval_90"]
    if sum(contrast.level is not None for contrast in results.contrasts) > 1:
        figures.append("interval_adjusted")
    if any(contrast.p_signflip is not None for contrast in results.contrasts):
        figures.append("p_signflip")
    text = designs.labels(TEXT, results.folds)
    header = tuple(text[key] for key in ("arm", "against", "outcome", *figures, "seeds"))
    rows = tuple(
        (found.arm, found.against, outcome(found), *(cells[name] for name in figures), n_pairs(found))
        for found in results.contrasts
        for cells in [evidence.cells(found)]
    )
    return Table(_contrasts_caption(results), header, rows, n_left=3)


def _contrasts_caption(results: Results) -> str:
    said = {
        "accuracy": _("Planned differences in test accuracy, in points (hundredths of the images)."),
        "balanced_accuracy": _("Planned differences in balanced test accuracy, in points (hundredths)."),
        "log_loss": _("Planned differences in log loss on the test part, in nats."),
        "calibration_error": _("Planned differences in calibration error on the test part, in points (hundredths)."),
    }[results.metric]
    if not any(found.adjusted is not None and found.adjusted.low is not None for found in results.contrasts):
        return said
    meaning = _(
        "95 %, 90 %: intervals by themselves; adjusted: for all contrasts, where there are several. Better or worse: "
        "the adjusted interval excludes 0. Equivalent: the 90 % interval lies within {margin}."
    ).format(margin=sizes.margin(results.metric, results.margin))
    return f"{said} {meaning}"


def n_pairs(contrast: ContrastResult) -> str:
    """How many seeds or folds have finished with both arms."""
    return str(0 if contrast.difference is None else contrast.difference.n)


def outcome(contrast: ContrastResult) -> str:
    """What a contrast allows one to say, in a word or two."""
    return {
        "better": _("better"),
        "worse": _("worse"),
        "equivalent": _("equivalent"),
        "not resolved": _("not resolved"),
        "one seed": _("one seed"),
        "one photo": _("one photo"),
        "one group": _("one group"),
        "no pairs": _("no pairs"),
    }[contrast.outcome]


def published(results: Results) -> Table | None:
    """Published figures beside the study's own; None where there are none."""
    rows = tuple(
        (
            arm.arm,
            numbers.hundredths(arm.published.test_accuracy),
            tables.cell("test_accuracy", arm.test_accuracy),
            "" if arm.published.seconds is None else numbers.number(arm.published.seconds),
            tables.cell("seconds", arm.seconds),
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
