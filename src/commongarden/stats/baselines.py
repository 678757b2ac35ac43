"""The arms beside the best of the simple methods, photo by photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from commongarden.records import Baseline, Estimate, Predictions, Run
from commongarden.stats.crossed import crossed_interval
from commongarden.store import Store

Beside = Literal["above", "not shown", "below", "one run"]


@dataclass(frozen=True)
class BesideBaseline:
    """An arm's test accuracy less that of the best baseline, on the same photos. beside: what its interval allows one
    to say; "one run" where there is none."""

    arm: str
    baseline: Baseline
    difference: Estimate
    beside: Beside


def best_baseline(found: Sequence[tuple[Baseline, Predictions]]) -> tuple[Baseline, Predictions] | None:
    """The one with the best validation accuracy (of equals the first): the test part chooses nothing."""
    return max(found, key=lambda item: item[0].val_accuracy, default=None)


def beside_baselines(
    store: Store, arms: Sequence[str], runs: Sequence[Run], found: Sequence[tuple[Baseline, Predictions]]
) -> tuple[BesideBaseline, ...]:
    """Every arm with a finished run beside the best baseline."""
    best = best_baseline(found)
    if best is None:
        return ()
    baseline, predictions = best
    rows = []
    for arm in arms:
        tables = [_right(store.predictions(run.arm, run.seed)) for run in runs if _is_done(run, arm)]
        if tables:
            difference = crossed_interval(np.array(tables) - _right(predictions)).estimate
            rows.append(BesideBaseline(arm, baseline, difference, _beside(difference)))
    return tuple(rows)


def _is_done(run: Run, arm: str) -> bool:
    return run.arm == arm and run.status == "finished"


def _right(predictions: Predictions) -> np.ndarray:
    """(photos,) 1 where the guess is right, in the order of the photos' paths, so that two tables can be paired."""
    order = np.argsort(predictions.photos, kind="stable")
    right: np.ndarray = (predictions.probabilities.argmax(axis=1) == predictions.labels)[order]
    return right.astype(np.float64)


def _beside(difference: Estimate) -> Beside:
    if difference.low is None or difference.high is None:
        return "one run"
    if difference.low > 0:
        return "above"
    return "below" if difference.high < 0 else "not shown"
