"""When a run under way is saved: after an epoch, if that takes little of the run's time, and when the run is stopped.

A checkpoint of eleven million weights takes a second, and an epoch of a few hundred photos may not take ten. Only
workers import this module: it loads torch.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from commongarden import store as store_files
from commongarden.runner import limits
from commongarden.train import checkpoint
from commongarden.train.train_state import TrainState

SHARE = 0.01  # of a run's time at the most, after its first checkpoint
TRIALS = 2  # copies whose time is not limited: the first one also pays for its memory
SPARE = 4  # times a copy's size must be free for the first one


class CheckpointSchedule:
    """Writes a run's checkpoints. A kill loses the epoch in progress, or what was trained in a hundred times the
    seconds of a checkpoint, whichever is more. A stop loses no finished epoch: the state after one that is not on the
    disk is copied in memory, which takes a fraction of the time of a checkpoint."""

    def __init__(self, path: Path, train_state: TrainState) -> None:
        self._path, self._trainee = path, train_state
        self._cost = self._copy_cost = math.inf  # seconds of the quickest so far: one that stalled is no measure
        self._saved = -math.inf
        self._last_epoch = time.monotonic()
        self._is_unsaved = False
        self._copy: dict[str, Any] | None = None  # of the state after the last epoch, where the disk lacks it
        self._n_copies = self._size = 0

    def epoch_done(self) -> None:
        """Saves the training state if that is due, as it is after the first epoch; otherwise copies it if that is
        cheap."""
        now = time.monotonic()
        took, self._last_epoch, self._copy, self._is_unsaved = now - self._last_epoch, now, None, True
        if (now - self._saved) * SHARE >= self._cost:
            self.save()
        elif self._may_copy(took):
            self._copy = checkpoint.copied_contents(self._trainee)
            self._n_copies += 1
            self._copy_cost = min(self._copy_cost, time.monotonic() - now)

    def save(self) -> None:
        """Saves the state after the last epoch, which the run is still in."""
        self._write(checkpoint.contents(self._trainee))

    def can_stop(self) -> bool:
        """Whether every finished epoch is on the disk, where this puts the last one if a copy of it is held.

        If not, the run goes on to the end of its epoch. That takes little time: less than a hundred times that of a
        copy, or, where the memory has no room for one, of a checkpoint.
        """
        if self._is_unsaved and self._copy is not None:
            self._write(self._copy)
        return not self._is_unsaved

    def _may_copy(self, epoch: float) -> bool:
        if self._n_copies == 0:
            return SPARE * self._size <= limits.free_memory()
        return self._n_copies < TRIALS or self._copy_cost <= SHARE * epoch

    def _write(self, contents: dict[str, Any]) -> None:
        begun = time.monotonic()
        data = checkpoint.serialized(contents)
        store_files.write_atomically(self._path, data)
        self._saved, self._size = time.monotonic(), len(data)
        self._cost = min(self._cost, self._saved - begun)
        self._copy, self._is_unsaved = None, False


def seconds_of_saving(epochs: int, training: float, one: float) -> float:
    """What a run's checkpoints will take, of `one` second each, over so many seconds of training."""
    return min(epochs * one, one + SHARE * training)
