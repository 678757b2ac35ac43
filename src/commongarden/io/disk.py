"""The few things that are done to files which must outlive a kill or a full disk, one function each.

All that is kept goes through here: what docs/reliability.md promises hangs on this page, and a test can put a disk in
its place that fails, tears or stops at any of these steps. Every function raises OSError.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

NO_SUCH_CALL = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)  # file systems that cannot flush a folder answer so


def make_folder(path: Path) -> None:
    """Makes a folder and those above it where they are missing, durably."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(missing):
        flush_folder(folder.parent)


def create(path: Path) -> BinaryIO:
    """A new file to write to."""
    return path.open("wb")


def append(path: Path) -> BinaryIO:
    """A file to write to behind what is in it; a new one where there is none."""
    return path.open("ab")


def write(file: BinaryIO, data: bytes) -> None:
    """Writes bytes, of which any part may be lost until they are flushed."""
    file.write(data)


def flush(file: BinaryIO) -> None:
    """Returns when what was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def rename(source: Path, target: Path) -> None:
    """Gives a file or folder its other name in one step; a file that had that name is gone."""
    os.replace(source, target)


def flush_folder(path: Path) -> None:
    """Returns when the names in a folder are on the disk."""
    if os.name != "posix":  # Windows has no such call
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_SUCH_CALL:
            raise
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Removes a file, if it is there."""
    path.unlink(missing_ok=True)


def remove_tree(path: Path) -> None:
    """Removes a folder with all that is in it."""
    shutil.rmtree(path)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name once it is whole and on the disk; where that fails, what had the name stays."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with create(temporary) as file:
            yield file
            flush(file)
        rename(temporary, path)
    except BaseException:
        with suppress(OSError):  # where nothing can be written, nothing can be removed; the next process sweeps
            remove(temporary)
        raise
    flush_folder(path.parent)


def quarantine(path: Path) -> Path:
    """Renames what is not to be trusted, keeping it; returns its new path."""
    number = 1
    while (aside := path.with_name(f"{path.name}.set-aside-{number}")).exists():
        number += 1
    rename(path, aside)
    flush_folder(path.parent)
    return aside
