"""One process works on a study at a time, and mends first what a killed one left half done."""

from __future__ import annotations

import datetime
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import filelock
import msgspec

from commongarden.errors import StoreError
from commongarden.i18n.language import _
from commongarden.io import disk
from commongarden.store import checksums
from commongarden.store.files import changing, sweep
from commongarden.store.folder import Store
from commongarden.store.runs import finalize, is_whole
from commongarden.store.verify import damage

LOCK, HOLDER = ".lock", ".holder"


@dataclass(frozen=True)
class Holder:
    """The process that works on a study."""

    pid: int
    host: str
    since: str


@contextmanager
def lock(root: Path) -> Iterator[None]:
    """Holds the study for this process; leaves no folder behind where none came to be.

    Raises StoreError at once where another process works on it, naming that one, and where the folder cannot be
    written to.
    """
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        disk.make_folder(root)
    except OSError as error:
        raise StoreError(
            _("{root}: cannot be made: {reason}; accepted: --out with a folder to write in").format(
                root=root, reason=error.strerror
            )
        ) from None
    lock = _locked(root)
    try:
        with changing(root):
            me = Holder(
                os.getpid(), socket.gethostname(), datetime.datetime.now().astimezone().isoformat(" ", "seconds")
            )
            with disk.create(root / HOLDER) as file:
                disk.write(file, msgspec.json.encode(me))
        yield
    finally:
        with suppress(OSError):  # a disk that fails is told by what failed first
            disk.remove(root / HOLDER)
        lock.release()
        if made and not (root / "study.toml").exists():
            for name in (LOCK, checksums.FILE):
                (root / name).unlink(missing_ok=True)
            with suppress(OSError):  # something else has been put there meanwhile
                for folder in made:
                    folder.rmdir()


def _locked(root: Path) -> filelock.BaseFileLock:
    """The study's lock, taken: the system's own, or where the file system has none a file that stands for it."""
    for kind in (filelock.FileLock, filelock.SoftFileLock):
        lock = kind(root / (LOCK if kind is filelock.FileLock else f"{LOCK}.soft"))
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise StoreError(_in_use(root)) from None
        except PermissionError as error:
            raise StoreError(
                _("{root}: cannot be written to: {reason}; accepted: --out with a folder to write in").format(
                    root=root, reason=error.strerror or error
                )
            ) from None
        except (OSError, NotImplementedError) as error:
            if kind is filelock.SoftFileLock:
                raise StoreError(
                    _(
                        "{root}: cannot be held for this process alone: {reason}; accepted: --out with another folder"
                    ).format(root=root, reason=getattr(error, "strerror", None) or error)
                ) from error
            continue
        return lock
    raise AssertionError


def holder(root: Path) -> Holder | None:
    """Who works on a study, or worked on it last and was killed; None where nobody is named."""
    try:
        return msgspec.json.decode((root / HOLDER).read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return None


def _in_use(root: Path) -> str:
    who = holder(root)
    if who is None:
        return _("{root}: another commongarden process works on this study; wait for it, or choose --out").format(
            root=root
        )
    return _(
        "{root}: another commongarden process works on this study: process {pid} on {host}, since {since}; wait for "
        "it, or choose --out"
    ).format(root=root, pid=who.pid, host=who.host, since=who.since)


def recover(store: Store) -> list[str]:
    """Ends what a killed process had begun: the last rename of a whole run, the removal of a failed one, and files
    under temporary names. Sets aside, under another name, runs and files that are not what was written, and returns
    what is to be told of them. For the process that holds the study. Raises StoreError."""
    told = []
    with changing(store.root):
        for forgotten in store.root.glob("runs/*/*.forgotten"):
            disk.remove_tree(forgotten)
        for partial in store.root.glob("runs/*/*.partial"):
            sweep(partial)
            if is_whole(partial):
                finalize(partial, partial.with_suffix(""))
        for folder in (store.root, *(store.root / name for name in ("baselines", "seen", "splits"))):
            sweep(folder)
        folders = [path for path in sorted(store.root.glob("runs/*/*")) if path.is_dir() and path.name.isdecimal()]
        told += [_set_aside(store.root, folder, wrong[0][1]) for folder in folders if (wrong := damage(folder))]
        told += _mend_own_files(store)
    if store.tuning().root.is_dir():
        told += recover(store.tuning())
    return told


def _mend_own_files(store: Store) -> list[str]:
    """All but the study itself can be made again, and is held against the runs then."""
    wrong = [name for kind, name, _why in damage(store.root) if name not in ("study.toml", checksums.FILE)]
    if not wrong:
        return []
    told = [_set_aside(store.root, store.root / name, name) for name in wrong if (store.root / name).is_file()]
    listed = checksums.listed(store.root) or {}
    checksums.write(store.root, {name: digests for name, digests in listed.items() if name not in wrong})
    return told


def _set_aside(root: Path, path: Path, file: str) -> str:
    aside = disk.quarantine(path)
    return _("warning: {path}: {file} is not what was written; it is set aside as {aside} and made again").format(
        path=path.relative_to(root), file=file, aside=aside.name
    )
