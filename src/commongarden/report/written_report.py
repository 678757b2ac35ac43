"""The written lab report of a study, in the sections of the experiment that commongarden began with: overview, results
for each network with its conditions and its log, discussion, conclusion. It holds what the store's records, the
definitions of the arms and the estimates from them say, and nothing else.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from commongarden.i18n.language import _, current, translate
from commongarden.records import Epoch, Run
from commongarden.records.classic_log import classic_log
from commongarden.records.findings import Audit
from commongarden.report.document import (
    Block,
    Bullets,
    Cell,
    Cover,
    Document,
    Log,
    Paragraph,
    Plot,
    Section,
    Table,
    paper,
)
from commongarden.report.topics import (
    answer,
    attribution,
    budgets,
    decided,
    discussion,
    evidence,
    factors,
    limits,
    methods,
    mistakes,
    page_data,
    pareto,
    race,
    selection,
    setup,
    tables,
    terms,
    training,
    tuned,
    written_tables,
)
from commongarden.report.wording import answers, audits, designs, numbers, sweeps, words
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.references import Citations
from commongarden.stats import ArmResult, Results
from commongarden.stats.foremost import foremost, is_sweep
from commongarden.store import Store
from commongarden.study import Study
from commongarden.study.built_in import text_of

N_FINDINGS = 5  # of an arm's audit


def lab_report(store: Store, results: Results, cover: Cover | None = None) -> Document:
    """The report of what the store holds, however much of the study is done. cover: of its title page."""
    study, runs = store.study(), store.runs()
    told = foremost(results)
    every = page_data.histories(store, [arm.arm for arm in results.arms], runs)
    epochs = {arm.arm: every[arm.arm] for arm in told.arms}
    cite = Citations()
    raced = race.section(store)
    how = methods.methods(study, results, runs, cite, raced=raced is not None, epochs=every)
    discussed = discussion.discussion(study, told, epochs, store.audits(), cite)
    parts = [_overview(store, study, results, how), _results(store, study, results, told, raced, epochs)]
    if discussed:
        parts.append(Section(_("Discussion"), sections=discussed))
    parts.append(_conclusion(store, study, results))
    parts.append(Section(TEXT["references"], (Bullets(cite.entries()),), numbered=False))
    cover = cover or Cover()
    lines = ((_("Name"), cover.author), (_("Student number"), cover.number), (_("Date"), cover.date))
    return Document(
        cover.title or study.name,
        words.compared(results),
        current(),
        tuple(map(paper.section, parts)),
        cover=tuple(line for line in lines if line[1]),
        author=cover.author,
    )


def _overview(store: Store, study: Study, results: Results, how: methods.Methods) -> Section:
    arms = [arm.arm for arm in results.arms]
    blocks: list[Block] = [Paragraph(text_of(study.description) or words.question(arms, page_data.data_name(study)))]
    if said := page_data.progress(store, results):
        blocks.append(Paragraph(said))
    if (understood := store.understood()) is not None:
        blocks.append(Paragraph(f"{translate(understood.text)}."))
    blocks.append(setup.counts(store.manifest(), store.split(), _("Images per class in the three sets.")))
    told = foremost(results)
    kept = (
        dataclasses.replace(study, arms={arm.arm: study.arms[arm.arm] for arm in told.arms})
        if is_sweep(results)
        else study
    )
    blocks += [setup.arms(kept, _("The models compared.")), *tables.which(results)]
    return Section(_("Overview"), tuple(blocks), (terms.section(store, study, told), methods.section(how)))


def _results(
    store: Store, study: Study, results: Results, told: Results, raced: Section | None, epochs: page_data.Histories
) -> Section:
    """told: of the arms that are told of one by one."""
    if not any(arm.n_finished for arm in results.arms):
        return Section(_("Results"), (Paragraph(TEXT["nothing_yet"]),))
    runs = store.runs()
    reached, costs = written_tables.comparison(told)
    rest = sweeps.comparisons(results)
    blocks = [
        reached,
        *tables.which(results),
        answer.accuracies(results, page_data.accuracies([arm.arm for arm in results.arms], runs)),
        written_tables.contrasts(told),
        Paragraph(rest) if rest else None,
        answer.differences(told),
        Paragraph(words.intervals(results)),
        *evidence.beyond(told, evidence.MOST_CLASSES),
        race.hopeless(runs),
        costs,
        training.plot(told, epochs, store.manifest(), store.split()),
        _time(results),
    ]
    kept = store.audits()
    topics = (factors.section(results), raced, budgets.section(told), tuned.section(results))
    each = (Section(arm.arm, tuple(_of_arm(study, arm, runs, epochs[arm.arm], kept.get(arm.arm)))) for arm in told.arms)
    tested = page_data.all_predictions(store, runs)
    mine = [found for found in tested if found[0].arm in epochs]
    errors = (
        mistakes.confusion(told, mine),
        mistakes.missed(store, study, tested, results.classes),
        attribution.disagreed(store, told),
    )
    sections = (*(topic for topic in (*topics, *errors) if topic is not None), *each)
    return Section(_("Results"), tuple(block for block in blocks if block is not None), sections)


def _time(results: Results) -> Plot:
    made = tuple(chart for chart, _said in pareto.fronts(results))
    return Plot(TEXT["cost_caption"], made, lines=True)


def _of_arm(
    study: Study, arm: ArmResult, runs: Sequence[Run], epochs: Mapping[int, Sequence[Epoch]], audit: Audit | None
) -> Iterator[Block]:
    """One network's conditions and results, what was found before its training, and the log of its training."""
    yield _conditions(study, arm, epochs)
    if note := words.failures(arm):
        yield Paragraph(note)
    if audit is not None:
        translate = audits.lines(arm.arm, audit)
        yield Paragraph(translate[0])
        if translate[1:]:
            rest = len(translate) - 1 - N_FINDINGS
            yield Bullets((*translate[1 : 1 + N_FINDINGS], *([words.more(rest)] if rest > 0 else [])))
    mine = [run for run in runs if run.arm == arm.arm and run.status == "finished"]
    if not mine:
        return
    run = mine[0]
    name = arm.arm if len(study.seeds) == 1 else f"{arm.arm}/{run.seed}"
    if study.folds:
        said = _("Log of training in fold {seed}, the first of {n}; accuracy is training/validation.")
    elif len(mine) > 1:
        said = _("Log of training with seed {seed}, the first of {n}; accuracy is training/validation.")
    else:
        said = _("Log of training with seed {seed}; accuracy is training/validation.")
    yield Paragraph(said.format(seed=run.seed, n=len(mine)), leads=True)
    yield Log(tuple(classic_log(name, run.recipe.epochs, epochs[run.seed], run, translated=True)[:-1]))


def _conditions(study: Study, arm: ArmResult, epochs: Mapping[int, Sequence[Epoch]]) -> Table:
    """Conditions to the left, results to the right, as in the original report."""
    recipe = study.recipe_of(arm.arm)
    options = ", ".join(f"{key} = {value}" for key, value in study.arms[arm.arm].options.items())
    conditions = [
        (TEXT["architecture"], arm.arch),
        (TEXT["options"], options),
        (_("input"), "x".join(map(str, arm.input))),
        (TEXT["n_params"], numbers.whole(arm.n_params)),
        (TEXT["macs"], numbers.short(arm.macs)),
        (_("epochs"), str(recipe.epochs)),
        (_("batch size"), str(recipe.batch_size)),
        (_("optimizer"), recipe.optimizer),
        (_("learning rate"), f"{recipe.lr:g}"),
        (designs.labels(TEXT, study.folds)["seeds"], words.seeds_of(arm)),
    ]
    values = tables.values(arm)
    found = []
    for key in ("test_accuracy", "published", "seconds", "images_per_second", "inference_ms", "peak_memory_mb"):
        cell = tables.cell(key, values[key])
        unit = TEXT.get(f"unit_{key}", "")
        found.append((f"{TEXT[key]} ({unit})" if unit else TEXT[key], _beside(cell)))
    found += _ends(epochs)
    sides = [[row for row in side if row[1]] for side in (conditions, found)]
    rows = tuple((*one, *two) for one, two in itertools.zip_longest(*sides, fillvalue=("", "")))
    header = (_("condition"), _("value"), _("result"), _("value"))
    return Table(_("{arm}: conditions and results.").format(arm=arm.arm), header, rows, n_left=4)


def _ends(epochs: Mapping[int, Sequence[Epoch]]) -> Iterator[tuple[str, str]]:
    """The last epoch's figures, means over the runs."""
    last = [history[-1] for history in epochs.values() if history]
    for key in ("train_accuracy", "val_accuracy", "train_loss", "val_loss"):
        if last:
            mean = math.fsum(getattr(epoch, key) for epoch in last) / len(last)
            text = numbers.number(mean) if key.endswith("loss") else numbers.hundredths(mean)
            yield TEXT[f"last_{key}"], text


def _beside(cell: Cell) -> str:
    return f"{cell.text} ({cell.below})" if cell.below else cell.text


def _conclusion(store: Store, study: Study, results: Results) -> Section:
    blocks: list[Block] = []
    found = answers.said(results, None)
    if found is not None and len(results.arms) > 1:  # of one model the line below says the same
        blocks.append(Paragraph(found.headline))
    blocks += answer.said(foremost(results))
    if rest := sweeps.comparisons(results):
        blocks.append(Paragraph(rest))
    blocks += [Paragraph(note) for note in words.notes(results)]
    if (figures_before := written_tables.published(results)) is not None:
        if study.published_source:
            said = _("Source of the published figures: {source}.").format(source=text_of(study.published_source))
            blocks.append(Paragraph(said))
        blocks.append(figures_before)
    reach = Section(
        TEXT["limits"], (Bullets((*decided.lines(store), *selection.lines(store), *limits.lines(study, results))),)
    )
    return Section(_("Conclusion"), tuple(blocks), (reach,))
