"""What a study can do without once it is read: weights and checkpoints, which are nearly all of its size.

The list of a run's checksums keeps that of deleted weights, marked as one that may be absent. So `verify` does not
report them, `replay` still compares weights, and a copy that is put back is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from commongarden.io import disk
from commongarden.store import checksums
from commongarden.store.files import changing
from commongarden.store.folder import WEIGHTS, Store
from commongarden.store.runs import CHECKPOINT

PartKind = Literal["weights", "checkpoint", "set aside"]


@dataclass(frozen=True)
class Part:
    """A file or folder that `clean` deletes. path: of a run's weights, of a stopped run's folder, or of what was moved
    aside because it was corrupt. n_bytes: of all its files."""

    kind: PartKind
    path: Path
    n_bytes: int


def parts(store: Store, keep: str | None = None) -> list[Part]:
    """What can be deleted. keep: the arm whose weights stay."""
    found = []
    for root in (store.root, store.tuning().root):
        for directory in sorted(root.glob("runs/*/*")):
            weights = directory / WEIGHTS
            if directory.suffix == ".partial" and (directory / CHECKPOINT).is_file():
                found.append(Part("checkpoint", directory, size(directory)))
            elif directory.name.isdecimal() and directory.parent.name != keep and weights.is_file():
                found.append(Part("weights", weights, size(weights)))
    found += [Part("set aside", path, size(path)) for path in _set_aside(store.root)]
    return found


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    with changing(path):
        files = path.rglob("*") if path.is_dir() else (path,)
        return sum(file.lstat().st_size for file in files if not file.is_dir())


def weights_digest(directory: Path) -> str | None:
    """The SHA-256 of a run's weights, also of deleted ones; None where there is none. Raises StoreError, OSError."""
    if (directory / WEIGHTS).is_file():
        return checksums.file_digest(directory / WEIGHTS)
    known = (checksums.listed(directory) or {}).get(WEIGHTS, ())
    return next((digest for digest in known if digest != checksums.ABSENT), None)


def delete(part: Part) -> None:
    """Deletes it. For the process that holds the study; a kill leaves it whole, or for the next one to end
    (`recover`). Raises StoreError."""
    path = part.path
    if part.kind == "weights":
        known = checksums.listed(path.parent)
        if known is not None:
            digests = dict.fromkeys((*known.get(WEIGHTS, ()), checksums.ABSENT))
            checksums.write(path.parent, {**known, WEIGHTS: tuple(digests)})
        with changing(path):
            disk.remove(path)
            disk.flush_folder(path.parent)
        return
    with changing(path):
        if part.kind == "set aside" and not path.is_dir():
            disk.remove(path)
            return
        forgotten = path.with_name(f"{path.name}.forgotten")
        disk.rename(path, forgotten)  # at once, since deleting file by file could be stopped half way
        disk.remove_tree(forgotten)


def _set_aside(root: Path) -> Iterator[Path]:
    inside = (".", "baselines", "seen", "splits", "runs/*", "tuning", "tuning/runs/*")
    for folder in inside:
        yield from sorted(root.glob(f"{folder}/*.set-aside-*"))
