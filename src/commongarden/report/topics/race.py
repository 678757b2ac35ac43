"""What is said of a race: each look while it runs, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from commongarden.i18n.language import _, ngettext
from commongarden.records import Run
from commongarden.report.document import Block, Paragraph, Section, Table
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.numbers import hundredths
from commongarden.stats import raced
from commongarden.stats.raced import Raced
from commongarden.stats.racing import InterimResult
from commongarden.store import Store


def look_told(found: Raced, number: int) -> str:
    """What a look settled, told while the study runs."""
    look = found.race.looks[number]
    settled = [settlement(row, look.n_seeds) for row in look.contrasts if row.decision != "open"]
    n_open = sum(row.decision == "open" for row in look.contrasts)
    still = ngettext(
        "after {seeds} seeds {n} difference is open", "after {seeds} seeds {n} differences are open", n_open
    ).format(seeds=look.n_seeds, n=n_open)
    return "\n".join([*settled, still]) if n_open else "\n".join(settled)


def settlement(row: InterimResult, n_seeds: int) -> str:
    """When and how a contrast was settled."""
    texts = {
        "better": _("{arm} against {against} was settled after {n} seeds: {arm} is better."),
        "worse": _("{arm} against {against} was settled after {n} seeds: {arm} is worse."),
        "equivalent": _("{arm} against {against} was settled after {n} seeds: they are equivalent within the margin."),
        "photos": _("{arm} against {against} was stopped after {n} seeds: only more test images could settle it."),
        "open": _("{arm} against {against} was not settled with {n} seeds."),
    }
    return texts[row.decision].format(arm=row.arm, against=row.against, n=n_seeds)


def told(found: Raced) -> list[str]:
    """How a race ended: what was settled when, what was saved, what is left of the budget."""
    return [*(settlement(row, n) for row, n in found.race.last_looks.values()), *_ended(found)]


def _ended(found: Raced) -> Iterator[str]:
    for arm, n in found.race.stopped:
        yield ngettext(
            "{arm} has no more runs after {n} seed, because all its comparisons were settled.",
            "{arm} has no more runs after {n} seeds, because all its comparisons were settled.",
            n,
        ).format(arm=arm, n=n)
    if n := found.n_saved:
        said = ngettext("{n} of {most} runs was saved.", "{n} of {most} runs were saved.", n)
        yield said.format(n=n, most=found.n_most)
    if found.end == "under way":
        n = len(found.race.needed)
        yield ngettext(
            "Not finished: the next analysis needs {n} more run.",
            "Not finished: the next analysis needs {n} more runs.",
            n,
        ).format(n=n)
    if found.budget:
        yield _budget(found)


def _budget(found: Raced) -> str:
    in_runs = found.budget.endswith(("run", "runs"))
    left, n = max(found.left or 0.0, 0.0), len(found.race.needed)
    figures = {"budget": found.budget, "used": f"{found.used:,.0f}", "left": f"{left:,.0f}", "n": n}
    if found.end == "budget" and in_runs:
        text = _(
            "Of the budget of {budget}, {used} runs are used and {left} are left; the next analysis needs {n} more."
        )
    elif found.end == "budget":
        text = _(
            "Of the budget of {budget}, {used} s are used and {left} s are left, too few for the {n} runs of "
            "the next analysis."
        )
    elif in_runs:
        text = _("Of the budget of {budget}, {used} runs are used and {left} are left.")
    else:
        text = _("Of the budget of {budget}, {used} s are used and {left} s are left.")
    return text.format(**figures)


def section(store: Store) -> Section | None:
    """Where the seeds were spent: each contrast at the look that its verdict rests on; None where there was no race."""
    found = raced.read(store)
    if found is None:
        return None
    rows = tuple(
        (settlement(row, n), _interval(row), f"{100 * (1 - row.level):.2f} %")
        for row, n in found.race.last_looks.values()
    )
    caption = _(
        "Seeds were added only where a comparison was still open. Open comparisons were tested after {looks} "
        "seeds. All analyses together have an error rate of {alpha} (alpha spending, Lan & DeMets 1983; "
        "Holm's procedure over the comparisons). Each conclusion uses the interval of its last analysis, at "
        "the level of that analysis."
    ).format(
        looks=", ".join(str(look.n_seeds) for look in found.race.looks) or "-",
        alpha=f"{hundredths(found.race.plan.alpha, 0)} %",
    )
    blocks: list[Block] = [Paragraph(caption, role="soft")]
    if rows:
        header = (TEXT["race_contrast"], TEXT["race_interval"], TEXT["race_level"])
        blocks.append(Table(f"{TEXT['race']}.", header, rows, n_left=2))
    blocks += map(Paragraph, _ended(found))
    return Section(TEXT["race"], tuple(blocks), anchor="race")


def _interval(row: InterimResult) -> str:
    if row.low is None or row.high is None or row.difference is None:
        return ""
    return _("{value} points ({low} to {high})").format(
        value=hundredths(row.difference), low=hundredths(row.low), high=hundredths(row.high)
    )


def hopeless(runs: Sequence[Run]) -> Paragraph | None:
    """Said where runs were ended as hopeless; None where none was."""
    names = [f"{run.arm} {run.seed}" for run in runs if run.stopped_as_hopeless]
    if not names:
        return None
    said = ngettext(
        "{n} run was stopped at half its epochs (--stop-hopeless) because its validation accuracy never "
        "exceeded the majority-class baseline. It counts with the accuracy it had reached ({names}).",
        "{n} runs were stopped at half their epochs (--stop-hopeless) because their validation accuracy "
        "never exceeded the majority-class baseline. They count with the accuracy they had reached ({names}).",
        len(names),
    ).format(n=len(names), names=", ".join(names))
    return Paragraph(said, role="notice")
