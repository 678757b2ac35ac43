"""Which studies a folder holds, and each of them in a line. Nothing is opened that the folder does not hold: links to
elsewhere are not followed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from commongarden.errors import CommonGardenError
from commongarden.records.event_log import Logged
from commongarden.store import Store, is_held, read_run
from commongarden.store.event_log import Tail
from commongarden.view.progress import Progress

State = Literal["running", "finished", "stopped", "killed", "error", "waiting", "unreadable"]
DEPTH = 4  # folders below the one that is shown
MOST_FOLDERS = 20_000  # that are looked into
LARGEST_RESULTS = 64 * 2**20  # bytes of a results.json that is read for the list


@dataclass(frozen=True)
class Listed:
    """A study in a line.

    key: its name in addresses. place: its folder within the one that is shown. n_planned: runs by its study file.
    best: the first in its ranking, with its mean test accuracy. changed: when something last happened. seconds: that
    processes have worked on it, None where it has no events.jsonl. reason: why it cannot be read.
    """

    key: str
    place: str
    name: str
    state: State
    n_finished: int = 0
    n_failed: int = 0
    n_planned: int = 0
    best: tuple[str, float] | None = None
    changed: float = 0.0
    seconds: float | None = None
    n_bytes: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Counted:
    """How far a study is. n_made: runs in its store; changed: when something last came to it."""

    name: str
    state: State
    n_made: int
    n_planned: int
    changed: float


class _Accuracy(msgspec.Struct):
    value: float


class _Arm(msgspec.Struct):
    arm: str
    n_failed: int = 0
    test_accuracy: _Accuracy | None = None


class _Standing(msgspec.Struct):
    arm: str


class _Results(msgspec.Struct):
    """What the list shows of results.json."""

    arms: tuple[_Arm, ...] = ()
    standings: tuple[_Standing, ...] = ()


@dataclass(frozen=True)
class _Declared:
    """What the list shows of study.toml."""

    name: str
    arms: dict[str, None]
    seeds: frozenset[str]


@dataclass
class Followed:
    """A study that is looked at again and again. progress: as far as its events.jsonl was read."""

    key: str
    place: str
    folder: Path
    tail: Tail
    progress: Progress = field(default_factory=Progress)
    _study: tuple[object, _Declared] | None = None
    _results: tuple[object, _Results] | None = None
    _size: tuple[object, int] | None = None
    _damages: dict[Path, tuple[object, str]] = field(default_factory=dict)

    def follow(self) -> list[Logged]:
        """Takes in what is new in its events.jsonl, and gives it."""
        if not self.tail.has_more():
            return []
        lines = self.tail.read()
        if self.tail.is_new:
            self.progress = Progress()
        self.progress.take(lines)
        return lines

    def counted(self) -> Counted:
        """How far it is, as it is now. Raises CommonGardenError."""
        self.follow()
        declared = self._read_study()
        made, changed = self._made(declared)
        n_made = sum(made.values())
        dropped = Store(self.folder).dropped()
        planned = sum(made[arm] if arm in dropped else len(declared.seeds) for arm in declared.arms)
        return Counted(declared.name, self.state(n_made, planned), n_made, planned, changed)

    def listed(self) -> Listed:
        """It in a line, as it is now."""
        try:
            counted, reason = self.counted(), self._damage()
        except CommonGardenError as error:
            n_bytes = self._bytes(_changed(self.folder / "study.toml"))
            return Listed(self.key, self.place, self.folder.name, "unreadable", n_bytes=n_bytes, reason=str(error))
        results = self._read_results()
        failed = sum(one.status == "failed" for run, one in self.progress.done.items() if run.kind != "trial")
        n_failed = min(max(failed, sum(arm.n_failed for arm in results.arms)), counted.n_made)
        return Listed(
            self.key,
            self.place,
            counted.name,
            "unreadable" if reason else counted.state,
            counted.n_made - n_failed,
            n_failed,
            counted.n_planned,
            _best(results),
            max(counted.changed, self.progress.now),
            self.progress.seconds_worked if self.progress.n_sessions else None,
            self._bytes(counted.changed),
            reason,
        )

    def state(self, n_made: int, n_planned: int) -> State:
        """Whether it is running, and if not, how it came to an end."""
        progress = self.progress
        if is_held(self.folder):
            return "running"
        if n_made >= n_planned:
            return "finished"
        if progress.ended is not None and progress.ended.error:
            return "error"
        if progress.begun is not None and progress.ended is None:
            return "killed"
        return "stopped" if n_made or progress.begun is not None else "waiting"

    def _read_study(self) -> _Declared:
        stamp = file_stamp(self.folder / "study.toml")
        if self._study is None or self._study[0] != stamp:
            study = Store(self.folder).study()
            seeds = frozenset(map(str, study.seeds))
            self._study = stamp, _Declared(study.name, dict.fromkeys(study.arms), seeds)
        return self._study[1]

    @property
    def arms(self) -> list[str]:
        """In the order of the study. Raises CommonGardenError."""
        return list(self._read_study().arms)

    def _made(self, declared: _Declared) -> tuple[Counter[str], float]:
        """How many runs of each arm are in the store, and when the last one came."""
        found, changed = Counter[str](), _changed(self.folder / "study.toml")
        for arm in _entries(self.folder / "runs"):
            if arm.name in declared.arms and arm.is_dir(follow_symlinks=False):
                found[arm.name] = sum(run.name in declared.seeds for run in _entries(Path(arm.path)))
                changed = max(changed, arm.stat().st_mtime)
        return found, changed

    def _damage(self) -> str:
        """Why the record of a run cannot be read; "" where all can. Each is read once, as long as it is the same."""
        declared = self._read_study()
        for arm in declared.arms:
            for seed in declared.seeds:
                path = self.folder / "runs" / arm / seed / "run.json"
                stamp = file_stamp(path)
                if stamp != (0, 0) and self._damages.get(path, (None, ""))[0] != stamp:
                    self._damages[path] = stamp, _why_unreadable(path.parent)
        return next((why for _stamp, why in self._damages.values() if why), "")

    def _read_results(self) -> _Results:
        path = self.folder / "results.json"
        try:
            stamp = file_stamp(path)
            if self._results is None or self._results[0] != stamp:
                data = path.read_bytes() if stamp[1] <= LARGEST_RESULTS else b"{}"
                self._results = stamp, msgspec.json.decode(data, type=_Results)
            return self._results[1]
        except (OSError, msgspec.DecodeError):
            return _Results()

    def _bytes(self, changed: float) -> int:
        """Of all its files; counted again when a run was added."""
        if self._size is None or self._size[0] != changed:
            self._size = (
                changed,
                sum(_size(Path(folder, name)) for folder, _, names in os.walk(self.folder) for name in names),
            )
        return self._size[1]


def follow(key: str, place: str, folder: Path) -> Followed:
    """A study that was not looked at yet."""
    return Followed(key, place, folder, Tail(folder))


class Garden:
    """The studies of a folder, or the one study that a folder is."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.is_study = (self.root / "study.toml").is_file()
        self._known: dict[str, Followed] = {}

    def followed(self) -> list[Followed]:
        """All studies, those that are new among them."""
        places = [self.root] if self.is_study else sorted(_studies(self.root, DEPTH))
        found: dict[str, Followed] = {}
        for folder in places:
            place = folder.relative_to(self.root.parent if self.is_study else self.root).as_posix()
            key = place.replace("/", "~")
            found[key] = self._known.get(key) or follow(key, place, folder)
        self._known = found
        return list(found.values())

    def get(self, key: str) -> Followed | None:
        """The study with this key; None where the folder has none such. A key is compared, and never made a path."""
        if key not in self._known:
            self.followed()
        return self._known.get(key)

    def listed(self) -> list[Listed]:
        """All studies, the one in which something happened last first."""
        return sorted((one.listed() for one in self.followed()), key=lambda one: -one.changed)


def _why_unreadable(run: Path) -> str:
    try:
        read_run(run)
    except CommonGardenError as error:
        return str(error)
    return ""


def _best(results: _Results) -> tuple[str, float] | None:
    reached = {arm.arm: arm.test_accuracy for arm in results.arms}
    if not results.standings or (best := reached.get(results.standings[0].arm)) is None:
        return None
    return results.standings[0].arm, best.value


def _studies(root: Path, depth: int) -> Iterator[Path]:
    waiting, looked = [(root, depth)], 0
    while waiting and looked < MOST_FOLDERS:
        folder, left = waiting.pop()
        looked += 1
        inside = [entry for entry in _entries(folder) if entry.is_dir(follow_symlinks=False) and entry.name[:1] != "."]
        for entry in inside:
            path = Path(entry.path)
            if (path / "study.toml").is_file():
                yield path
            elif left > 1:
                waiting.append((path, left - 1))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def file_stamp(path: Path) -> tuple[int, int]:
    """Time of the last change and size of a file, which tell whether it is the same; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
