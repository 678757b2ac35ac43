"""What the networks get wrong: confusion matrices, and the photos that are missed most often."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from commongarden.records import Predictions, Run
from commongarden.report import charts
from commongarden.report.document import (
    Bitmap,
    Block,
    Chart,
    Gallery,
    Heading,
    Only,
    Paragraph,
    Plot,
    Section,
    SideBySide,
    Styled,
)
from commongarden.report.topics import per_class
from commongarden.report.wording import designs
from commongarden.report.wording import mistakes as said_of
from commongarden.report.wording.labels import TEXT
from commongarden.stats import Results, most_missed
from commongarden.store import Store
from commongarden.study import Study

A_SHEET = 6  # matrices in a figure on paper
Predicted = Sequence[tuple[Run, Predictions]]


def confusion(results: Results, predictions: Predicted) -> Section | None:
    """A matrix for every arm with a run; None where none has finished."""
    parts: list[tuple[Block, ...]] = []
    drawn: list[Chart] = []
    for i, arm in enumerate(results.arms):
        shares = _shares(predictions, arm.arm, len(results.classes))
        if shares is None:
            continue
        places = charts.worst_classes(shares.tolist())
        said = said_of.mistaken(results.classes, shares.tolist())
        if len(places) < len(results.classes):
            said += f" {said_of.kept_classes(len(places), len(results.classes))}"
        kept = shares[np.ix_(places, places)].tolist()
        chart = charts.confusion(f"confusion_{i}", arm.arm, [results.classes[place] for place in places], kept)
        parts.append((Heading(arm.arm, arm.arm), Plot(said, (chart,))))
        drawn.append(dataclasses.replace(chart, spec={**chart.spec, "title": arm.arm}))
    if not parts:
        return None
    width = 300 if len(results.classes) <= 6 else 460 if len(results.classes) <= 12 else 560
    said = designs.labels(TEXT, results.folds)["confusion_caption"]
    page = Only("page", (Paragraph(said, role="soft"), SideBySide(tuple(parts), "matrices", width)))
    sheets = (tuple(drawn[i : i + A_SHEET]) for i in range(0, len(drawn), A_SHEET))
    paper = Only("paper", tuple(Plot(said, sheet) for sheet in sheets))
    beyond = per_class.blocks(results, predictions)
    return Section(TEXT["confusion"], (page, paper, *beyond), anchor="confusion")


def _shares(predictions: Predicted, arm: str, n_classes: int) -> np.ndarray | None:
    """(true, called) shares of the photos of the true class, mean over the arm's runs; None without a run."""
    matrices = []
    for run, found in predictions:
        if run.arm == arm:
            counts = np.zeros((n_classes, n_classes))
            np.add.at(counts, (found.labels, found.probabilities.argmax(axis=1)), 1)
            matrices.append(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    return np.mean(matrices, axis=0) if matrices else None


def missed(store: Store, study: Study, predictions: Predicted, classes: Sequence[str]) -> Section | None:
    """The photos that most runs got wrong, worst first; None where none was."""
    worst = most_missed(store, said=[found for _run, found in predictions])
    if not worst:
        return None
    thumbnails = store.thumbnails()
    wrong: dict[str, Counter[str]] = {path: Counter() for path, _ in worst}
    label: dict[str, str] = {}
    for _, found in predictions:
        guesses = found.probabilities.argmax(axis=1)
        for i in np.flatnonzero(guesses != found.labels):
            path, true, guess = found.photos[i], found.labels[i], guesses[i]
            if path in wrong:
                wrong[str(path)][classes[int(guess)]] += 1
                label[str(path)] = classes[int(true)]
    photos = tuple(
        Bitmap(
            thumbnails.get(path),
            path,
            (Styled(label[path], "strong"), Styled(" "), Styled(said_of.called(wrong[path]), "soft")),
            TEXT["no_thumbnail"],
        )
        for path, _ in worst
    )
    n = len(predictions)
    said = said_of.missed_in_own_parts(n) if study.splits_vary else said_of.missed(n)
    gallery = Gallery(((photos, "", False),), "photos", said)
    return Section(TEXT["missed"], (Only("page", (Paragraph(said, role="soft"),)), gallery), anchor="missed")
