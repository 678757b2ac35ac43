"""What was published of the flower experiment: logs of training, and beside them what runs did at the same epochs."""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from commongarden.records import Epoch, Estimate

FILE = Path(__file__).parent.parent / "published.toml"


@dataclass(frozen=True)
class PublishedLog:
    """A network's training as it was printed. epochs: those after which it was; seconds: since the one before."""

    epochs: tuple[int, ...]
    train_loss: tuple[float, ...]
    train_accuracy: tuple[float, ...]
    val_accuracy: tuple[float, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Interleaved:
    """A ratio of the times of a step, `arm` over `against`, of n pairs of steps in turn."""

    arm: str
    against: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class PublishedLogs:
    """All that was published besides final figures. validation_photos: how many a validation accuracy was of."""

    validation_photos: int
    interleaved: Interleaved
    logs: dict[str, PublishedLog]

    @property
    def ratio(self) -> float:
        """The times of the whole runs of the two arms that were timed in turn later, as they were published."""
        arm, against = (sum(self.logs[name].seconds) for name in (self.interleaved.arm, self.interleaved.against))
        return arm / against


def published_logs() -> PublishedLogs:
    """Of the experiment that commongarden began with, by the arm's name without defects."""
    text = FILE.read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), PublishedLogs)


@dataclass(frozen=True)
class Shape:
    """How validation accuracy goes beside training accuracy. Shares.

    lag: training minus validation accuracy, the mean over the epochs looked at.
    jump: by how much validation accuracy changes from one of these epochs to the next, in size, on average.
    """

    lag: float
    jump: float


def shape(train_accuracy: Sequence[float], val_accuracy: Sequence[float]) -> Shape:
    """Of two curves at the same epochs, two at least."""
    lags = [one - two for one, two in zip(train_accuracy, val_accuracy, strict=True)]
    jumps = [abs(after - before) for before, after in itertools.pairwise(val_accuracy)]
    return Shape(math.fsum(lags) / len(lags), math.fsum(jumps) / len(jumps))


def at_epochs(history: Sequence[Epoch], epochs: Sequence[int]) -> Shape | None:
    """The same of a run, at these epochs as far as it went; None where it came to fewer than two of them."""
    looked = [epoch for epoch in history if epoch.epoch in epochs]
    if len(looked) < 2:
        return None
    return shape([epoch.train_accuracy for epoch in looked], [epoch.val_accuracy for epoch in looked])


@dataclass(frozen=True)
class Ending:
    """Training at the last of the published epochs, before any running statistic is used: as published, and by seed."""

    network: str
    arm: str
    accuracy: float
    loss: float
    accuracies: dict[int, float]
    losses: dict[int, float]

    @property
    def inside(self) -> bool:
        """Whether the published accuracy lies in the range of the seeds."""
        return min(self.accuracies.values()) <= self.accuracy <= max(self.accuracies.values())


@dataclass(frozen=True)
class Departure:
    """How a run left the line of always guessing the commonest class, or did not.

    epoch: the first with a training accuracy above what that line can reach by chance, 0 where there is none.
    first_loss: mean training loss of the first two epochs. test_accuracy: at the end. n_named: how many classes the
    test photos were given. spread: the standard deviation of the probabilities between test photos, the largest of the
    classes'; 0 where the network says the same of every photo.
    """

    arm: str
    seed: int
    epoch: int
    first_loss: float
    test_accuracy: float
    n_named: int
    spread: float


def departure_epoch(history: Sequence[Epoch], line: float, n_train: int) -> int:
    """The first epoch whose training accuracy lies three standard errors above the line; 0 for none.

    line: the commonest class's share of the training part, of n_train photos.
    """
    bound = beyond(line, n_train)
    return next((epoch.epoch for epoch in history if epoch.train_accuracy > bound), 0)


def beyond(line: float, n: int) -> float:
    """Three standard errors above a share of n photos."""
    return line + 3 * math.sqrt(line * (1 - line) / n)


@dataclass(frozen=True)
class Timing:
    """What a measurement of two arms' steps in turn gave. ratio: `arm` over `against`. share_of_batch_norm: of a step
    of `arm`. machine: in words."""

    ratio: Estimate
    share_of_batch_norm: Estimate | None
    machine: str
