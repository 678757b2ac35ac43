"""What timing arms step by step in turn gives: plain data, to be sent, stored and explained. Times in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from commongarden.i18n.coded import Code, Coded, keep_code
from commongarden.i18n.language import N_
from commongarden.io import reader
from commongarden.io.reader import Kind, json_of

TIMING_SCHEMA = 1
PHASES = ("data", "forward", "loss", "backward", "optimizer", "other")
PATH = " / "  # between the names of a layer's path


@dataclass(frozen=True)
class TimedLayer:
    """One module of a network, and what it took without the modules inside, in each watched step.

    path: as `arch.trace` has it, or the place of a module in a network that somebody else wrote. kind: "convolution",
    "batch norm"..., or "block" for what only holds others. shape: of its output for one photo.
    macs, n_bytes: of one step, forward and backward; the bytes are the fewest that must be read and written.
    """

    path: str
    kind: str
    shape: tuple[int, ...]
    macs: int
    n_bytes: int
    forward: tuple[float, ...]
    backward: tuple[float, ...]

    @property
    def both(self) -> tuple[float, ...]:
        """Forward and backward together, step by step."""
        return tuple(one + two for one, two in zip(self.forward, self.backward, strict=True))


@dataclass(frozen=True)
class Memory:
    """What training at a batch size needs, each measured in a process of its own.

    batches, peaks: bytes that training added at its peak to what the process held before the network was made.
    base: bytes of the process before. free: bytes that were free when it was measured.
    """

    batches: tuple[int, ...]
    peaks: tuple[int, ...]
    base: int
    free: int


@dataclass(frozen=True)
class TimedArm:
    """One arm's steps. network: its text form, which `arch.read` turns back. input: height, width, channels.

    steps, walls: of each step by the clock that times are told in, and by the clock on the wall. phases: of each of
    these steps, by PHASES. watched: of each step in which the layers were looked at; layers and watched_phases belong
    to those. operators: for each of torch's operators its own time in each profiled step; profiled: those steps.
    joules: of each stretch of steps, for one step, where the machine tells it.
    """

    name: str
    network: str
    input: tuple[int, int, int]
    batch: int
    steps: tuple[float, ...]
    walls: tuple[float, ...]
    phases: dict[str, tuple[float, ...]]
    watched: tuple[float, ...]
    watched_phases: dict[str, tuple[float, ...]]
    layers: tuple[TimedLayer, ...]
    operators: dict[str, tuple[float, ...]] = field(default_factory=dict)
    memory: Memory | None = None
    joules: tuple[float, ...] = ()


@dataclass(frozen=True)
class Copied:
    """Copies of an array of so many bytes, each in gigabytes a second, read and written counted."""

    n_bytes: int
    rates: tuple[float, ...]


@dataclass(frozen=True)
class Limits:
    """What this machine can do at most, measured in the same run with the same threads.

    matmul: float32 matrix multiplications, each in billions of multiply-adds a second; of the size that is quickest.
    copies: by size, from what fits into the smallest cache to what fits into none.
    """

    matmul: tuple[float, ...]
    matmul_side: int
    copies: tuple[Copied, ...]


@dataclass(frozen=True)
class Quiet:
    """What shows whether the machine had other work. before and after: 1-minute load average and MHz, None where the
    machine does not tell. reference: of a piece of work that is always the same, once a round, in milliseconds.
    """

    cores: int
    load: tuple[float | None, float | None]
    mhz: tuple[float | None, float | None]
    reference: tuple[float, ...]


@dataclass(frozen=True)
class Timing:
    """Arms timed step by step in turn; step i of one arm stands beside step i of every other.

    processor_time: whether times are those of the thread that works, which leave out the turns of other programs; else
    they are by the clock on the wall. pinned: the cores it was held to, none where the system cannot.
    stamp: nanoseconds that each look at a layer took, forward and backward, which were taken off.
    energy: where joules come from, or why there are none, in English. energy_code: of this text.
    """

    schema: int
    arms: tuple[TimedArm, ...]
    repeats: int
    rounds: int
    threads: int
    device: str
    processor_time: bool
    pinned: tuple[int, ...]
    stamp: tuple[float, float]
    limits: Limits
    quiet: Quiet
    energy: str
    processor: str = ""
    made: str = ""
    energy_code: Code | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        keep_code(self, "energy", "energy_code")

    @property
    def energy_text(self) -> Coded:
        """What is known of energy, to be shown by `translate`."""
        return Coded(self.energy, self.energy_code)

    def arm(self, name: str) -> TimedArm:
        """The arm of this name."""
        return next(arm for arm in self.arms if arm.name == name)


def write(timing: Timing) -> bytes:
    """The timing as JSON."""
    return msgspec.json.encode(timing)


_UNREAD = N_("{path}: cannot be read as a timing ({reason}); accepted: a file written by profile --keep")
TIMING = Kind(
    "timing",
    N_("a timing"),
    json_of(Timing),
    said=_UNREAD,
    schema=TIMING_SCHEMA,
    absent=_UNREAD,
)


def read(path: Path) -> Timing:
    """A timing that was written before. Raises StoreError."""
    return reader.read(path, TIMING)
