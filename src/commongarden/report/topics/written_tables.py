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
    reached = _("Results: means over the finished runs, with 95 % intervals below them from two runs on.")
    costs = _(
        "Cost: inference time for one image at a time, peak memory of the training process, size of the "
        "stored weights, parameters, and multiply-adds (MACs) per image; FLOPs = 2 x MACs."
    )
    return tables.table(results, names, reached), tables.table(results, COST, costs, ("arm",))


def contrasts(results: Results) -> Table | None:
    """Every planned difference in the order planned, with what its verdict comes from; None where there is none."""
    if not results.contrasts:
        return None
    figures = ["difference", "interval_95", "interval_90"]
    if sum(contrast.level is not None for contrast in results.contrasts) > 1:
        figures.append("interval_adjusted")
    tests = ("p_signflip", "p_permutation")
    figures += [key for key in tests if any(getattr(found, key) is not None for found in results.contrasts)]
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
        "accuracy": _("Planned comparisons of test accuracy, in percentage points."),
        "balanced_accuracy": _("Planned comparisons of balanced test accuracy, in percentage points."),
        "log_loss": _("Planned comparisons of log loss on the test set, in nats."),
        "calibration_error": _("Planned comparisons of calibration error on the test set, in percentage points."),
    }[results.metric]
    if not any(found.adjusted is not None and found.adjusted.low is not None for found in results.contrasts):
        return said
    meaning = _(
        "95 %: the interval of one comparison; adjusted: for all comparisons, if there are several. "
        "Better or worse: the adjusted interval excludes 0. Equivalent: the interval for equivalence (two one-sided "
        "tests, adjusted for all comparisons) lies within {margin}."
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
        "not resolved": _("not significant"),
        "two seeds": _("two seeds"),
        "one seed": _("one seed"),
        "one photo": _("one image"),
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
    return Table(_("Published figures and those of this study."), header, rows)
