"""What a study's folder holds, read."""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from commongarden import study as study_file
from commongarden.errors import StoreError
from commongarden.i18n.language import N_, _
from commongarden.io import csv_cells, npz
from commongarden.records import SCHEMA, Baseline, Epoch, LeftOut, Manifest, Photo, Predictions, Run, Split, Understood
from commongarden.records import signals as signal_file
from commongarden.records.findings import AUDIT_SCHEMA, Audit
from commongarden.records.signals import Signals
from commongarden.store.checksums import checked
from commongarden.store.parsing import decoded, predictions_of, rows_of, text_of
from commongarden.study import Study
from commongarden.study.recipe import with_legacy_defaults

Read = TypeVar("Read")
UNDERSTOOD = "layout.json"
BASELINES_VERSION = 1  # rises whenever the same photos would give other baselines


@dataclass(frozen=True)
class Store:
    """One study's directory. Methods read; a missing or torn file raises StoreError with its path."""

    root: Path

    def study(self) -> Study:
        """The effective study."""
        path = self.root / "study.toml"
        return study_file.parse_effective(text_of(path, checked(self.root, path.name)), where=str(path))

    def manifest(self) -> Manifest:
        """The photos that take part, with what was left out of them (kept in split.json)."""
        path = self.root / "manifest.csv"
        columns = [field.name for field in dataclasses.fields(Photo)]
        rows = rows_of(path, checked(self.root, path.name), columns, optional=("group",))
        photos = tuple(Photo(**{key: csv_cells.plain(cell) for key, cell in row.items()}) for row in rows)
        file = _read_split(self.root)
        range = self.study().range if (self.root / "study.toml").is_file() else None
        return Manifest(file.root, photos, file.unreadable, range)

    def understood(self) -> Understood | None:
        """How the data were read; None in a study of an earlier version."""
        path = self.root / UNDERSTOOD
        if not path.is_file():
            return None
        return decoded(path, checked(self.root, path.name), Understood, N_("how a study's data were read"))

    def split(self, seed: int | None = None) -> Split:
        """Which part each photo is in, in the runs with this seed; without one in those with the study's first seed."""
        own = self.split_file(seed) if seed is not None else None
        if own is None or not own.is_file():
            return _read_split(self.root).split
        return decoded(own, checked(self.root, f"splits/{own.name}"), Split, N_("a split"))

    def splits(self) -> dict[int, Split]:
        """The split of every run seed of the study."""
        study = self.study()
        if not study.splits_vary:
            return dict.fromkeys(study.seeds, self.split())
        return {seed: self.split(seed) for seed in study.seeds}

    def split_file(self, seed: int) -> Path:
        """Where a run seed's own split is kept, in a study that has such."""
        return self.root / "splits" / f"{seed}.json"

    def runs(self) -> tuple[Run, ...]:
        """Every finished or failed run, in the study's order of arms, then by seed."""
        study = self.study()
        found = [self.run(arm, seed) for arm in study.arms for seed in study.seeds if self.has(arm, seed)]
        return tuple(found)

    def has(self, arm: str, seed: int) -> bool:
        """Whether the run is finished or recorded as failed."""
        return (self.directory(arm, seed) / "run.json").is_file()

    def state(self, arm: str, seed: int) -> str:
        """ "finished", "failed", "under way" (a checkpoint is there) or "missing"."""
        if self.has(arm, seed):
            return self.run(arm, seed).status
        return "under way" if (self.partial(arm, seed) / "checkpoint.pt").is_file() else "missing"

    def run(self, arm: str, seed: int) -> Run:
        """One run's record."""
        return read_run(self.directory(arm, seed))

    def history(self, arm: str, seed: int) -> tuple[Epoch, ...]:
        """One entry an epoch, from the first."""
        return read_history(self.directory(arm, seed))

    def predictions(self, arm: str, seed: int) -> Predictions:
        """What the run said of every test photo."""
        return read_predictions(self.directory(arm, seed))

    def signals(self, arm: str, seed: int) -> Signals | None:
        """What passed through the network while it was trained; None for runs that recorded none."""
        path = self.directory(arm, seed) / "signals.npz"
        if not path.is_file():
            return None
        try:
            return signal_file.from_bytes(checked(path.parent, path.name))
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise StoreError(_("{path}: not a run's signals: {reason}").format(path=path, reason=error)) from None

    def audits(self) -> dict[str, Audit]:
        """What was found in each arm's network before its runs; those of another version's making are left out."""
        path = self.root / "audit.json"
        if not path.is_file():
            return {}
        what = N_("a study's audits")
        kept = decoded(path, checked(self.root, path.name), dict[str, msgspec.Raw], what)
        schemas = {arm: decoded(path, bytes(raw), _Versioned, what).schema for arm, raw in kept.items()}
        return {
            arm: decoded(path, bytes(raw), Audit, what) for arm, raw in kept.items() if schemas[arm] == AUDIT_SCHEMA
        }

    def baselines(self, data: str, split: str) -> tuple[tuple[Baseline, Predictions], ...] | None:
        """What simple methods reached on photos and a split of these hashes; None where nobody has tried."""
        path = self.root / "baselines" / f"{baselines_key(data, split)}.npz"
        if not path.is_file():
            return None
        kept = npz.read(checked(self.root, f"baselines/{path.name}"), where=path)
        about = kept.get("baselines", np.empty(0, np.uint8)).tobytes()
        found = decoded(path, about, tuple[Baseline, ...], N_("a study's baselines"))
        return tuple((item, predictions_of(path, kept, f"probabilities_{item.kind}")) for item in found)

    def tuning(self) -> Store:
        """Where the tuning runs lie, laid out like a study's: the number of one stands in place of its seed."""
        return Store(self.root / "tuning")

    def thumbnails(self) -> dict[str, bytes]:
        """JPEG bytes by photo path; empty where no run has finished."""
        path = self.root / "thumbnails.npz"
        if not path.is_file():
            return {}
        kept = npz.read(checked(self.root, path.name), where=path)
        names = kept.get("photos", np.empty(0, np.str_)).ravel()
        return {str(name): kept[f"jpeg_{i}"].tobytes() for i, name in enumerate(names) if f"jpeg_{i}" in kept}

    def directory(self, arm: str, seed: int) -> Path:
        """Where a finished run lies."""
        return self.root / "runs" / arm / str(seed)

    def partial(self, arm: str, seed: int) -> Path:
        """Where a run under way keeps its checkpoint."""
        return self.root / "runs" / arm / f"{seed}.partial"


@dataclass(frozen=True)
class ReadOnce(Store):
    """A study's folder as it is while one report is written: study, runs and histories are read and checked once and
    kept, where a report asks for each some fifty times. Predictions and signals, which may be large, are not."""

    kept: dict[tuple[object, ...], Any] = field(default_factory=dict, compare=False, repr=False)

    def study(self) -> Study:
        return self._once(("study",), super().study)

    def runs(self) -> tuple[Run, ...]:
        return self._once(("runs",), super().runs)

    def run(self, arm: str, seed: int) -> Run:
        return self._once(("run", arm, seed), lambda: Store.run(self, arm, seed))

    def history(self, arm: str, seed: int) -> tuple[Epoch, ...]:
        return self._once(("history", arm, seed), lambda: Store.history(self, arm, seed))

    def _once(self, key: tuple[object, ...], read: Callable[[], Read]) -> Read:
        if key not in self.kept:
            self.kept[key] = read()
        found: Read = self.kept[key]
        return found


def open_store(root: str | Path) -> Store:
    """Opens the folder of a study to read it.

    Args:
        root: the folder that `run` was given as `out`.

    Returns:
        The study's records; nothing is locked or written.

    Raises:
        StoreError: the folder holds no study, or one of a later version.
    """
    path = Path(root)
    if not (path / "study.toml").is_file():
        found = _("no such folder") if not path.exists() else _("no study.toml in it")
        raise StoreError(
            _("{path}: {found}; accepted: a folder that `commongarden run` made").format(path=path, found=found)
        )
    return Store(path)


def read_run(directory: Path) -> Run:
    """The record in a run's own directory (runs/ARM/SEED). Raises StoreError."""
    path = directory / "run.json"
    data, what = checked(directory, path.name), N_("a run's record")
    run = decoded(path, data, Run, what)
    run = dataclasses.replace(run, recipe=with_legacy_defaults(run.recipe, decoded(path, data, _Named, what).recipe))
    if run.schema != SCHEMA:
        raise StoreError(
            _("{path}: found schema {schema}; this version of commongarden reads {readable}").format(
                path=path, schema=run.schema, readable=SCHEMA
            )
        )
    return run


def read_history(directory: Path) -> tuple[Epoch, ...]:
    """The epochs in a run's own directory. Raises StoreError."""
    path = directory / "history.csv"
    epochs = []
    rows = rows_of(path, checked(directory, path.name), [field.name for field in dataclasses.fields(Epoch)])
    for line, row in enumerate(rows, 2):
        try:
            epochs.append(msgspec.convert(row, Epoch, strict=False))
        except msgspec.ValidationError as error:
            raise StoreError(
                _("{path}: line {line}: {reason}; accepted: the numbers that commongarden wrote").format(
                    path=path, line=line, reason=error
                )
            ) from None
    return tuple(epochs)


def read_predictions(directory: Path) -> Predictions:
    """What the run in this directory said of every test photo. Raises StoreError."""
    path = directory / "predictions.npz"
    return predictions_of(path, npz.read(checked(directory, path.name), where=path), "probabilities")


def baselines_key(data: str, split: str) -> str:
    """Under which baselines of these hashes are kept."""
    return hashlib.sha256(f"baselines {BASELINES_VERSION} {data} {split}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Versioned:
    schema: int


@dataclass(frozen=True)
class _Named:
    recipe: dict[str, msgspec.Raw]


@dataclass(frozen=True)
class SplitFile:
    """split.json: where the photos were, what could not be read, and the parts."""

    root: str
    unreadable: tuple[LeftOut, ...]
    split: Split


def _read_split(root: Path) -> SplitFile:
    return decoded(root / "split.json", checked(root, "split.json"), SplitFile, N_("a split"))
