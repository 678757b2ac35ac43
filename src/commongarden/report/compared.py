"""The comparison and the contrasts as tables for a written report, and for LaTeX."""

from __future__ import annotations

from commongarden.language import _
from commongarden.report import numbers, tables
from commongarden.report.document import Table
from commongarden.report.labels import TEXT
from commongarden.stats import ContrastResult, Results

COST = ("inference_ms", "peak_memory_mb", "model_mb", "n_params", "macs")  # what a network costs, whatever it reaches


def comparison(results: Results) -> tuple[Table, Table]:
    """What each arm reached, with the line to beat, and what it costs."""
    names = [name for name in tables.columns(results) if name not in COST]
    reached = _table(
        results,
        names,
        _("Results: means over the finished seeds, below them 95 % intervals where there are two seeds or more."),
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
    header = [TEXT["arm"], *(_header(name) for name in names)]
    rows = [
        (row.name, *(_cell(name, row.values[name]) for name in names))
        for row in tables.rows(results)
        if commonest or row.kind == "arm"
    ]
    return Table(caption, tuple(header), tuple(rows))


def _header(name: str) -> str:
    unit = TEXT.get(f"unit_{name}", "")
    return f"{TEXT[name]}\n({unit})" if unit else TEXT[name]


def _cell(name: str, value: tables.Value) -> str:
    cell = tables.cell(name, value)
    return "\n".join(filter(None, (cell.text, cell.below)))


def contrasts(results: Results) -> Table | None:
    """Every planned difference in the order planned; None where there is none."""
    if not results.contrasts:
        return None
    header = (
        TEXT["arm"],
        TEXT["against"],
        f"{TEXT['difference']}\n({TEXT['unit_difference']})",
        TEXT["interval"],
        TEXT["seeds"],
        TEXT["outcome"],
    )
    rows = tuple(
        (contrast.arm, contrast.against, *_difference(contrast), outcome(contrast)) for contrast in results.contrasts
    )
    return Table(
        _("Planned differences in test accuracy: the first arm minus the second, in points, hundredths of the photos."),
        header,
        rows,
        n_left=2,
    )


def _difference(contrast: ContrastResult) -> tuple[str, str, str]:
    found = contrast.difference
    if found is None:
        return "", "", "0"
    interval = "" if found.low is None or found.high is None else numbers.span(found.low, found.high)
    return numbers.signed_points(found.value), interval, str(found.n)


def outcome(contrast: ContrastResult) -> str:
    """What a contrast allows one to say, in a word or two."""
    said = {
        "better": _("better"),
        "worse": _("worse"),
        "equivalent": _("equivalent"),
        "not resolved": _("not resolved"),
        "one seed": _("one seed"),
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
