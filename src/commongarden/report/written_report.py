"""The written lab report of a study, in the sections of the experiment that commongarden began with: overview, results
for each network with its conditions and its log, discussion, conclusion. It holds what the store's records, the
definitions of the arms and the estimates from them say, and nothing else.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from commongarden.i18n.language import _, current, translate
from commongarden.records import Epoch, Run
from commongarden.records.classic_log import classic_log
from commongarden.records.findings import Audit
from commongarden.report import charts
from commongarden.report.charts import Chart, curves, figures
from commongarden.report.document import Block, Bullets, Document, Figure, Log, Paragraph, Section, Table
from commongarden.report.topics import (
    discussion,
    factors,
    fairness,
    methods,
    page_data,
    pareto,
    race,
    tables,
    written_tables,
)
from commongarden.report.wording import audits, baselines, designs, numbers, words
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.references import Citations
from commongarden.stats import ArmResult, Results
from commongarden.store import Store
from commongarden.study import Study
from commongarden.study.built_in import text_of

N_FINDINGS = 5  # of an arm's audit


def lab_report(store: Store, results: Results) -> Document:
    """The report of what the store holds, however much of the study is done."""
    study, runs = store.study(), store.runs()
    arms = [arm.arm for arm in results.arms]
    epochs = page_data.histories(store, arms, runs)
    cite = Citations()
    how = methods.methods(study, results, runs, cite, raced=race.section(store) is not None)
    discussed = discussion.discussion(study, results, epochs, store.audits(), cite)
    parts = [_overview(store, study, results, how), _results(store, study, results, runs, epochs)]
    if discussed:
        parts.append(Section(_("Discussion"), sections=discussed))
    parts.append(_conclusion(study, results))
    parts.append(Section(TEXT["references"], (Bullets(cite.entries()),), numbered=False))
    return Document(study.name, words.compared(results), current(), tuple(parts))


def _overview(store: Store, study: Study, results: Results, how: methods.Methods) -> Section:
    arms = [arm.arm for arm in results.arms]
    blocks: list[Block] = [Paragraph(text_of(study.description) or words.question(arms, page_data.data_name(study)))]
    done, failed = (sum(getattr(arm, name) for arm in results.arms) for name in ("n_finished", "n_failed"))
    if race.section(store) is None and (progress := words.progress(done, failed, len(study.arms) * len(study.seeds))):
        blocks.append(Paragraph(progress))
    if (understood := store.understood()) is not None:
        blocks.append(Paragraph(f"{translate(understood.text)}."))
    blocks.append(_counts(store))
    blocks.append(
        Table(
            _("The networks that were compared."),
            (TEXT["arm"], TEXT["architecture"], TEXT["options"]),
            tuple(page_data.arm_rows(study)),
            n_left=3,
        )
    )
    return Section(
        _("Overview"),
        tuple(blocks),
        (
            fairness.terms_section(store, study),
            Section(TEXT["methods"], tuple(Paragraph(text) for text in how.paragraphs)),
        ),
    )


def _effects(results: Results) -> tuple[Section, ...]:
    """The factors of a study that has any."""
    found = factors.section(results)
    if found is None:
        return ()
    chart = None if found.chart is None else Figure(found.caption, figures.chart(found.chart), found.chart.description)
    parts: list[Block | None] = [Bullets(tuple(found.main)), chart, Paragraph(" ".join(found.notes))]
    if found.interactions:
        parts[1:1] = [Paragraph(f"{TEXT['interactions']}:", leads=True), Bullets(tuple(found.interactions))]
    return (Section(TEXT["effects"], tuple(part for part in parts if part is not None)),)


def _counts(store: Store) -> Table:
    rows = page_data.class_counts(store.manifest(), store.split())
    return Table(
        _("Photos of each class in the three parts."),
        (TEXT["class"], TEXT["train"], TEXT["val"], TEXT["test"]),
        tuple((name or TEXT["all"], *map(numbers.whole, counts)) for name, counts in rows),
    )


def _results(store: Store, study: Study, results: Results, runs: Sequence[Run], epochs: page_data.Histories) -> Section:
    if not any(arm.n_finished for arm in results.arms):
        return Section(_("Results"), (Paragraph(TEXT["nothing_yet"]),))
    arms = [arm.arm for arm in results.arms]
    has_intervals = any(arm.n_finished > 1 for arm in results.arms)
    published = any(arm.published is not None for arm in results.arms)
    text = designs.labels(TEXT, study.folds)
    reached, costs = written_tables.comparison(results)
    planned = written_tables.contrasts(results)
    simple = baselines.caption(results.baselines, results.n_train)
    blocks: list[Block | None] = [
        reached,
        _figure(
            charts.accuracies(results, page_data.accuracies(arms, runs)),
            text["accuracies_caption" if has_intervals else "accuracies_caption_one"]
            + (TEXT["published_caption"] if published else "")
            + (f" {simple}" if simple else ""),
        ),
        planned,
        _figure(
            charts.differences(results, words.verdicts(results)),
            words.differences_caption(results) if has_intervals else text["differences_caption_one"],
        ),
        Paragraph(words.intervals(results)),
        *written_tables.metrics(results),
        *(Paragraph(said) for said in [race.hopeless(runs)] if said),
        costs,
        _curves(store, results, epochs),
        _time(results),
    ]
    kept = store.audits()
    return Section(
        _("Results"),
        tuple(block for block in blocks if block is not None),
        _effects(results)
        + fairness.spent(store, results)
        + tuple(
            Section(arm.arm, tuple(_of_arm(study, arm, runs, epochs[arm.arm], kept.get(arm.arm))))
            for arm in results.arms
        ),
    )


def _figure(chart: Chart | None, caption: str) -> Figure | None:
    return None if chart is None else Figure(caption, figures.chart(chart), chart.description)


def _curves(store: Store, results: Results, epochs: page_data.Histories) -> Figure | None:
    manifest, split, label = store.manifest(), store.split(), results.commonest.label
    guesses = {part: page_data.share_of(manifest, getattr(split, part), label) for part in ("train", "val")}
    made = curves.curves(epochs, guesses, results.commonest.loss)
    if not made:
        return None
    return Figure(
        designs.labels(TEXT, results.folds)["curves_caption"],
        figures.charts(made),
        "; ".join(chart.description for chart in made),
    )


def _time(results: Results) -> Figure | None:
    made = [chart for chart, _said in pareto.fronts(results)[:1]]
    caption = _("Test accuracy over the time of training and validation, with 95 % intervals both ways.")
    return Figure(caption, figures.charts(made), made[0].description) if made else None


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
    yield Log(tuple(classic_log(name, run.recipe.epochs, epochs[run.seed], run)[:-1]))


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


def _beside(cell: tables.Cell) -> str:
    return f"{cell.text} ({cell.below})" if cell.below else cell.text


def _conclusion(study: Study, results: Results) -> Section:
    said = [words.verdict(contrast) for contrast in words.verdicts(results)]
    if len(results.arms) == 1 and results.arms[0].test_accuracy is not None:
        said = [words.one_arm(results.arms[0], study.folds)]
    blocks: list[Block] = []
    if headline := words.headline(results):
        blocks.append(Paragraph(headline))
    if said:
        blocks.append(Bullets(tuple(said)))
    blocks += [Paragraph(note) for note in words.notes(results)]
    if (figures_before := written_tables.published(results)) is not None:
        if study.published_source:
            blocks.append(
                Paragraph(
                    _("The published figures come from: {source}.").format(source=text_of(study.published_source))
                )
            )
        blocks.append(figures_before)
    limits = words.limits(results, {study.recipe_of(arm).select for arm in study.arms})
    return Section(_("Conclusion"), tuple(blocks), (Section(TEXT["limits"], (Bullets(tuple(limits)),)),))
