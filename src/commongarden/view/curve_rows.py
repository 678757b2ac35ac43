"""The epochs of a study's runs as rows of its curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from commongarden.records import Epoch
from commongarden.records.event_log import RunName
from commongarden.runner.display import name_of
from commongarden.view.progress import Progress, job_of

MOST_CURVES = 60  # runs whose epochs are drawn

Row = dict[str, Any]


def rows(progress: Progress) -> list[Row]:
    """A row an epoch of the runs that are drawn: the latest ones."""
    return [row for run, epochs in list(drawn(progress).items())[-MOST_CURVES:] for row in rows_of(run, epochs)]


def drawn(progress: Progress) -> dict[RunName, list[Epoch]]:
    """The runs that may be drawn; before the first one, the tuning runs."""
    return progress.epochs or progress.tuning


def rows_of(run: RunName, epochs: Sequence[Epoch]) -> list[Row]:
    """A row for each of these epochs of a run."""
    found = []
    for epoch in epochs:
        row: Row = {"arm": run.arm, "run": name_of(job_of(run)), "epoch": epoch.epoch}
        figures = {"val_accuracy": 100 * epoch.val_accuracy, "train_loss": epoch.train_loss}
        found.append(row | {name: _short(value) for name, value in figures.items()})
    return found


def _short(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None
