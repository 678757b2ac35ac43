"""What the epochs of an arm's runs show, without their signals. The bounds are argued in docs/reasons.md."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from commongarden.records import Epoch, Estimate, Run
from commongarden.records.observation import Observation
from commongarden.records.signals import Signals
from commongarden.stats import mean_interval, rounding_spread

GAP, RISE = 0.10, 0.05  # training accuracy over validation; validation loss over its lowest
POINTS, FALLS = (-1.0, 1.0), (-math.inf, 1.0)  # what a difference of shares, and the fall of a loss, can be
JUMP = 0.08  # of validation accuracy from one epoch to the next, beyond what so few photos jump by chance
FALL = 0.03  # of the training loss in the last epoch
LR_LEFT = 0.1  # of the highest learning rate; below it the schedule has ended the training
FEWEST_EPOCHS = 4  # in which a course can be seen


@dataclass(frozen=True, eq=False)
class Trained:
    """A run with all that is stored of it."""

    run: Run
    history: tuple[Epoch, ...]
    signals: Signals | None


def surely_above(found: Estimate, bound: float) -> bool:
    """The mean above the bound; with three runs and more the interval above 0 as well, which two runs never allow."""
    return found.value >= bound and (found.n < 3 or found.low is None or found.low > 0)


# How runs ended


def of_histories(arm: str, done: Sequence[Trained]) -> Iterator[Observation]:
    epochs = [epoch for run in done for epoch in run.history]
    if not all(math.isfinite(epoch.train_loss) and math.isfinite(epoch.val_loss) for epoch in epochs):
        return  # "diverged" tells it
    if all(len(run.history) >= FEWEST_EPOCHS for run in done):
        for look in (_unstable, _overfits, _improving):
            yield from look(arm, done)


def _unstable(arm: str, done: Sequence[Trained]) -> Iterator[Observation]:
    """Validation accuracy that jumps from epoch to epoch in the second half."""

    def jump(run: Trained) -> float:
        half = [epoch.val_accuracy for epoch in run.history[len(run.history) // 2 - 1 :]]
        jumps = statistics.fmean(abs(two - one) for one, two in itertools.pairwise(half))
        share = statistics.fmean(half)
        by_chance = math.sqrt(4 / math.pi * share * (1 - share) / max(run.run.n_val, 1))  # of two unlike draws
        return jumps - by_chance

    value = mean_interval(list(map(jump, done)), bounds=POINTS)
    if surely_above(value, JUMP):
        tail = [epoch.val_accuracy for epoch in done[0].history[len(done[0].history) // 2 - 1 :]]
        yield Observation(
            "unstable", arm, "", value, len(done), {"least": min(tail), "most": max(tail), "epochs": float(len(tail))}
        )


def _overfits(arm: str, done: Sequence[Trained]) -> Iterator[Observation]:
    """Training accuracy far above validation, whose loss has risen from its lowest."""

    def gap(run: Trained) -> float:
        last = run.history[-1]
        anew = run.signals.reestimated.accuracy_anew if run.signals and run.signals.reestimated else 0.0
        return last.train_accuracy - max(last.val_accuracy, anew)

    def rise(run: Trained) -> float:
        losses = [epoch.val_loss for epoch in run.history]
        anew = run.signals.reestimated.loss_anew if run.signals and run.signals.reestimated else math.inf
        return min(losses[-1], anew) / max(min(losses), 1e-12) - 1

    value = mean_interval(list(map(gap, done)), least_spread=rounding_spread(done[0].run.n_val), bounds=POINTS)
    risen = mean_interval(list(map(rise, done)))
    if surely_above(value, GAP) and surely_above(risen, RISE):
        lowest = [1 + min(range(len(run.history)), key=lambda i: run.history[i].val_loss) for run in done]
        more = {
            "train": statistics.fmean(run.history[-1].train_accuracy for run in done),
            "val": statistics.fmean(run.history[-1].val_accuracy for run in done),
            "rise": risen.value,
            "lowest": statistics.median(lowest),
        }
        yield Observation("overfits", arm, "", value, len(done), more)


def _improving(arm: str, done: Sequence[Trained]) -> Iterator[Observation]:
    """Training loss still falls in the last epoch, at a learning rate that has not been let down, and validation with
    it."""
    if any(run.history[-1].lr < LR_LEFT * max(epoch.lr for epoch in run.history) for run in done):
        return

    def fall(run: Trained) -> float:
        before, last = run.history[-2:]
        return 1 - last.train_loss / before.train_loss

    def val_fall(run: Trained) -> float:
        losses = [epoch.val_loss for epoch in run.history]
        third = max(len(losses) // 3, 1)
        return 1 - statistics.fmean(losses[-third:]) / statistics.fmean(losses[-2 * third : -third])

    value, val = (mean_interval(list(map(figure, done)), bounds=FALLS) for figure in (fall, val_fall))
    if surely_above(value, FALL) and surely_above(val, 0.0):
        more = {
            "before": statistics.fmean(run.history[-2].train_loss for run in done),
            "last": statistics.fmean(run.history[-1].train_loss for run in done),
            "val": val.value,
        }
        yield Observation("still improving", arm, "", value, len(done), more)
