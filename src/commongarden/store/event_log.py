"""events.jsonl of a study: a line a thing that happened, appended by the process that works on the study, read by any
number of others while it grows.

It is no record that a figure rests on: it has no checksum, is not flushed to the disk line by line, and a study without
it is whole. A killed process leaves a torn last line, which readers leave out and the next process ends.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

import msgspec

from commongarden.io import disk
from commongarden.records.event_log import FILE, Logged

LONGEST = 16 * 2**20  # bytes of a line, such as the plan of a study of many runs
AT_ONCE = 64 * 2**20  # bytes that one look reads
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Logged)


def open_to_append(root: Path) -> BinaryIO:
    """The study's events.jsonl, at the begin of a line. Raises OSError."""
    file = disk.append(root / FILE)
    if file.tell() and not _ends_whole(root / FILE):
        disk.write(file, b"\n")
    return file


def append(file: BinaryIO, line: Logged) -> None:
    """Writes a line that readers see when this returns. Raises OSError."""
    disk.write(file, _ENCODER.encode(line) + b"\n")
    file.flush()


class Tail:
    """Reads what is new in a study's events.jsonl. is_new: whether the file was replaced or cut since the last look, so
    that what was read of it before no longer counts."""

    def __init__(self, root: Path) -> None:
        self.path = root / FILE
        self.offset = 0
        self.is_new = False
        self._file: tuple[int, int] | None = None

    def has_more(self) -> bool:
        """Whether there is something to read, at the cost of one question to the file system."""
        found = self._status()
        return found is not None and ((found.st_dev, found.st_ino) != self._file or found.st_size != self.offset)

    def read(self) -> list[Logged]:
        """The whole lines that were appended since the last look; none where there is no such file. A line that is no
        event of this version is left out."""
        found, self.is_new = self._status(), False
        if found is None:
            return []
        if (found.st_dev, found.st_ino) != self._file or found.st_size < self.offset:
            self.is_new, self.offset, self._file = self._file is not None, 0, (found.st_dev, found.st_ino)
        try:
            with open(
                self.path, "rb", opener=lambda path, flags: os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
            ) as file:
                file.seek(self.offset)
                data = file.read(AT_ONCE)
        except OSError:
            return []
        whole, newline, rest = data.rpartition(b"\n")
        if not newline:
            self.offset += len(rest) if len(rest) >= LONGEST else 0
            return []
        self.offset += len(whole) + 1
        return [line for line in map(_parsed, whole.split(b"\n")) if line is not None]

    def _status(self) -> os.stat_result | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found if stat.S_ISREG(found.st_mode) else None


def _parsed(text: bytes) -> Logged | None:
    try:
        line: Logged = _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return None
    return line


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
