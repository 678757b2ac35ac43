"""The page of a study: every topic, in the order in which a reader asks. It reads the store and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from altair.utils import schemapi

from commongarden.i18n import language
from commongarden.report.document import Block, Bullets, Document, Paragraph, Section, html
from commongarden.report.topics import (
    ablation,
    answer,
    attribution,
    budgets,
    decided,
    duplicates,
    everyone,
    evidence,
    factors,
    first_weights,
    limits,
    methods,
    mistakes,
    page_data,
    pareto,
    race,
    selection,
    sensitivity,
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
from commongarden.stats.foremost import foremost
from commongarden.store import Store
from commongarden.study import folder_name, studies_folder
from commongarden.study.built_in import text_of


@schemapi.debug_mode(False)
def render(store: Store, results: Results) -> str:
    """The page as HTML text."""
    return html.to_html(document(store, results), _told(results), TEXT["footer"])


@schemapi.debug_mode(False)
def parts(store: Store, results: Results) -> html.Parts:
    """The same document as a part of a page that itself says how far the study is."""
    return html.to_parts(document(store, results, is_followed=True), _told(results))


def document(store: Store, results: Results, *, is_followed: bool = False) -> Document:
    """What the page says of a study, as data. is_followed: its reader is shown elsewhere how many runs are missing."""
    made = tuple(section for section in _sections(store, results) if section is not None)
    return Document(
        store.study().name, words.compared(results), language.current(), made, _opening(store, results, is_followed)
    )


def _told(results: Results) -> list[str]:
    """The arms that have a colour."""
    return [arm.arm for arm in foremost(results).arms]


def _opening(store: Store, results: Results, is_followed: bool) -> tuple[Block, ...]:
    study = store.study()
    asked = text_of(study.description) or words.question([arm.arm for arm in results.arms], page_data.data_name(study))
    blocks = [Paragraph(asked, role="question")]
    if not is_followed and (said := page_data.progress(store, results)):
        blocks.append(Paragraph(said, role="notice"))
    blocks += [Paragraph(line, role="notice") for line in decided.lines(store)]
    return tuple(blocks)


def _folder(store: Store) -> str:
    """The study's folder as it was typed in the command that made it, wherever it is now; its name alone if that was
    an absolute path."""
    words = store.command()
    given = [after for word, after in itertools.pairwise(words) if word == "--out"]
    given += [word.partition("=")[2] for word in words if word.startswith("--out=")]
    folder = Path(given[0]) if given else studies_folder() / folder_name(store.study())
    return folder.name if folder.is_absolute() else folder.as_posix()


def _about(store: Store, results: Results) -> list[str]:
    """The data and the set-up in three lines."""
    understood = store.understood()
    lines = [words.compared(results), words.trained(store.study())]
    if chosen := selection.lines(store):
        lines.append(" ".join(chosen))
    return [*([f"{language.translate(understood.text)}."] if understood is not None else []), *lines]


def _sections(store: Store, results: Results) -> Iterator[Section | None]:
    study, runs, manifest, split = store.study(), store.runs(), store.manifest(), store.split()
    told, raced = foremost(results), race.section(store)
    arms = [arm.arm for arm in told.arms]
    histories = page_data.histories(store, [arm.arm for arm in results.arms], runs)
    predictions = page_data.all_predictions(store, runs)
    learned = {arm: histories[arm] for arm in arms}
    yield answer.section(
        results, page_data.accuracies([arm.arm for arm in results.arms], runs), _folder(store), _about(store, results)
    )
    yield answer.comparisons(results)
    yield factors.section(results)
    yield ablation.section(results)
    table = tables.section(study, results)
    yield replace(table, blocks=(*table.blocks, *everyone.models(results)))
    if hopeless := race.hopeless(runs):
        yield Section("", (hopeless,))
    yield raced
    yield training.section(told, learned, manifest, split)
    yield mistakes.confusion(told, [found for found in predictions if found[0].arm in learned])
    yield mistakes.missed(store, study, predictions, results.classes)
    yield pareto.section(results)
    yield why.section(store, told)
    for section in (
        evidence.section(study, told),
        sensitivity.section(store, told),
        budgets.section(told),
        tuned.section(results),
        attribution.section(store, told),
        terms.section(store, study, told),
        terms.differ(told),
        first_weights.section(store, arms),
        duplicates.section(store, study, manifest, split),
        setup.section(store, study, manifest, split),
        setup.made(store, study, runs, histories, arms),
        methods.section(methods.methods(study, results, runs, raced=raced is not None, epochs=histories)),
        Section(TEXT["limits"], (Bullets(limits.lines(study, results), ""),), anchor="limits"),
    ):
        yield None if section is None else replace(section, folded=True)
