"""A study on disk: a directory of finished, immutable runs.

    study.toml            the effective study, every default written out
    manifest.csv          path,label,part,sha256 of every photo that takes part
    split.json            the three parts, and what was left out and why
    splits/SEED.json      where each run seed has a split of its own: that one (split.json then has the first seed's)
    contract.json         what all arms share and what differs between them, with its hash
    runs/ARM/SEED/        one finished (or failed) run: run.json, history.csv, predictions.npz, model.safetensors,
                          signals.npz (what passed through its layers; runs of older versions have none)
    runs/ARM/SEED.partial/  a run under way: checkpoint.pt; renamed to runs/ARM/SEED as the last act of the run
    audit.json            what was found in each arm's network before its runs; made again where it is missing
    baselines/KEY.npz     what simple methods reached, and their predictions; KEY is a hash of photos and split
    tuning/runs/ARM/N/    the tuning run number N of an arm, as a run without test; best values go into study.toml
    thumbnails.npz        JPEG bytes of the test photos that the report shows
    command.json          the command that the study was last made with
    results.csv, results.json, report.html
    report.docx, report.md with report_files/, table.tex   written reports, where they were asked for
    tensorboard/          event files, where they were asked for

Contract. Every file is written under a temporary name in its own folder, flushed to the disk and renamed, so a
reader sees the old file or the new one, never half of one. study.toml is written last: a folder without it holds no
study yet. A run is visible exactly when its directory has its final name; it never changes afterwards. One process at
a time works on a study (`held`), and first of all mends what a killed one left half done (`mend`); any number may read.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import filelock
import msgspec
import numpy as np

from commongarden import signals as signal_file
from commongarden import study as study_file
from commongarden.errors import StoreError
from commongarden.findings import AUDIT_SCHEMA, Audit
from commongarden.language import _
from commongarden.records import SCHEMA, Baseline, Epoch, LeftOut, Manifest, Photo, Predictions, Run, Split
from commongarden.signals import Signals
from commongarden.study import Study

BASELINES_VERSION = 1  # rises whenever the same photos would give other baselines


@dataclass(frozen=True)
class Store:
    """One study's directory. Methods read; a missing or torn file raises StoreError with its path."""

    root: Path

    def study(self) -> Study:
        """The effective study."""
        return study_file.parse(_read(self.root / "study.toml").decode(), where=str(self.root / "study.toml"))

    def manifest(self) -> Manifest:
        """The photos that take part, with what was left out of them (kept in split.json)."""
        rows = list(csv.DictReader(io.StringIO(_read(self.root / "manifest.csv").decode())))
        try:
            photos = tuple(Photo(**row) for row in rows)
        except TypeError:
            raise StoreError(
                _("{path}: found other columns than path,label,part,sha256").format(path=self.root / "manifest.csv")
            ) from None
        file = _read_split(self.root)
        return Manifest(file.root, photos, file.unreadable)

    def split(self, seed: int | None = None) -> Split:
        """Which part each photo is in, in the runs with this seed; without one in those with the study's first seed."""
        own = self.split_file(seed) if seed is not None else None
        if own is None or not own.is_file():
            return _read_split(self.root).split
        try:
            return msgspec.json.decode(_read(own), type=Split)
        except msgspec.DecodeError as error:
            raise StoreError(f"{own}: not a split: {error}") from None

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
        path = self.directory(arm, seed) / "history.csv"
        rows = csv.DictReader(io.StringIO(_read(path).decode()))
        return tuple(msgspec.convert(row, Epoch, strict=False) for row in rows)

    def predictions(self, arm: str, seed: int) -> Predictions:
        """What the run said of every test photo."""
        path = self.directory(arm, seed) / "predictions.npz"
        with np.load(io.BytesIO(_read(path)), allow_pickle=False) as arrays:
            return Predictions(arrays["photos"], arrays["labels"], arrays["probabilities"])

    def signals(self, arm: str, seed: int) -> Signals | None:
        """What passed through the network while it was trained; None for runs that recorded none."""
        path = self.directory(arm, seed) / "signals.npz"
        if not path.is_file():
            return None
        try:
            return signal_file.from_bytes(_read(path))
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise StoreError(_("{path}: not a run's signals: {reason}").format(path=path, reason=error)) from None

    def audits(self) -> dict[str, Audit]:
        """What was found in each arm's network before its runs; those of another version's making are left out."""
        path = self.root / "audit.json"
        if not path.is_file():
            return {}
        try:
            kept = msgspec.json.decode(_read(path), type=dict[str, msgspec.Raw])
            schemas = {arm: msgspec.json.decode(raw, type=_Versioned).schema for arm, raw in kept.items()}
            return {
                arm: msgspec.json.decode(raw, type=Audit) for arm, raw in kept.items() if schemas[arm] == AUDIT_SCHEMA
            }
        except msgspec.DecodeError as error:
            raise StoreError(
                _("{path}: not a study's audits: {reason}; accepted: none, they are made again").format(
                    path=path, reason=error
                )
            ) from None

    def baselines(self, data: str, split: str) -> tuple[tuple[Baseline, Predictions], ...] | None:
        """What simple methods reached on photos and a split of these hashes; None where nobody has tried."""
        path = self.root / "baselines" / f"{_baselines_key(data, split)}.npz"
        if not path.is_file():
            return None
        with np.load(io.BytesIO(_read(path)), allow_pickle=False) as arrays:
            found = msgspec.json.decode(arrays["baselines"].tobytes(), type=tuple[Baseline, ...])
            return tuple(
                (item, Predictions(arrays["photos"], arrays["labels"], arrays[f"probabilities_{item.kind}"]))
                for item in found
            )

    def tuning(self) -> Store:
        """Where the tuning runs lie, laid out like a study's: the number of one stands in place of its seed."""
        return Store(self.root / "tuning")

    def thumbnails(self) -> dict[str, bytes]:
        """JPEG bytes by photo path; empty where no run has finished."""
        path = self.root / "thumbnails.npz"
        if not path.is_file():
            return {}
        with np.load(io.BytesIO(_read(path)), allow_pickle=False) as arrays:
            return {str(name): arrays[f"jpeg_{i}"].tobytes() for i, name in enumerate(arrays["photos"])}

    def directory(self, arm: str, seed: int) -> Path:
        """Where a finished run lies."""
        return self.root / "runs" / arm / str(seed)

    def partial(self, arm: str, seed: int) -> Path:
        """Where a run under way keeps its checkpoint."""
        return self.root / "runs" / arm / f"{seed}.partial"


def open_store(root: str | Path) -> Store:
    """The study in `root`. Raises StoreError where there is none."""
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
    data = _read(path)
    try:
        run = msgspec.json.decode(data, type=Run)
    except msgspec.DecodeError as error:
        raise StoreError(_("{path}: not a run's record: {reason}").format(path=path, reason=error)) from None
    if run.schema != SCHEMA:
        raise StoreError(
            _("{path}: found schema {schema}; this version of commongarden reads {readable}").format(
                path=path, schema=run.schema, readable=SCHEMA
            )
        )
    return run


@contextmanager
def held(root: Path) -> Iterator[None]:
    """Holds the study for this process; leaves no folder behind where none came to be.

    Raises StoreError at once where another process works on it.
    """
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            _("{root}: cannot be made: {reason}; accepted: --out with a folder to write in").format(
                root=root, reason=error.strerror
            )
        ) from None
    lock = filelock.FileLock(root / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise StoreError(
            _("{root}: another commongarden process works on this study; wait for it, or choose --out").format(
                root=root
            )
        ) from None
    try:
        yield
    finally:
        lock.release()
        if made and not (root / "study.toml").exists():
            (root / ".lock").unlink(missing_ok=True)
            with suppress(OSError):  # something else has been put there meanwhile
                for folder in made:
                    folder.rmdir()


def mend(store: Store) -> None:
    """Ends what a killed process had begun: the last rename of a whole run, the removal of a failed one, and files
    under temporary names. For the process that holds the study."""
    for forgotten in store.root.glob("runs/*/*.forgotten"):
        shutil.rmtree(forgotten)
    for partial in store.root.glob("runs/*/*.partial"):
        _sweep(partial)
        if (partial / "run.json").is_file():  # written last, so the run is whole
            _finalize(partial, partial.with_suffix(""))
    _sweep(store.root)
    _sweep(store.root / "baselines")
    if store.tuning().root.is_dir():
        mend(store.tuning())
    _sweep(store.root / "splits")


def write_study(root: Path, study: Study) -> Store:
    """Puts the effective study in `root`, which is made where it is missing."""
    root.mkdir(parents=True, exist_ok=True)
    write_atomically(root / "study.toml", study_file.dump(study).encode())
    return Store(root)


def write_split(store: Store, manifest: Manifest, split: Split) -> None:
    """Writes manifest.csv and split.json."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in dataclasses.fields(Photo)])
    writer.writerows(dataclasses.astuple(photo) for photo in manifest.photos)
    write_atomically(store.root / "manifest.csv", text.getvalue().encode())
    file = _SplitFile(manifest.root, manifest.left_out, split)
    write_atomically(store.root / "split.json", msgspec.json.format(msgspec.json.encode(file), indent=1))


def write_own_split(store: Store, seed: int, split: Split) -> None:
    """Keeps the split of the runs with this seed. One that is there is never replaced."""
    path = store.split_file(seed)
    if path.is_file():
        raise StoreError(_("{path}: a split is there already, and a split is never replaced").format(path=path))
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(split), indent=1))


def write_audit(store: Store, arm: str, audit: Audit) -> None:
    """Keeps an arm's audit beside those of the others. For the process that holds the study."""
    audits = {**store.audits(), arm: audit}
    write_atomically(store.root / "audit.json", msgspec.json.format(msgspec.json.encode(audits), indent=1))


def write_baselines(
    store: Store, data: str, split: str, photos: np.ndarray, labels: np.ndarray, found: Mapping[Baseline, np.ndarray]
) -> None:
    """Keeps what simple methods reached, with the probabilities that each gave to the classes of the test photos."""
    folder = store.root / "baselines"
    folder.mkdir(exist_ok=True)
    about = np.frombuffer(msgspec.json.encode(list(found)), np.uint8)
    arrays = {f"probabilities_{item.kind}": probabilities for item, probabilities in found.items()}
    packed = _npz(photos=photos, labels=labels, baselines=about, **arrays)
    write_atomically(folder / f"{_baselines_key(data, split)}.npz", packed)


def _baselines_key(data: str, split: str) -> str:
    return hashlib.sha256(f"baselines {BASELINES_VERSION} {data} {split}".encode()).hexdigest()[:16]


def write_thumbnails(store: Store, jpegs: Mapping[str, bytes]) -> None:
    """Keeps the pictures that the report shows, so that the study can be moved without its photos."""
    arrays = {f"jpeg_{i}": np.frombuffer(jpeg, np.uint8) for i, jpeg in enumerate(jpegs.values())}
    write_atomically(store.root / "thumbnails.npz", _npz(photos=np.array(list(jpegs), dtype=np.str_), **arrays))


def write_run(
    store: Store,
    run: Run,
    history: Sequence[Epoch],
    predictions: Predictions | None,
    weights: bytes | None,
    signals: Signals | None = None,
) -> None:
    """Makes a run final: its files are written beside its checkpoint, then the directory gets its final name."""
    partial = store.partial(run.arm, run.seed)
    partial.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in dataclasses.fields(Epoch)])
    writer.writerows(dataclasses.astuple(epoch) for epoch in history)
    write_atomically(partial / "history.csv", text.getvalue().encode())
    if predictions is not None:
        write_atomically(partial / "predictions.npz", _npz(**vars(predictions)))
    if signals is not None:
        write_atomically(partial / "signals.npz", signal_file.to_bytes(signals))
    if weights is not None:
        write_atomically(partial / "model.safetensors", weights)
    _sweep(partial)
    write_atomically(partial / "run.json", msgspec.json.format(msgspec.json.encode(run), indent=1))
    _finalize(partial, store.directory(run.arm, run.seed))


def _finalize(partial: Path, directory: Path) -> None:
    if directory.exists():
        raise StoreError(
            _("{directory}: a run is there already, and a run is never replaced").format(directory=directory)
        )
    (partial / "checkpoint.pt").unlink(missing_ok=True)
    os.replace(partial, directory)
    _flush_directory(partial.parent)


def _sweep(directory: Path) -> None:
    """Removes what a killed process was writing."""
    for path in directory.glob(".*.tmp"):
        path.unlink()


def forget_run(store: Store, arm: str, seed: int) -> None:
    """Removes a failed run's record, so that it is run again. Raises StoreError for a finished one."""
    directory = store.directory(arm, seed)
    if store.run(arm, seed).status != "failed":
        raise StoreError(_("{directory}: a finished run is never removed").format(directory=directory))
    forgotten = directory.with_name(f"{seed}.forgotten")
    os.replace(directory, forgotten)  # at once, since deleting file by file could be stopped half way
    shutil.rmtree(forgotten)


def write_atomically(path: Path, data: bytes) -> None:
    """Writes the whole file or leaves what was there. Raises StoreError where the disk will not take it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(
            _("{path}: cannot be written: {reason} ({n:,} bytes)").format(path=path, reason=error.strerror, n=len(data))
        ) from error
    _flush_directory(path.parent)


def _flush_directory(path: Path) -> None:
    if os.name == "posix":  # a rename is durable once its directory is; Windows has no such call
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(_("{path}: cannot be read: {reason}").format(path=path, reason=error.strerror)) from None


@dataclass(frozen=True)
class _Versioned:
    schema: int


@dataclass(frozen=True)
class _SplitFile:
    """split.json: where the photos were, what could not be read, and the parts."""

    root: str
    unreadable: tuple[LeftOut, ...]
    split: Split


def _read_split(root: Path) -> _SplitFile:
    try:
        return msgspec.json.decode(_read(root / "split.json"), type=_SplitFile)
    except msgspec.DecodeError as error:
        raise StoreError(_("{path}: not a split: {reason}").format(path=root / "split.json", reason=error)) from None
