"""Runs, written once and never changed."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from commongarden.errors import StoreError
from commongarden.language import _
from commongarden.records import Epoch, Predictions, Run
from commongarden.store.files import flush_directory, npz, sweep, write_atomically
from commongarden.store.folder import Store


def write_run(
    store: Store, run: Run, history: Sequence[Epoch], predictions: Predictions | None, weights: bytes | None
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
        write_atomically(partial / "predictions.npz", npz(**vars(predictions)))
    if weights is not None:
        write_atomically(partial / "model.safetensors", weights)
    sweep(partial)
    write_atomically(partial / "run.json", msgspec.json.format(msgspec.json.encode(run), indent=1))
    finalize(partial, store.directory(run.arm, run.seed))


def finalize(partial: Path, directory: Path) -> None:
    """The last act of a run: its directory gets its final name. Raises StoreError where a run is there already."""
    if directory.exists():
        raise StoreError(
            _("{directory}: a run is there already, and a run is never replaced").format(directory=directory)
        )
    (partial / "checkpoint.pt").unlink(missing_ok=True)
    os.replace(partial, directory)
    flush_directory(partial.parent)


def forget_run(store: Store, arm: str, seed: int) -> None:
    """Removes a failed run's record, so that it is run again. Raises StoreError for a finished one."""
    directory = store.directory(arm, seed)
    if store.run(arm, seed).status != "failed":
        raise StoreError(_("{directory}: a finished run is never removed").format(directory=directory))
    forgotten = directory.with_name(f"{seed}.forgotten")
    os.replace(directory, forgotten)  # at once, since deleting file by file could be stopped half way
    shutil.rmtree(forgotten)
