"""Messages between the process that holds a study and the workers of batch jobs, as files on a disk that both see.

A mailbox is the folder of one worker. Each side appends to a file of its own, which the other opens anew whenever it
looks: network file systems then show what was appended (close-to-open consistency), while the list of a folder may be
old for a minute. Messages are pickles: the folder belongs to one user, whom alone it admits.
"""

from __future__ import annotations

import os
import pickle
import secrets
import stat
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from commongarden.cluster.messages import Files, Saved, Told, Wanted
from commongarden.errors import RunnerError
from commongarden.i18n.language import _
from commongarden.io import disk
from commongarden.runner.events import Piloted, Task

SIZES = 12  # bytes before a message: its length and its checksum


@dataclass(frozen=True)
class Handed:
    """A task for a worker. files: the file with what it goes on from; "" for none."""

    task: Task
    known: Piloted | None
    files: str = ""


@dataclass(frozen=True)
class Sent:
    """Files that a worker lacked, each with the file of the mailbox that holds it."""

    files: tuple[tuple[Wanted, str], ...]


@dataclass(frozen=True)
class Leave:
    """A worker goes home once it has no task."""


@dataclass(frozen=True)
class Stop:
    """A worker ends its runs as soon as it can, and goes home."""


@dataclass(frozen=True)
class Alive:
    """A worker is there, even if nothing else happens."""


@dataclass(frozen=True)
class WithFiles:
    """A message whose files lie in another file of the mailbox, which is removed once they are kept."""

    message: Told | Saved
    name: str


class Log:
    """A file to which one process appends messages, and that another one reads."""

    def __init__(self, path: Path) -> None:
        self.path, self.read_to = path, 0

    def append(self, messages: Sequence[object]) -> None:
        """Adds messages, durably. Raises OSError; FileNotFoundError once the mailbox is gone."""
        frames = bytearray()
        for message in messages:
            data = pickle.dumps(message)
            frames += len(data).to_bytes(8, "big") + zlib.crc32(data).to_bytes(4, "big") + data
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        with os.fdopen(file, "ab") as opened:
            opened.write(frames)
            opened.flush()
            os.fsync(opened.fileno())

    def read(self) -> Iterator[Any]:
        """The messages since the last call. What has not arrived whole is read later."""
        with self.path.open("rb") as file:
            file.seek(self.read_to)
            found = file.read()
        while len(found) >= SIZES:
            size, checksum = int.from_bytes(found[:8], "big"), int.from_bytes(found[8:SIZES], "big")
            data = found[SIZES : SIZES + size]
            if not size or len(data) < size or zlib.crc32(data) != checksum:
                return
            self.read_to += SIZES + size
            found = found[SIZES + size :]
            yield pickle.loads(data)


@dataclass
class Mailbox:
    """The folder of one worker. assignment: the file with what it needs before its first task."""

    folder: Path

    def __post_init__(self) -> None:
        self.to_worker, self.from_worker = Log(self.folder / "to-worker"), Log(self.folder / "from-worker")

    @property
    def job_file(self) -> Path:
        """It names the batch job of the worker."""
        return self.folder / "job"

    @property
    def assignment(self) -> Path:
        """The file with what the worker needs before its first task."""
        return self.folder / "assignment"

    def assigned(self) -> Any:
        """What the worker needs before its first task. Raises FileNotFoundError once the mailbox is gone."""
        return pickle.loads(self.assignment.read_bytes())

    def create(self, assignment: Path) -> None:
        """Makes it, without messages. assignment: a file to which it gets a link."""
        self.folder.mkdir(mode=0o700)
        os.link(assignment, self.assignment)
        for path in (self.to_worker.path, self.from_worker.path):
            path.touch()

    def job(self) -> str:
        """The number of the batch job; "" where that is not known yet."""
        return self.job_file.read_text(encoding="utf-8") if self.job_file.is_file() else ""

    def keep(self, files: Files) -> str:
        """Writes files beside the messages; the name that a message gives them."""
        if not files:
            return ""
        name = f"files-{secrets.token_hex(8)}"
        with disk.replacing(self.folder / name) as file:
            disk.write(file, pickle.dumps(dict(files)))
        return name

    def kept(self, name: str) -> Files:
        """The files of a message; none where it was read before."""
        try:
            found: Files = pickle.loads((self.folder / name).read_bytes())
        except FileNotFoundError:
            return {}
        return found

    def say(self, messages: Sequence[object]) -> None:
        """Appends what a worker says."""
        self.from_worker.append([self._packed(message) for message in messages])

    def _packed(self, message: object) -> object:
        if isinstance(message, Told | Saved) and message.files:
            return WithFiles(replace(message, files={}), self.keep(message.files))
        return message

    def heard(self) -> Iterator[Any]:
        """What a worker has said since the last call, with files, which are removed once the next message is asked
        for."""
        for message in self.from_worker.read():
            if isinstance(message, WithFiles):
                yield replace(message.message, files=self.kept(message.name))
                (self.folder / message.name).unlink(missing_ok=True)
            else:
                yield message


def own_folder(path: Path) -> Path:
    """The folder, which is made where it is missing. Raises RunnerError where others could write messages there."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = path.stat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o022:
        text = _("{path}: other users can write there; accepted: a folder that is yours alone, since messages to and "
                 "from jobs are in it (folder in [slurm])")  # fmt: skip
        raise RunnerError(text.format(path=path))
    return path
