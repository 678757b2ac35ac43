"""What runs tell while they go: small frozen messages that cross process borders."""

from __future__ import annotations

from dataclasses import dataclass

from commongarden.i18n.coded import NOTHING, Coded
from commongarden.records import Epoch, Run
from commongarden.records.findings import Audit
from commongarden.store.attribution_maps import Attribution


@dataclass(frozen=True)
class Job:
    """One run to be made."""

    arm: str
    seed: int


@dataclass(frozen=True)
class FoldJob(Job):
    """A run that is tested on a fold, whose number is its seed."""


@dataclass(frozen=True)
class Trial(Job):
    """A tuning run to be made: without test, kept apart from the study's runs under its number. Its seed is that of
    all tuning runs."""

    number: int


@dataclass(frozen=True)
class AuditTask:
    """An arm to be audited before its runs."""

    arm: str


@dataclass(frozen=True)
class Audited:
    """An arm has been looked at; audit is None where that failed, for the cause given."""

    arm: str
    audit: Audit | None
    cause: Coded = NOTHING


@dataclass(frozen=True)
class Pilot:
    """An arm of which a few steps are to be timed before its runs."""

    arm: str


@dataclass(frozen=True)
class Piloted:
    """What a run of the arm will take by its pilot; None where that failed, for the cause given.

    seconds: of one run, with as many beside it as there are workers. memory_bytes: of the process at its peak.
    disk_bytes: of one finished run. side_by_side: how many go on together on one device, 0 where that is not measured.
    faster: precisions in which a run alone trains so many times as fast, where that is much.
    """

    arm: str
    seconds: float | None
    memory_bytes: int = 0
    disk_bytes: int = 0
    cause: Coded = NOTHING
    side_by_side: int = 0
    faster: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class AttributionTask:
    """An arm whose finished run with this seed is to be looked at, with the photos that evidence is wanted for."""

    arm: str
    seed: int
    photos: tuple[str, ...]


@dataclass(frozen=True)
class Attributed:
    """What an arm's network looks at; sight is None where that could not be seen, for the cause given."""

    arm: str
    sight: Attribution | None
    cause: Coded = NOTHING


@dataclass(frozen=True)
class Started:
    """A run begins, or goes on behind `epochs_before`, the history that its checkpoint holds. note: what to tell;
    host: the machine of a cluster that it is on, "" on this one."""

    job: Job
    epochs_before: tuple[Epoch, ...]
    note: Coded = NOTHING
    host: str = ""


@dataclass(frozen=True)
class Stepped:
    """Figures of the epoch so far; sent a few times a second at most."""

    job: Job
    epoch: int
    step: int
    steps_per_epoch: int
    loss: float
    accuracy: float
    images_per_second: float


@dataclass(frozen=True)
class EpochDone:
    """An epoch is trained and validated; no stop loses it. images_per_second: of training, without the validation."""

    job: Job
    epoch: Epoch
    images_per_second: float


@dataclass(frozen=True)
class RunDone:
    """A run is in the store, finished or failed."""

    job: Job
    run: Run


@dataclass(frozen=True)
class RunStopped:
    """A run was asked to stop; its finished epochs are in its checkpoint."""

    job: Job


@dataclass(frozen=True)
class WorkerDied:
    """A worker ended in the middle of a run, which another one takes over from its last checkpoint."""

    job: Job
    cause: Coded


Task = Job | AuditTask | Pilot | AttributionTask
Seen = Audited | Piloted | Attributed  # of tasks that are no runs
Event = Started | Stepped | EpochDone | RunDone | RunStopped | WorkerDied
