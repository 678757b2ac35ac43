"""How often a run under way is saved: behind an epoch, as long as that takes little of its time.

A checkpoint of eleven million weights takes a second, and an epoch of a few hundred photos may not take ten. Only
workers import this module: it loads torch.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

from commongarden import store as store_files
from commongarden.train import checkpoint
from commongarden.train.loop import TrainState

SHARE = 0.01  # of a run's time at the most, behind its first checkpoint


class CheckpointSchedule:
    """Writes a run's checkpoints. What a kill loses is the epoch under way, or what was trained in a hundred times the
    seconds of a checkpoint, whichever is more."""

    def __init__(self, path: Path, train_state: TrainState) -> None:
        self._path, self._trainee = path, train_state
        self._cost = math.inf  # seconds of the quickest so far: a disk that stalled once is no measure
        self._saved = -math.inf

    def epoch_done(self) -> None:
        """Saves the training state where it is due, which it is behind the first epoch."""
        begun = time.monotonic()
        if (begun - self._saved) * SHARE < self._cost:
            return
        store_files.write_atomically(self._path, checkpoint.to_bytes(self._trainee))
        self._saved = time.monotonic()
        self._cost = min(self._cost, self._saved - begun)


def seconds_of_saving(epochs: int, training: float, one: float) -> float:
    """What a run's checkpoints will take, of `one` second each, over so many seconds of training."""
    return min(epochs * one, one + SHARE * training)
