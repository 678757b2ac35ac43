"""What the process that holds a study and its workers on other machines say to each other: small frozen values, with
files as bytes by their path in the study's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from commongarden.errors import CommonGardenError
from commongarden.i18n.coded import Coded
from commongarden.runner.events import Event, Job, Seen
from commongarden.runner.executor import TaskContext

Files = Mapping[str, bytes]
SEPARATOR = "\0"  # between root, path and place in a shard of an original photo


@dataclass(frozen=True)
class Wanted:
    """A file that runs read besides the study's own: decoded images (named ""), or what an arm names so.

    path: where it lies for the process that holds the study. n_bytes: its size. digest: its SHA-256; "" for decoded
    images, whose file names are hashes of all that they are made from.
    """

    path: str
    n_bytes: int
    digest: str = ""
    named: str = ""

    @property
    def is_images(self) -> bool:
        """Whether it holds decoded images."""
        return not self.named


@dataclass(frozen=True)
class Assignment:
    """All that a worker of a study needs before its first task.

    study: the study's own files. context: as the process that holds the study has it. wanted: further files. photos:
    some of the original photos with their SHA-256, where runs read these and not decoded ones. shared: whether the
    machines share a disk; None where that is to be found out. packages: versions that must be the same. language,
    environment: as that process has them. folder: the one that the command was given in.
    """

    study: Files
    context: TaskContext
    wanted: tuple[Wanted, ...]
    photos: Mapping[str, str]
    shared: bool | None
    language: str
    environment: Mapping[str, str]
    folder: str


@dataclass(frozen=True)
class Arrived:
    """A worker has started. kind: machines of one kind compute the same bits (see `kind_of_machine`). lacks: files that
    it has to be sent. lacks_photos: one of the original photos that it cannot read; "" for none."""

    host: str
    kind: str
    packages: Mapping[str, str]
    lacks: tuple[Wanted, ...] = ()
    lacks_photos: str = ""


@dataclass(frozen=True)
class Told:
    """An event of a task, and the files that belong to it: a new checkpoint, or a whole run."""

    event: Event | Seen
    files: Files = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """What concerns the whole study, such as a full disk."""

    error: CommonGardenError


@dataclass(frozen=True)
class Left:
    """A worker has gone home, as it was asked to."""


@dataclass(frozen=True)
class Lost:
    """A worker does not answer any more, with its machine or alone. cause: why, as an English sentence."""

    cause: Coded


@dataclass(frozen=True)
class Saved:
    """A run has ended before its worker goes home early, such as at the end of a job's time: it goes on elsewhere.
    files: its last checkpoint, if that is a new one."""

    job: Job
    files: Files = field(default_factory=dict)


Message = Arrived | Told | Saved | Failed | Left | Lost
