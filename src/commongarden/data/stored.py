"""Where the bytes of a photo lie: in a file of its own, here or at an address, or in a tar or Parquet file (a shard).

`Photo.stored` says where: "" for a file of its own, "SHARD@OFFSET+LENGTH" for bytes of a tar, "SHARD@ROW" for a row of
a Parquet file. It does not enter any hash: the same photos in a folder, in a tar and in a Parquet file are the same
data.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from commongarden.data import packs, regular
from commongarden.data.remote import RemoteFile, is_remote
from commongarden.i18n.language import N_

CUT_OFF = N_("the file that holds it is cut off")
_PLACE = re.compile(r"(?s)(.+)@([0-9]+)(?:\+([0-9]+))?")


@dataclass(frozen=True)
class StoredFile:
    """A photo inside a shard. name: of the photo, as the manifest has it."""

    shard: Path | RemoteFile
    start: int
    length: int | None
    name: str

    def __str__(self) -> str:
        return f"{self.shard}: {self.name}"

    def opened(self) -> Window:
        """Its bytes. Raises OSError."""
        if self.length is not None:
            return Window(_whole(self.shard), self.start, self.length)
        shard = self.shard.local() if isinstance(self.shard, RemoteFile) else self.shard
        pack, start, length = packs.located(shard, self.start)
        return Window(regular.opened(pack), start, length)


File = Path | RemoteFile | StoredFile


class Window:
    """Some bytes of an open file, read as if they were a file."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        self._file, self._left = file, length
        file.seek(start)

    def read(self, size: int = -1) -> bytes:
        """The next bytes, all that are left without a size. Raises OSError where the file ends before them."""
        n = self._left if size < 0 else min(size, self._left)
        data = self._file.read(n)
        self._left -= n
        if len(data) < n:
            raise OSError(errno.EIO, CUT_OFF)
        return data

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def in_tar(shard: str, offset: int, length: int) -> str:
    """`Photo.stored` of bytes of a tar."""
    return f"{shard}@{offset}+{length}"


def in_parquet(shard: str, row: int) -> str:
    """`Photo.stored` of a row of a Parquet file."""
    return f"{shard}@{row}"


def file_of(root: str | Path, path: str, stored: str = "") -> File:
    """The photo `path` of the data in `root`, to be opened by `opened`."""
    found = _PLACE.fullmatch(stored)
    if found is None:
        return _at(root, path)
    return StoredFile(_at(root, found[1]), int(found[2]), int(found[3]) if found[3] else None, path)


def is_in_place(root: str | Path, path: str, stored: str = "") -> bool:
    """Whether the file that holds a photo is there."""
    found = file_of(root, path, stored)
    whole = found.shard if isinstance(found, StoredFile) else found
    return isinstance(whole, RemoteFile) or whole.is_file()


def opened(file: File) -> BinaryIO | Window:
    """The photo, open for its bytes. Raises OSError, also for what is no regular file."""
    return file.opened() if isinstance(file, StoredFile) else _whole(file)


def _at(root: str | Path, path: str) -> Path | RemoteFile:
    return RemoteFile(str(root), path) if is_remote(str(root)) else Path(root, path)


def _whole(file: Path | RemoteFile) -> BinaryIO:
    return file.opened() if isinstance(file, RemoteFile) else regular.opened(file)
