"""The page of a study: every topic, in the order in which a reader asks. It reads the store and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from altair.utils import schemapi

from commongarden.i18n import language
from commongarden.report.document import Block, Bullets, Document, Paragraph, Section, html
from commongarden.report.topics import (
    ablation,
    answer,
    attribution,
    budgets,
    duplicates,
    evidence,
    factors,
    first_weights,
    methods,
    mistakes,
    page_data,
    pareto,
    race,
    setup,
    tables,
    terms,
    training,
    tuned,
    why,
)
from commongarden.report.wording import words
from commongarden.report.wording.labels import TEXT
from commongarden.stats import Results
from commongarden.store import Store
from commongarden.study.built_in import text_of


@schemapi.debug_mode(False)
def render(store: Store, results: Results) -> str:
    """The page as HTML text."""
    made = tuple(section for section in _sections(store, results) if section is not None)
    document = Document(store.study().name, words.compared(results), language.current(), made, _opening(store, results))
    return html.to_html(document, [arm.arm for arm in results.arms], TEXT["footer"])


def _opening(store: Store, results: Results) -> tuple[Block, ...]:
    study = store.study()
    arms = [arm.arm for arm in results.arms]
    asked = text_of(study.description) or words.question(arms, page_data.data_name(study))
    blocks = [Paragraph(asked, role="question")]
    if (understood := store.understood()) is not None:
        blocks.append(Paragraph(f"{language.translate(understood.text)}.", role="soft"))
    blocks.append(Paragraph(words.compared(results), role="soft"))
    if said := page_data.progress(store, results):
        blocks.append(Paragraph(said, role="notice"))
    return tuple(blocks)


def _sections(store: Store, results: Results) -> Iterator[Section | None]:
    study, runs, manifest, split = store.study(), store.runs(), store.manifest(), store.split()
    arms, raced = [arm.arm for arm in results.arms], race.section(store)
    histories = page_data.histories(store, arms, runs)
    predictions = page_data.all_predictions(store, runs)
    yield answer.section(results, page_data.accuracies(arms, runs))
    yield factors.section(results)
    yield ablation.section(results)
    yield terms.section(store, study)
    yield tables.section(study, results)
    yield evidence.section(study, results)
    if hopeless := race.hopeless(runs):
        yield Section("", (hopeless,))
    yield raced
    yield training.section(results, histories, manifest, split)
    yield why.section(store, results)
    yield pareto.section(results)
    yield budgets.section(results)
    yield tuned.section(results)
    yield mistakes.confusion(results, predictions)
    yield mistakes.missed(store, study, predictions, results.classes)
    yield attribution.section(store, results)
    yield terms.differ(results)
    yield first_weights.section(store, arms)
    yield duplicates.section(store, study, manifest, split)
    yield setup.section(store, study, manifest, split)
    yield setup.made(store, study, runs, histories)
    yield methods.section(methods.methods(study, results, runs, raced=raced is not None))
    limits = words.limits(results, {study.recipe_of(arm).select for arm in arms})
    yield Section(TEXT["limits"], (Bullets(tuple(limits), ""),), anchor="limits")
