"""What a written report says of how fairly its arms were compared: the terms, the race, equal budgets, own recipes."""

from __future__ import annotations

from commongarden.i18n.language import _, pgettext
from commongarden.report.charts import Chart, figures
from commongarden.report.document import Block, Bullets, Figure, Paragraph, Section, Table
from commongarden.report.topics import budgets, race, terms, tuned
from commongarden.report.wording.labels import TEXT
from commongarden.stats import Results
from commongarden.store import Store
from commongarden.study import Study


def terms_section(store: Store, study: Study) -> Section:
    """The contract: what is equal for all arms, and what differs."""
    found = terms.terms(study, store.manifest(), store.splits(), store.runs())
    parts: list[Block] = [
        Table(
            f"{TEXT['terms_equal']}.", (pgettext("of the contract", "term"), _("for all arms")), found.equal, n_left=2
        )
    ]
    for heading, said in ((f"{TEXT['terms_differs']}:", found.differs), (TEXT["terms_declared"], found.declared)):
        if said:
            parts += [Paragraph(heading, leads=True), Bullets(said)]
    parts += [Paragraph(warning) for warning in found.warnings]
    return Section(TEXT["terms"], tuple(parts))


def spent(store: Store, results: Results) -> tuple[Section, ...]:
    """Where the seeds of a raced study were spent, its contrasts at equal budgets, and its arms at their best; each
    only where the study has it."""
    made = (_race(store), _budgets(results), _tuned(results))
    return tuple(section for section in made if section is not None)


def _race(store: Store) -> Section | None:
    found = race.section(store)
    if found is None:
        return None
    parts: list[Block] = [Paragraph(found.caption)]
    if found.rows:
        header = (TEXT["race_contrast"], TEXT["race_interval"], TEXT["race_level"])
        rows = tuple((row.said, row.interval, row.level) for row in found.rows)
        parts.append(Table(f"{TEXT['race']}.", header, rows, n_left=2))
    parts += [Paragraph(sentence) for sentence in found.sentences]
    return Section(TEXT["race"], tuple(parts))


def _budgets(results: Results) -> Section | None:
    if not results.budgets:
        return None
    header = ("", *(budgets.heading(view.budget) for view in results.budgets[0].views))
    rows = tuple(
        (f"{row.arm} − {row.against}", *("\n".join(filter(None, (c.said, c.below, c.where))) for c in row.cells))
        for row in budgets.rows(results)
    )
    parts: list[Block] = [Paragraph(sentence) for sentence in budgets.summary(results)]
    parts += _figure(budgets.chart(results), budgets.key())
    parts.append(Table(budgets.caption(results), header, rows, n_left=len(header)))
    return Section(TEXT["budgets"], tuple(parts))


def _tuned(results: Results) -> Section | None:
    if results.tuned is None:
        return None
    parts: list[Block] = [Paragraph(tuned.introduction(results.tuned))]
    if kept := tuned.kept(results):
        parts.append(Paragraph(kept))
    for row in tuned.contrast_rows(results):
        declared = f"{TEXT['tuned_declared']}: {row.declared}"
        parts += [Bullets((declared, f"{TEXT['tuned_best']}: {row.tuned}")), Paragraph(row.said)]
    parts += _figure(tuned.chart(results), tuned.key())
    header = (TEXT["arm"], TEXT["lr_declared"], TEXT["lr_best"])
    rows = tuple(
        (
            row.arm,
            "\n".join(filter(None, (row.declared, row.declared_accuracy))),
            "\n".join(filter(None, (row.best, row.ratio, row.best_accuracy))),
        )
        for row in tuned.arm_rows(results.tuned)
    )
    parts.append(Table(TEXT["tuned_caption"], header, rows))
    parts += [Paragraph(sentence) for sentence in tuned.remarks(results.tuned)]
    return Section(TEXT["tuned"], tuple(parts))


def _figure(chart: Chart | None, caption: str) -> list[Block]:
    return [] if chart is None else [Figure(caption, figures.chart(chart), chart.description)]
