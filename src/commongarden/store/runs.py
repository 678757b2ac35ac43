"""Runs, written once and never changed."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from commongarden.errors import StoreError
from commongarden.i18n.language import _
from commongarden.io import disk, npz
from commongarden.records import Epoch, Predictions, Run
from commongarden.records import signals as signal_file
from commongarden.records.signals import Signals
from commongarden.store import checksums
from commongarden.store.files import changing, make_folder, sweep, write_atomically
from commongarden.store.folder import WEIGHTS, Store

CHECKPOINT = "checkpoint.pt"
KIND = "checkpoint.kind"  # of the machine that made the checkpoint, where the study runs on several


def write_run(
    store: Store,
    run: Run,
    history: Sequence[Epoch],
    predictions: Predictions | None,
    weights: bytes | None,
    signals: Signals | None = None,
) -> None:
    """Makes a run final: its files are written beside its checkpoint, then their checksums, which make it whole, then
    the directory gets its final name. Raises StoreError."""
    partial = store.partial(run.arm, run.seed)
    make_folder(partial)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in dataclasses.fields(Epoch)]
    columns = [name for name in names if any(getattr(epoch, name) is not None for epoch in history) or not history]
    writer.writerow(columns)
    writer.writerows([getattr(epoch, name) for name in columns] for epoch in history)
    files = {"history.csv": text.getvalue().encode()}
    if predictions is not None:
        files["predictions.npz"] = npz.packed(**vars(predictions))
    if signals is not None:
        files["signals.npz"] = signal_file.to_bytes(signals)
    if weights is not None:
        files[WEIGHTS] = weights
    files["run.json"] = msgspec.json.format(msgspec.json.encode(run), indent=1)
    for name, data in files.items():
        write_atomically(partial / name, data)
    sweep(partial)
    # of the bytes that were to be written, not of those that the disk gives back
    digests = {name: (checksums.digest(data),) for name, data in files.items()}
    with changing(partial):
        for path in sorted(partial.iterdir()):  # what else was kept while the run was under way
            if path.is_file() and path.name not in (CHECKPOINT, KIND, checksums.FILE, *digests):
                digests[path.name] = (checksums.file_digest(path),)
    checksums.write(partial, digests)
    finalize(partial, store.directory(run.arm, run.seed))


def adopt_run(store: Store, arm: str, seed: int, files: Mapping[str, bytes]) -> None:
    """Makes a run final from the files that another machine made of it, each compared with its checksum. Raises
    StoreError."""
    listing = files.get(checksums.FILE, b"")
    lines = [f"{checksums.digest(data)}  {name}\n".encode() for name, data in files.items() if name != checksums.FILE]
    if listing.count(b"\n") != len(lines) + 1 or not all(line in listing for line in lines):
        text = _("{directory}: the files of the run changed on their way from the machine that made it")
        raise StoreError(text.format(directory=store.directory(arm, seed)))
    partial = store.partial(arm, seed)
    make_folder(partial)
    with changing(partial):
        for path in partial.iterdir():
            if path.is_file() and path.name not in (CHECKPOINT, KIND):  # of an attempt to do this that was killed
                disk.remove(path)
    for name in sorted(files, key=lambda name: name == checksums.FILE):  # last the list, which makes it whole
        write_atomically(partial / name, files[name])
    finalize(partial, store.directory(arm, seed))


def is_whole(partial: Path) -> bool:
    """Whether a run under way has come to its end but for its last renaming."""
    return (partial / checksums.FILE).is_file()


def finalize(partial: Path, directory: Path) -> None:
    """The last act of a run: its directory gets its final name. Raises StoreError where a run is there already."""
    if directory.exists():
        text = _("{directory}: the run already exists and is not overwritten")
        raise StoreError(text.format(directory=directory))
    with changing(partial):
        disk.remove(partial / CHECKPOINT)
        disk.remove(partial / KIND)
        disk.flush_folder(partial)  # or it could come back after a power cut, in a run that is final
        disk.rename(partial, directory)
        disk.flush_folder(partial.parent)


def forget_run(store: Store, arm: str, seed: int) -> None:
    """Removes a failed run's record, so that it is run again. Raises StoreError for a finished one."""
    directory = store.directory(arm, seed)
    if store.run(arm, seed).status != "failed":
        raise StoreError(_("{directory}: the run is finished and is not deleted").format(directory=directory))
    forgotten = directory.with_name(f"{seed}.forgotten")
    with changing(directory):
        disk.rename(directory, forgotten)  # at once, since deleting file by file could be stopped half way
        disk.remove_tree(forgotten)
