"""What happened in a study, in the order in which it happened: the lines of events.jsonl, for whoever watches.

No figure rests on it. Times are seconds since 1970, by the clock of the machine that trains.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from commongarden.records.run import Epoch

FILE = "events.jsonl"


class RunName(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which run is meant. number: of a tuning run."""

    arm: str
    seed: int
    kind: Literal["run", "fold", "trial"] = "run"
    number: int = 0


class PlannedRun(msgspec.Struct, frozen=True):
    """A run still to be made. size: of its work, in any unit."""

    run: RunName
    epochs: int
    size: float


class Line(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="event"):
    """What every line has."""

    time: float


class Begun(Line, frozen=True, tag="begun"):
    """A process has begun to work on the study. device: "" in a line of a process that does not say."""

    pid: int
    host: str
    device: str = ""


class Preparing(Line, frozen=True, tag="preparing"):
    """What is done before the first run, and how far it is."""

    what: str
    done: int
    total: int


class Planned(Line, frozen=True, tag="planned"):
    """These runs begin, so many at a time."""

    runs: tuple[PlannedRun, ...]
    n_workers: int


class Started(Line, frozen=True, tag="started"):
    """A run begins, or is resumed behind these epochs. host: the machine of a cluster that it is on."""

    run: RunName
    epochs: tuple[Epoch, ...] = ()
    host: str = ""


class Stepped(Line, frozen=True, tag="step"):
    """Figures of an epoch so far; None for those that are no number."""

    run: RunName
    epoch: int
    step: int
    steps: int
    loss: float | None
    accuracy: float
    images_per_second: float


class EpochEnded(Line, frozen=True, tag="epoch"):
    """An epoch is trained and validated."""

    run: RunName
    epoch: Epoch
    images_per_second: float


class RunEnded(Line, frozen=True, tag="done"):
    """A run is in the store. reason: why it failed, in English."""

    run: RunName
    status: Literal["finished", "failed"]
    test_accuracy: float | None = None
    reason: str = ""


class RunStopped(Line, frozen=True, tag="stopped"):
    """A run was asked to stop, and can be resumed."""

    run: RunName


class WorkerDied(Line, frozen=True, tag="died"):
    """A run lost its worker; another one takes it over. cause: in English."""

    run: RunName
    cause: str


class Note(Line, frozen=True, tag="note"):
    """What was said to the user, in the language of that process."""

    text: str


class Decided(Line, frozen=True, tag="decided"):
    """A person has stopped, resumed or extended the study from its page, or dropped a model."""

    what: Literal["stop", "stop-after-epoch", "resume", "seed", "drop", "restore"]
    arm: str = ""


class Ended(Line, frozen=True, tag="ended"):
    """The process has ended its work on the study, by itself. error: the message of what ended it, "" for none."""

    error: str = ""


Logged = (
    Begun
    | Preparing
    | Planned
    | Started
    | Stepped
    | EpochEnded
    | RunEnded
    | RunStopped
    | WorkerDied
    | Note
    | Decided
    | Ended
)
