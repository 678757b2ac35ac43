"""One process works on a study at a time, and mends first what a killed one left half done."""

from __future__ import annotations

import datetime
import errno
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock
import msgspec
import psutil

from commongarden.errors import StoreError
from commongarden.i18n.language import _
from commongarden.io import disk, reader
from commongarden.store import checksums, kinds
from commongarden.store.files import changing, sweep
from commongarden.store.folder import Store
from commongarden.store.kinds import Holder
from commongarden.store.runs import finalize, is_whole
from commongarden.store.verify import damage

LOCK, HOLDER = ".lock", ".holder"
ATTEMPTS = 20


@contextmanager
def lock(root: Path) -> Iterator[None]:
    """Holds the study for this process; leaves no folder behind where none came to be.

    The file that is locked stays where it is: another process may hold it, or wait for it. Only in a folder in which no
    study came to be is it removed, and then by the process that holds it, as its last act.

    Raises StoreError at once where another process works on it, naming that one, and where the folder cannot be
    written to.
    """
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    lock = _locked(root)
    try:
        with changing(root):
            since = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
            me = Holder(os.getpid(), socket.gethostname(), since)
            with disk.create(root / HOLDER) as file:
                disk.write(file, msgspec.json.encode(me))
        yield
    finally:
        with suppress(OSError):  # a disk that fails is told by what failed first
            disk.remove(root / HOLDER)
        if made and not (root / "study.toml").exists():
            _leave(root, made, lock)
        lock.release()


def _leave(root: Path, made: list[Path], lock: filelock.BaseFileLock) -> None:
    """Removes the folders that were made for a study that did not come to be, unless something else is in them."""
    (root / checksums.FILE).unlink(missing_ok=True)
    if os.name != "posix":
        lock.release()  # this system removes no file that anybody has open, this process included
    with suppress(OSError):
        if not isinstance(lock, filelock.SoftFileLock):
            (root / LOCK).unlink(missing_ok=True)  # whoever takes it now sees that it has no name, and tries again
        else:
            lock.release()
        for folder in made:
            folder.rmdir()


def _locked(root: Path) -> filelock.BaseFileLock:
    """The study's lock, taken, in a folder that is made where it is missing."""
    for _attempt in range(ATTEMPTS):
        try:
            disk.make_folder(root)
        except OSError as error:
            text = _("{root}: cannot be created: {reason}; accepted: --out with a writable folder")
            raise StoreError(text.format(root=root, reason=error.strerror)) from None
        try:
            return _taken(root)
        except FileNotFoundError:
            continue  # another process has just left the folder, and removed it
    raise StoreError(_in_use(root))


def _taken(root: Path) -> filelock.BaseFileLock:
    """The system's own lock, or where the file system has none a file that stands for it. Raises FileNotFoundError
    where the folder is gone."""
    for kind in (filelock.FileLock, filelock.SoftFileLock):
        lock = kind(root / (LOCK if kind is filelock.FileLock else f"{LOCK}.soft"))
        try:
            with warnings.catch_warnings(action="ignore"):  # where there is no flock, filelock warns of its own marker
                lock.acquire(timeout=0)
        except filelock.Timeout:
            raise StoreError(_in_use(root)) from None
        except FileNotFoundError:
            raise
        except PermissionError as error:
            if error.errno == errno.EPERM and kind is filelock.FileLock:
                continue  # said of a lock; a folder that cannot be written to gives EACCES
            text = _("{root}: not writable: {reason}; accepted: --out with a writable folder")
            raise StoreError(text.format(root=root, reason=error.strerror or error)) from None
        except (OSError, NotImplementedError) as error:
            if kind is filelock.SoftFileLock:
                text = _("{root}: cannot be locked: {reason}; accepted: --out with another folder")
                raise StoreError(text.format(root=root, reason=getattr(error, "strerror", None) or error)) from error
            continue
        return lock
    raise AssertionError


def holder(root: Path) -> Holder | None:
    """Who works on a study, or worked on it last and was killed; None where nobody is named."""
    try:
        return reader.read(root / HOLDER, kinds.HOLDER)
    except StoreError:
        return None


def is_held(root: Path) -> bool:
    """Whether a process works on the study now, as far as can be seen without taking its lock."""
    who = holder(root)
    return who is not None and (who.host != socket.gethostname() or psutil.pid_exists(who.pid))


def _in_use(root: Path) -> str:
    who = holder(root)
    if who is None:
        text = _("{root}: in use by another commongarden process; wait for it, or choose another folder with --out")
        return text.format(root=root)
    text = _(
        "{root}: in use by another commongarden process: process {pid} on {host}, since {since}; "
        "wait for it, or choose another folder with --out"
    )
    if who.host != socket.gethostname() and (marker := _marker(root)) is not None:
        left = _(
            "{root}: in use by another commongarden process: process {pid} on {host}, since {since}. If that process "
            "no longer runs, delete {marker} and repeat the command; this file system has no locks that end with a "
            "process."
        )
        return left.format(root=root, pid=who.pid, host=who.host, since=who.since, marker=marker)
    return text.format(root=root, pid=who.pid, host=who.host, since=who.since)


def _marker(root: Path) -> Path | None:
    """The file that stands for the system's lock, if there is one: the system's own lock is an empty file."""
    with suppress(OSError):
        for path in (root / f"{LOCK}.soft", root / LOCK):
            if path.is_file() and path.stat().st_size:
                return path
    return None


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
    text = _("warning: {path}: {file} is corrupt; it is moved to {aside} and the run is repeated")
    return text.format(path=path.relative_to(root), file=file, aside=aside.name)
