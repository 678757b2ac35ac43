"""What a study's folder holds, read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

from commongarden.errors import StoreError
from commongarden.i18n.language import _
from commongarden.io import limits, reader
from commongarden.io.limits import Limit
from commongarden.io.reader import Kind
from commongarden.records import (
    Baseline,
    BaselineKind,
    Epoch,
    Manifest,
    Predictions,
    Run,
    Split,
    Understood,
    inspection,
    screening,
)
from commongarden.records import decision as decision_file
from commongarden.records.decision import Decision, Decisions
from commongarden.records.findings import Audit
from commongarden.records.inspection import Inspection
from commongarden.records.screening import Selection
from commongarden.records.signals import Signals
from commongarden.store import kinds
from commongarden.store.places import check_study
from commongarden.study import Study

Read = TypeVar("Read")
Other = TypeVar("Other")
UNDERSTOOD, WEIGHTS = "layout.json", "model.safetensors"
SHORTEST_LINE = 8  # bytes of a photo in manifest.csv: four cells and what is between them
BASELINES_VERSION = 1  # rises whenever the same photos would give other baselines


@dataclass(frozen=True)
class Store:
    """One study's directory. Methods read; a missing or torn file raises StoreError with its path."""

    root: Path

    def study(self) -> Study:
        """The effective study."""
        return self._own("study.toml", kinds.STUDY)

    def manifest(self) -> Manifest:
        """The photos that take part, with what was left out of them (kept in split.json). Raises StoreError where a
        photo of the split is none of them."""
        photos = self._own("manifest.csv", kinds.MANIFEST)
        file = self._own("split.json", kinds.SPLIT)
        known = {photo.path for photo in photos}
        lacking = [
            path for part in (file.split.train, file.split.val, file.split.test) for path in part if path not in known
        ]
        if lacking:
            text = _(
                "{path}: lacks {n} images that split.json names, such as {one}; accepted: the file as it was written"
            )
            raise StoreError(text.format(path=self.root / "manifest.csv", n=f"{len(lacking):,}", one=lacking[0]))
        range = self.study().range if (self.root / "study.toml").is_file() else None
        return Manifest(file.root, photos, file.unreadable, range)

    def understood(self) -> Understood | None:
        """How the data were read; None in a study of an earlier version."""
        return self._spare(UNDERSTOOD, kinds.LAYOUT, None)

    def inspection(self) -> Inspection | None:
        """What reading the photos found; None in a study of an earlier version, or in another version's form."""
        found = self._spare(inspection.FILE, inspection.KIND, None)
        return found if found is not None and found.schema == inspection.INSPECTION_SCHEMA else None

    def selection(self) -> Selection | None:
        """What screening chose the study's models from; None where it did not."""
        return self._spare(screening.SELECTION_FILE, screening.SELECTION_KIND, None)

    def command(self) -> tuple[str, ...]:
        """The words of the command that the study was last made with; empty where none is kept."""
        return self._spare("command.json", kinds.COMMAND, ())

    def decisions(self) -> tuple[Decision, ...]:
        """What people decided about the study, the first decision first."""
        return self._spare(decision_file.FILE, decision_file.KIND, Decisions()).decisions

    def dropped(self) -> dict[str, Decision]:
        """The arms that get no more runs because a person decided so."""
        return decision_file.dropped(self.decisions())

    def split(self, seed: int | None = None) -> Split:
        """Which part each photo is in, in the runs with this seed; without one in those with the study's first seed."""
        own = self.split_file(seed) if seed is not None else None
        if own is None or not own.is_file():
            return self._own("split.json", kinds.SPLIT).split
        return self._own(f"splits/{own.name}", kinds.OWN_SPLIT)

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

    def has_weights(self, run: Run) -> bool:
        """Whether the run's weights are there: it finished, and they were not deleted."""
        return (self.directory(run.arm, run.seed) / WEIGHTS).is_file()

    def run(self, arm: str, seed: int) -> Run:
        """One run's record."""
        return read_run(self.directory(arm, seed))

    def history(self, arm: str, seed: int) -> tuple[Epoch, ...]:
        """One entry an epoch, from the first."""
        return read_history(self.directory(arm, seed))

    def predictions(self, arm: str, seed: int) -> Predictions:
        """What the run said of every test photo."""
        return read_predictions(self.directory(arm, seed), self.run(arm, seed))

    def signals(self, arm: str, seed: int) -> Signals | None:
        """What passed through the network while it was trained; None for runs that recorded none."""
        directory = self.directory(arm, seed)
        if not (directory / "signals.npz").is_file():
            return None
        run = self.run(arm, seed)
        return self.tolerating(lambda: read_signals(directory, run), None)

    def audits(self) -> dict[str, Audit]:
        """What was found in each arm's network before its runs; those of another version's making are left out."""
        return self._spare("audit.json", kinds.AUDITS, {})

    def baselines(self, data: str, split: str) -> tuple[tuple[Baseline, Predictions], ...] | None:
        """What simple methods reached on photos and a split of these hashes; None where nobody has tried."""
        return self.read_baselines(f"{baselines_key(data, split)}.npz")

    def read_baselines(self, name: str) -> tuple[tuple[Baseline, Predictions], ...] | None:
        """The same of a file of this name."""
        n_photos = self._most_photos()
        limit = limits.of_predictions(n_photos, n_photos, len(get_args(BaselineKind)))
        return self._spare(f"baselines/{name}", kinds.BASELINES, None, limit)

    def tuning(self) -> Store:
        """Where the tuning runs lie, laid out like a study's: the number of one stands in place of its seed."""
        return Store(self.root / "tuning")

    def thumbnails(self) -> dict[str, bytes]:
        """JPEG bytes by photo path; empty where no run has finished."""
        return self._spare("thumbnails.npz", kinds.THUMBNAILS, {})

    def tolerating(self, read: Callable[[], Read], instead: Other) -> Read | Other:
        """What `read` gives, of a file that no figure rests on. Raises StoreError; a report does without the file."""
        return read()

    def directory(self, arm: str, seed: int) -> Path:
        """Where a finished run lies."""
        return self.root / "runs" / arm / str(seed)

    def partial(self, arm: str, seed: int) -> Path:
        """Where a run under way keeps its checkpoint."""
        return self.root / "runs" / arm / f"{seed}.partial"

    def _own(self, name: str, kind: Kind[Read], within: Limit | None = None) -> Read:
        return reader.read(self.root / name, kind, within=within, root=self.root)

    def _spare(self, name: str, kind: Kind[Read], instead: Other, within: Limit | None = None) -> Read | Other:
        """A file that may be missing, and that no figure rests on."""
        if not (self.root / name).is_file():
            return instead
        return self.tolerating(lambda: self._own(name, kind, within), instead)

    def _most_photos(self) -> int:
        """No more photos than this can stand in manifest.csv, of which each takes a line."""
        try:
            return (self.root / "manifest.csv").stat().st_size // SHORTEST_LINE
        except OSError:
            return 0


@dataclass(frozen=True)
class ReadOnce(Store):
    """A study's folder as it is while one report is written: study, runs and histories are read and checked once and
    kept, where a report asks for each some fifty times. Predictions and signals, which may be large, are not.

    unread: why files that no figure rests on cannot be read; the report is made without them."""

    kept: dict[tuple[object, ...], Any] = field(default_factory=dict, compare=False, repr=False)
    unread: list[str] = field(default_factory=list, compare=False, repr=False)

    def study(self) -> Study:
        return self._once(("study",), super().study)

    def runs(self) -> tuple[Run, ...]:
        return self._once(("runs",), super().runs)

    def run(self, arm: str, seed: int) -> Run:
        return self._once(("run", arm, seed), lambda: Store.run(self, arm, seed))

    def history(self, arm: str, seed: int) -> tuple[Epoch, ...]:
        return self._once(("history", arm, seed), lambda: Store.history(self, arm, seed))

    def tolerating(self, read: Callable[[], Read], instead: Other) -> Read | Other:
        try:
            return read()
        except StoreError as error:
            if str(error) not in self.unread:
                self.unread.append(str(error))
            return instead

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
    check_study(path)
    return Store(path)


def read_run(directory: Path) -> Run:
    """The record in a run's own directory (runs/ARM/SEED). Raises StoreError."""
    return reader.read(directory / "run.json", kinds.RUN, root=directory)


def read_history(directory: Path) -> tuple[Epoch, ...]:
    """The epochs in a run's own directory. Raises StoreError."""
    return reader.read(directory / "history.csv", kinds.HISTORY, root=directory)


def read_predictions(directory: Path, run: Run | None = None) -> Predictions:
    """What the run in this directory said of every test photo. run: its record, where it was read already. Raises
    StoreError."""
    path, run = directory / "predictions.npz", run or read_run(directory)
    limit = limits.of_predictions(run.n_test, len(run.classes))
    found = reader.read(path, kinds.PREDICTIONS, within=limit, root=directory)
    n_photos, n_classes = found.probabilities.shape
    wanted, classes = run.n_test, len(run.classes)
    if (n_photos, n_classes) != (wanted, classes):
        text = _(
            "{path}: found predictions for {n_photos:,} photos and {n_classes:,} classes, accepted: "
            "{wanted:,} photos and {classes:,} classes, as in run.json"
        )
        raise StoreError(text.format(path=path, n_photos=n_photos, n_classes=n_classes, wanted=wanted, classes=classes))
    return found


def read_signals(directory: Path, run: Run) -> Signals:
    """What passed through the layers of the run in this directory. Raises StoreError."""
    path, limit = directory / "signals.npz", limits.of_signals(run.recipe.epochs)
    return reader.read(path, kinds.SIGNALS, within=limit, root=directory)


def read_weights(directory: Path, run: Run) -> bytes:
    """The weights of the run in this directory, as safetensors. Raises StoreError."""
    if run.status == "finished" and not (directory / WEIGHTS).is_file():
        text = _(
            "{directory}: the weights of this run were deleted (`commongarden clean`); accepted: a run that has them. "
            "To train this run again, delete its folder and repeat the command of the study"
        )
        raise StoreError(text.format(directory=directory))
    within = None if run.model_bytes is None else limits.of_weights(run.model_bytes)
    return reader.read(directory / WEIGHTS, kinds.WEIGHTS, within=within, root=directory)


def baselines_key(data: str, split: str) -> str:
    """Under which baselines of these hashes are kept."""
    return hashlib.sha256(f"baselines {BASELINES_VERSION} {data} {split}".encode()).hexdigest()[:16]
