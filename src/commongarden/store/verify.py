"""A whole study held against its checksums and against itself: what is torn, missing, foreign, or contradicts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from commongarden.errors import CommonGardenError, StoreError, reason_of
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_
from commongarden.io import reader
from commongarden.records import Run
from commongarden.store import checksums, kinds
from commongarden.store.folder import Store, read_history, read_predictions, read_run, read_signals, read_weights

Kind = Literal["torn", "missing", "contradicts", "foreign", "set aside", "unchecked"]
WRONG = ("torn", "missing", "contradicts")  # the others are told, and nothing is read of them
NOT_OURS = re.compile(r"\.(lock(\.soft)?|holder|request-.*|DS_Store|nfs.*|.*\.tmp)|Thumbs\.db|desktop\.ini")
MADE_ANEW = re.compile(
    r"(events\.jsonl|view-run\.log|results\.(csv|json)|screening\.(csv|json|html)|report\.(html|docx|md)|table\.tex|report_files|tensorboard|tuning|runs|checksums\.sha256|\.lock)"
)


@dataclass(frozen=True)
class Found:
    """One thing that a reader of the study should know. path: within the study's folder. why: in English."""

    kind: Kind
    path: str
    why: Coded


@dataclass(frozen=True)
class Verified:
    """What was looked at, and what was found."""

    n_runs: int
    n_files: int
    n_bytes: int
    found: tuple[Found, ...]

    @property
    def wrong(self) -> tuple[Found, ...]:
        """What makes the study's numbers doubtful."""
        return tuple(one for one in self.found if one.kind in WRONG)


def verify(store: Store, also: Mapping[str, Callable[[Store], object]] | None = None) -> Verified:
    """Reads every file of the study. also: readers of more of its files, by name. Raises StoreError where there is no
    study."""
    look = _Look(store)
    look.own_files()
    look.runs(store, "runs")
    if store.tuning().root.is_dir():
        look.runs(store.tuning(), "tuning/runs")
    look.own_records(also or {})
    look.against_each_other()
    return Verified(look.n_runs, look.n_files, look.n_bytes, tuple(look.found))


def damage(folder: Path) -> list[tuple[Kind, str, Coded]]:
    """The files of a folder that are not what was written, with what is wrong and why. Raises StoreError, OSError."""
    try:
        known = checksums.listed(folder)
    except StoreError:
        return [("torn", checksums.FILE, N_("the list of checksums is corrupt"))]
    found: list[tuple[Kind, str, Coded]] = []
    for name, digests in (known or {}).items():
        path = folder / name
        if not path.is_file():
            if checksums.ABSENT not in digests:
                found.append(("missing", name, N_("the file is missing")))
        elif checksums.file_digest(path) not in digests:
            found.append(("torn", name, N_("its SHA-256 has changed since it was written")))
    return found


class _Look:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.found: list[Found] = []
        self.n_runs = self.n_files = self.n_bytes = 0

    def own_files(self) -> None:
        """The study's own, which stand in its list."""
        root = self.store.root
        self._held_against_its_list(root, "")
        known = self._listed(root)
        for path in sorted(root.iterdir()):
            if ".set-aside-" in path.name:
                self._tell("set aside", path.name, N_("it was corrupt and is not read"))
            elif known is not None and path.is_file() and path.name not in known and not _is_told_elsewhere(path.name):
                self._tell("foreign", path.name, N_("not written by commongarden, it is not read"))

    def runs(self, store: Store, within: str) -> None:
        """Every folder of a run, also of arms that the study does not have."""
        for directory in sorted(store.root.glob("runs/*/*")):
            name = f"{within}/{directory.parent.name}/{directory.name}"
            if ".set-aside-" in directory.name:
                self._tell("set aside", name, N_("it was corrupt and is not read"))
            elif directory.is_dir() and directory.name.isdecimal():
                self.n_runs += 1
                whole = self._held_against_its_list(directory, name)
                known = self._listed(directory)
                for path in sorted(directory.iterdir()):
                    if known is not None and path.name not in (*known, checksums.FILE) and not _is_not_ours(path.name):
                        self._tell("foreign", f"{name}/{path.name}", N_("it was added after the run ended"))
                if whole:
                    self._told(name, partial(self._one_run, directory, name))

    def own_records(self, also: Mapping[str, Callable[[Store], object]]) -> None:
        """Those of the study's own files that its numbers do not rest on, each as its reader reads it."""
        from commongarden.store import attribution_maps

        store, root = self.store, self.store.root
        readers: dict[str, Callable[[], object]] = {
            "layout.json": store.understood,
            "inspection.json": store.inspection,
            "selection.json": store.selection,
            "decisions.json": store.decisions,
            "contract.json": lambda: reader.read(root / "contract.json", kinds.CONTRACT),
            "audit.json": store.audits,
            "thumbnails.npz": store.thumbnails,
            "command.json": store.command,
            **{name: partial(read, store) for name, read in also.items()},
        }
        readers = {name: read for name, read in readers.items() if (root / name).is_file()}
        for path in sorted(root.glob("baselines/*.npz")):
            readers[f"baselines/{path.name}"] = partial(store.read_baselines, path.name)
        for path in sorted(root.glob(f"{attribution_maps.FOLDER}/*.npz")):
            readers[f"{attribution_maps.FOLDER}/{path.name}"] = partial(attribution_maps.read, store, path.stem)
        for name, read in readers.items():
            self._told(name, read)

    def against_each_other(self) -> None:
        """The study's own files against each other and against its runs."""
        store = self.store
        try:
            study, manifest, splits = store.study(), store.manifest(), store.splits()
            runs = {
                (arm, seed): run
                for arm in study.arms
                for seed in study.seeds
                if (run := self._run(arm, seed)) is not None
            }
        except CommonGardenError as error:
            self._tell("torn", _place_of(error, store.root), reason_of(error))
            return
        for (arm, seed), run in runs.items():
            name = f"runs/{arm}/{seed}/run.json"
            self._same(name, N_("the photos"), run.hashes.data, manifest.hash)
            self._same(name, N_("the split"), run.hashes.split, splits[seed].hash)
            self._same(name, N_("the recipe"), run.recipe, study.recipe_of(arm))

    def _run(self, arm: str, seed: int) -> Run | None:
        try:
            return self.store.run(arm, seed) if self.store.has(arm, seed) else None
        except StoreError:
            return None  # told with its folder

    def _one_run(self, directory: Path, name: str) -> None:
        run = read_run(directory)
        place = f"{directory.parent.name}, {directory.name}"
        self._same(f"{name}/run.json", N_("model and seed"), f"{run.arm}, {run.seed}", place)
        epochs = [str(epoch.epoch) for epoch in read_history(directory)]
        self._same(f"{name}/history.csv", N_("its epochs"), epochs, [str(i) for i in range(1, len(epochs) + 1)])
        if len(epochs) < run.selected_epoch:
            self._same(f"{name}/history.csv", N_("its epochs"), len(epochs), run.selected_epoch)
        for file, read in (("signals.npz", read_signals), ("model.safetensors", read_weights)):
            if (directory / file).is_file():
                self._told(f"{name}/{file}", partial(read, directory, run))
        if run.test_accuracy is not None and (directory / "predictions.npz").is_file():
            said = read_predictions(directory, run)
            n_right = int((said.probabilities.argmax(axis=1) == said.labels).sum())
            self._same(
                f"{name}/predictions.npz", N_("the test accuracy"), n_right / len(said.labels), run.test_accuracy
            )
            self._same(f"{name}/predictions.npz", N_("its photos"), len(said.photos), run.n_test)

    def _held_against_its_list(self, folder: Path, name: str) -> bool:
        """Whether all that stands in a folder's list is there as it was written."""
        known = self._listed(folder)
        files = (
            [path for path in folder.iterdir() if path.is_file()] if known is None else [folder / one for one in known]
        )
        for path in files:
            if path.is_file():
                self.n_files += 1
                self.n_bytes += path.stat().st_size
        if known is None and not (folder / checksums.FILE).is_file():
            why = N_("written by an earlier version without checksums; its files are read unchecked")
            self._tell("unchecked", name or ".", why)
            return True
        wrong = damage(folder)
        for kind, file, why in wrong:
            self._tell(kind, f"{name}/{file}".lstrip("/"), why)
        return not wrong

    def _listed(self, folder: Path) -> checksums.Digests | None:
        try:
            return checksums.listed(folder)
        except StoreError:
            return None

    def _told(self, path: str, read: Callable[[], object]) -> None:
        try:
            read()
        except CommonGardenError as error:
            if not any(one.path == path and one.kind in WRONG for one in self.found):
                self._tell("torn", path, reason_of(error))

    def _same(self, path: str, what: Coded, found: object, wanted: object) -> None:
        if found != wanted:
            text = N_("{what}: found {found}, expected {wanted}")
            self._tell("contradicts", path, text.format(what=what, found=found, wanted=wanted))

    def _tell(self, kind: Kind, path: str, why: Coded) -> None:
        self.found.append(Found(kind, path, why))


def _place_of(error: CommonGardenError, root: Path) -> str:
    """Which of the study's files an error names."""
    names = ("manifest.csv", "split.json", *(path.relative_to(root).as_posix() for path in root.glob("splits/*.json")))
    return next((name for name in names if str(root / name) in str(error)), "study.toml")


def _is_not_ours(name: str) -> bool:
    return NOT_OURS.fullmatch(name) is not None


def _is_told_elsewhere(name: str) -> bool:
    return MADE_ANEW.fullmatch(name) is not None or _is_not_ours(name)
