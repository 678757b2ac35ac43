"""The report of a study as a part of its page: the same document as report.html, made again when there are new runs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commongarden.i18n.language import written
from commongarden.store import ReadOnce, Store
from commongarden.view.studies import file_stamp

KEPT = 16  # reports, of studies and languages


@dataclass(frozen=True)
class Made:
    """A report as elements, and its charts by their place. warnings: of files that it was made without."""

    body: str
    specs: dict[str, Any]
    warnings: tuple[str, ...]


class Reports:
    """Makes one report at a time, and keeps the last ones."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Path, str], tuple[object, Made]] = OrderedDict()
        self._one = threading.Lock()

    def report(self, folder: Path, language: str) -> Made:
        """The report of a study as it is now. Takes a second or more for a new one. Raises CommonGardenError."""
        with self._one:
            state, key = _state(Store(folder)), (folder, language)
            if key in self._kept and self._kept[key][0] == state:
                self._kept.move_to_end(key)
                return self._kept[key][1]
            made = _made(folder, language)
            self._kept[key] = state, made
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return made

    def across(self, folders: Sequence[tuple[str, Path]], language: str) -> Made:
        """Several studies side by side: (name, folder) of each. Raises CommonGardenError."""
        from commongarden import stats
        from commongarden.report import across
        from commongarden.report.document import html
        from commongarden.stats.between_studies import Side

        with self._one, written(language):
            sides = []
            for name, folder in folders:
                store = ReadOnce(folder)
                sides.append(Side(name, store, stats.summarize(store)))
            parts = html.to_parts(across.document(sides), across.models(sides))
            return Made(parts.body, dict(parts.specs), ())


def warm_up() -> None:
    """Loads what reports are made with, which takes seconds."""
    import commongarden.report.page
    import commongarden.stats  # noqa: F401


def _made(folder: Path, language: str) -> Made:
    from commongarden import report, stats
    from commongarden.report import page

    with written(language):
        store = ReadOnce(folder)
        parts = page.parts(store, stats.summarize(store))
        return Made(parts.body, dict(parts.specs), tuple(report.unread(store)))


def _state(store: Store) -> object:
    """What changes where the report would be another one."""
    names = ("study.toml", "audit.json", "racing.json", "thumbnails.npz", "selection.json", "decisions.json")
    files = [store.root / name for name in names] + sorted(store.root.glob("seen/*.npz"))
    runs = sorted(store.root.glob("runs/*/*/run.json"))
    return [(path.name, *file_stamp(path)) for path in files], [
        (path.parent.parts[-2:], *file_stamp(path)) for path in runs
    ]
