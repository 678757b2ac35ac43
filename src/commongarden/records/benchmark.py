"""What a benchmark gives: every training that was timed, as plain data, to be stored, told and drawn.

A training is timed from the end of its first step on, so that no way pays for what torch loads there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from commongarden.i18n.language import N_, _
from commongarden.io import reader
from commongarden.io.reader import Kind, json_of
from commongarden.records import Machine

BENCH_SCHEMA = 2
GENERATED = "generated"
PLAIN, MEMORY, TIMM, OURS = "plain", "memory", "timm", "ours"
HELD, COMPILED = "held", "compiled"
WAYS = {
    PLAIN: N_("plain script"),
    MEMORY: N_("plain, in memory"),
    TIMM: "timm",
    HELD: N_("images on the device"),
    COMPILED: N_("images on the device, torch.compile"),
    OURS: "commongarden",
}


@dataclass(frozen=True)
class Folder:
    """Photos that were trained on. name: "generated", or the user's folder without those around it. n_bytes: of a
    file, on average. is_generated: None in records of earlier versions, where the name alone tells it."""

    name: str
    n_photos: int
    n_classes: int
    n_bytes: float
    is_generated: bool | None = None

    @property
    def told(self) -> str:
        """Its name for the reader."""
        is_generated = self.name == GENERATED if self.is_generated is None else self.is_generated
        return _("generated") if is_generated else self.name


@dataclass(frozen=True)
class Case:
    """What all ways were given. arm: as typed. macs: multiply-adds of one photo's forward pass."""

    arm: str
    resolution: int
    batch_size: int
    epochs: int
    folder: Folder
    n_params: int
    macs: int


@dataclass(frozen=True)
class Trained:
    """One training by one way: a script's, or a study of several runs.

    case: its place in the benchmark's cases. busy: whether another process took all it could of one core.
    images: trained on within `seconds`, by all runs together; the time is that of the whole machine while all workers
    train, with the reading of data and without start-up, validation and test. startup: seconds from the call to the
    end of the first step. validation: seconds of one run, for `validated` photos. afterwards: seconds of one run from
    its last epoch to its being stored. unrecorded: share of a run's epochs that is in no record (checkpoints,
    progress). idle: share of the workers' time, up to the last epoch of all, in which one had no run to train. Both are
    None for scripts. joules: of a device from the first step to the end of the last epoch, with validation. peak_bytes:
    the most that the device's allocator held. Both are None where they are not known.
    """

    case: int
    way: str
    number: int
    busy: bool
    runs: int
    workers: int
    threads: int
    images: int
    seconds: float
    startup: float
    validation: float
    validated: int
    afterwards: float = 0.0
    unrecorded: float | None = None
    idle: float | None = None
    joules: float | None = None
    peak_bytes: int | None = None

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.images / self.seconds


@dataclass(frozen=True)
class Held:
    """Bytes that processes held, in proportional set size: a page that several share counts once in all.

    torch: of a process that has imported torch and nothing else. run: the most that one held which trained the case,
    alone. study: the most that all processes of a study of so many workers held together, the command's own with them.
    """

    case: int
    torch: int
    run: int
    study: int
    workers: int

    @property
    def added(self) -> int:
        """What the run held beyond torch."""
        return self.run - self.torch


@dataclass(frozen=True)
class Bench:
    """A whole benchmark.

    matmul: billions of float32 multiply-adds a second on all cores, measured once a round; on a device, not measured.
    device: where it was trained; its name, and why there is no energy, where that is so. cores: that may be used.
    load: the load average of the minute before. scripts: the SHA-256 of each script that was run, by its name.
    curves: whether the cases are points of curves: each differs from the first one in one thing.
    """

    schema: int
    cases: tuple[Case, ...]
    trained: tuple[Trained, ...]
    held: tuple[Held, ...]
    matmul: tuple[float, ...]
    cores: int
    load: float
    machine: Machine
    scripts: dict[str, str]
    made: str
    curves: bool = False
    device: str = "cpu"
    device_name: str = ""
    no_energy: str = ""

    def of(self, case: int, way: str, *, busy: bool = False, runs: int | None = None) -> tuple[Trained, ...]:
        """The trainings of a case by a way, round by round; runs: of studies with so many runs."""
        return tuple(
            one
            for one in self.trained
            if (one.case, one.way, one.busy) == (case, way, busy) and runs in (None, one.runs)
        )


def write(bench: Bench) -> bytes:
    """The benchmark as JSON."""
    return msgspec.json.format(msgspec.json.encode(bench), indent=1) + b"\n"


_UNREAD = N_("{path}: cannot be read as a benchmark ({reason}); accepted: a file written by bench --keep")
BENCH = Kind(
    "benchmark",
    N_("a benchmark"),
    json_of(Bench),
    said=_UNREAD,
    schema=BENCH_SCHEMA,
    absent=_UNREAD,
)


def read(path: Path) -> Bench:
    """A benchmark that was written before. Raises StoreError."""
    return reader.read(path, BENCH)
