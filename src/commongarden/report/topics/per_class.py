"""Precision, recall and F1 of each class, and whether the stated probabilities can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from commongarden.records import Predictions, Run
from commongarden.report.charts import classes as charts
from commongarden.report.document import Block, Cell, Fold, Heading, Legend, Plot, SideBySide, Table
from commongarden.report.wording import numbers
from commongarden.report.wording.labels import TEXT
from commongarden.stats import Results

MOST_ROWS = 120  # of the table; with more, each class's recall stands under "the evidence"


def blocks(results: Results, predictions: Sequence[tuple[Run, Predictions]]) -> list[Block]:
    """The diagram of reliability and the table; nothing where no run has finished."""
    of_arm = {arm.arm: [found for run, found in predictions if run.arm == arm.arm] for arm in results.arms}
    chart = charts.reliability(of_arm)
    if chart is None:
        return []
    plot = Plot(TEXT["reliability_caption"], (chart,), lines=True)
    made: list[Block] = [Heading(TEXT["reliability"]), Legend(), SideBySide(((plot,),), "matrices", 460)]
    rows: tuple[tuple[str | Cell, ...], ...] = tuple(
        (Cell(arm, arm=arm), *row) for arm, runs in of_arm.items() if runs for row in _rows(runs, results.classes)
    )
    if len(rows) <= MOST_ROWS:
        header = tuple(TEXT[key] for key in ("arm", "class", "precision", "recall", "f1", "n_photos"))
        caption = f"{TEXT['per_class']}. {TEXT['per_class_caption']}"
        table = Table(caption, header, rows, n_left=2, name=TEXT["per_class"])
        made.append(Fold(TEXT["per_class"], (table,)))
    return made


def of_arm(runs: Sequence[Predictions], classes: Sequence[str], caption: str) -> Table:
    """The table of one arm."""
    header = tuple(TEXT[key] for key in ("class", "precision", "recall", "f1", "n_photos"))
    return Table(caption, header, tuple(_rows(runs, classes)))


def _rows(runs: Sequence[Predictions], classes: Sequence[str]) -> list[tuple[str, ...]]:
    """Each class's figures over all photos of all runs; a dash where nothing was called so, or no photo is of it."""
    counts = np.zeros((len(classes), len(classes)))
    for run in runs:
        np.add.at(counts, (run.labels, run.probabilities.argmax(axis=1)), 1)
    right, called, true = counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)
    return [
        (
            label,
            _share(right[i], called[i]),
            _share(right[i], true[i]),
            _share(2 * right[i], called[i] + true[i]),
            numbers.whole(round(true[i] / len(runs))),
        )
        for i, label in enumerate(classes)
    ]


def _share(part: float, of: float) -> str:
    return numbers.hundredths(part / of) if of else numbers.DASH
