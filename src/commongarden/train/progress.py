"""What a training tells while it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from commongarden.i18n.language import N_


@dataclass(frozen=True)
class Step:
    """One step just done, from 1; the figures are the epoch's up to here. On a device they may be some steps old."""

    epoch: int
    step: int
    loss: float
    accuracy: float
    images_per_second: float


class Turn(Enum):
    """A training on a device gives its thread to others. FED: the device has more to do. WAITING: the device has
    enough, or what comes next needs its results."""

    FED = "fed"
    WAITING = "waiting"


_DIVERGED = {
    "training": N_("the training loss became {loss}"),
    "validation": N_("the validation loss became {loss}"),
}


class Diverged(Exception):
    """The loss is not finite."""

    def __init__(self, epoch: int, step: int, loss: float, part: str = "training") -> None:
        self.reason = _DIVERGED[part].format(loss=loss)
        super().__init__(str(self.reason))
        self.epoch, self.step = epoch, step
