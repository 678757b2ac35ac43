"""The model card of exported weights (README.md, as the Hugging Face hub shows it), written from a study's records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from commongarden.i18n.language import _, current, ngettext, spoken, translate
from commongarden.records import Run
from commongarden.report.document import Block, Bullets, Document, Log, Paragraph, Section, Table, markdown, paper
from commongarden.report.topics import duplicates, limits, methods, page_data, per_class, race, setup, tables
from commongarden.report.wording import answers, words
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.numbers import listed, percent, whole
from commongarden.report.wording.references import Citations
from commongarden.stats import Results, summarize
from commongarden.store import Store

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

TASK = "image-classification"


@dataclass(frozen=True)
class Weights:
    """What a card is of. run: whose weights. why: why this one of the model's runs. library: that loads them. example:
    a program that uses them. notes: what they do not hold."""

    run: Run
    why: str
    library: str
    example: Sequence[str]
    notes: Sequence[str]


@spoken(False)
def model_card(store: Store, weights: Weights) -> str:
    """The text of README.md."""
    from huggingface_hub import ModelCardData

    run, results = weights.run, summarize(store)
    data = ModelCardData(
        library_name=weights.library,
        pipeline_tag=TASK,
        tags=[TASK, *dict.fromkeys([weights.library, "commongarden"])],
        model_name=f"{store.study().name} {run.arm}",
        eval_results=_evaluated(store, weights.run, results),
    )
    text, _figures = markdown.to_markdown(_document(store, results, weights), "")
    return f"---\n{data.to_yaml()}\n---\n\n{text}"


def _evaluated(store: Store, run: Run, results: Results) -> list[EvalResult]:
    """The test accuracy of these weights, and the mean over the model's runs."""
    from huggingface_hub import EvalResult

    name = page_data.data_name(store.study())
    where: dict[str, Any] = {
        "task_type": TASK,
        "dataset_type": "imagefolder",
        "dataset_name": name,
        "dataset_split": "test",
    }
    found = next(arm for arm in results.arms if arm.arm == run.arm)
    figures = [(_("Test accuracy of these weights"), run.test_accuracy)]
    if found.test_accuracy is not None and found.n_finished > 1:
        said = ngettext("Mean test accuracy over {n} run", "Mean test accuracy over {n} runs", found.n_finished)
        figures.append((said.format(n=found.n_finished), found.test_accuracy.value))
    return [
        EvalResult(**where, metric_type="accuracy", metric_name=said, metric_value=round(value, 4))
        for said, value in figures
        if value is not None
    ]


def _document(store: Store, results: Results, weights: Weights) -> Document:
    study, run, cite = store.study(), weights.run, Citations()
    runs, raced = store.runs(), race.section(store) is not None
    epochs = page_data.histories(store, [arm.arm for arm in results.arms], runs)
    made = methods.methods(study, results, runs, cite, raced=raced, epochs=epochs)
    versions = tuple(f"{name} {found}" for name, found in page_data.versions([run]))
    parts: tuple[tuple[str, tuple[Block, ...]], ...] = (
        (_("How to use it"), tuple(_use(weights))),
        (_("Data"), tuple(_data(store))),
        (_("Training"), tuple(map(Paragraph, made.paragraphs))),
        (_("Results"), tuple(_results(store, results, run.arm))),
        (TEXT["limits"], (Bullets(limits.lines(study, results)),)),
        (TEXT["versions"], (Bullets(versions),)),
        (TEXT["references"], (Bullets(cite.entries()),)),
    )
    sections = tuple(paper.section(Section(title, blocks, numbered=False)) for title, blocks in parts)
    return Document(run.arm, _about(store, results, weights), current(), sections)


def _about(store: Store, results: Results, weights: Weights) -> str:
    study, run = store.study(), weights.run
    said = _(
        "{arch}, trained on {n} images of {k} classes ({classes}). Test accuracy: {accuracy}, on {test} images that "
        "were not used in training."
    )
    found = next(arm for arm in results.arms if arm.arm == run.arm)
    about = said.format(
        arch=study.arms[run.arm].arch,
        n=whole(run.n_train),
        k=len(run.classes),
        classes=listed(run.classes),
        accuracy=words.accuracy(found.test_accuracy, results.folds),
        test=whole(run.n_test),
    )
    if found.n_finished < 2 or run.test_accuracy is None:
        return about
    mine = _("These weights are those of one run: {why}. Its test accuracy is {accuracy}.")
    why = weights.why or _("{arm}, seed {seed}").format(arm=run.arm, seed=run.seed)
    return f"{about} {mine.format(why=why, accuracy=percent(run.test_accuracy))}"


def _use(weights: Weights) -> Iterator[Block]:
    yield Paragraph(_("In the folder of this file:"), leads=True)
    yield Log(tuple(weights.example), language="python")
    if weights.notes:
        yield Bullets(tuple(weights.notes))


def _data(store: Store) -> Iterator[Block]:
    study, manifest = store.study(), store.manifest()
    if (understood := store.understood()) is not None:
        yield Paragraph(f"{translate(understood.text)}.")
    yield setup.counts(manifest, store.split(), _("Images per class in the three sets."))
    yield Paragraph(words.split_plan(study.split))
    found = store.inspection()
    if found is not None and found.data == manifest.hash:
        yield from map(Paragraph, duplicates.sentences(found, study))


def _results(store: Store, results: Results, arm: str) -> Iterator[Block]:
    runs = [store.predictions(run.arm, run.seed) for run in store.runs() if (run.arm, run.status) == (arm, "finished")]
    said = _("{arm} on the test set: precision, recall and F1 of each class, over all its runs.").format(arm=arm)
    table: Table = per_class.of_arm(runs, results.classes, said)
    yield table
    if (found := answers.said(results, None)) is not None and len(results.arms) > 1:
        names = ["seeds", "test_accuracy", "inference_ms", "n_params", "macs"]
        yield tables.table(results, names, _("The models of the study, trained under the same conditions."))
        mine = (one for one in words.verdicts(results) if arm in (one.arm, one.against))
        yield Bullets((found.headline, *map(words.verdict, mine)))
    result = next(one for one in results.arms if one.arm == arm)
    if said_of := words.beside_commonest(result, results.commonest, results.folds):
        yield Paragraph(said_of)
