"""The best of the screened models, for a study on the same split, of which screening has not used the test set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from commongarden import store
from commongarden.records.screening import SELECTION_FILE, Screening, written
from commongarden.stats.screened import ranked, selection, together


def best(found: Screening, n: int) -> list[str]:
    """The names of the n best models, the best first."""
    return [one.screened.model for one in ranked(found)[:n]]


def record(found: Screening, models: Sequence[str], folder: Path) -> None:
    """Keeps what the models of the study in a folder were chosen from, before it is begun. A study that was begun
    without screening is left as it is. Raises StoreError."""
    is_begun = (folder / "study.toml").is_file()
    if is_begun and not (folder / SELECTION_FILE).is_file():
        return
    with store.lock(folder):
        made, before = selection(found, models), store.Store(folder).selection()
        if is_begun and before is not None:
            made = together(before, made)
        store.keep(folder, SELECTION_FILE, written(made))
