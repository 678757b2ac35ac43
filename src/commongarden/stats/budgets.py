"""The same histories read off at equal epochs, equal time and equal multiply-adds: does the verdict hang on the budget?

Read off is the validation accuracy at the end of the last epoch that was over by then (a step function), at the largest
budget that every paired run of both arms has reached: nothing is extrapolated. Only accuracies are stored of each
epoch, not single predictions, so the photos' share of the noise is taken from the test part at the end of training:
what varies between photos there, divided by the number of validation photos, is added to what varies between seeds.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import numpy as np

from commongarden.arch import UNKNOWN
from commongarden.records import Epoch, Estimate, Run
from commongarden.stats.clusters import Groups, clusters, n_units
from commongarden.stats.crossed import crossed_difference
from commongarden.stats.estimates import rounding_spread
from commongarden.stats.means import Mean
from commongarden.stats.metrics import correct
from commongarden.stats.resampled import resampled_interval
from commongarden.stats.scores import Tested
from commongarden.store import Store
from commongarden.study import Contrast, Study

Budget = Literal["epochs", "seconds", "macs"]
BUDGETS: tuple[Budget, ...] = ("epochs", "seconds", "macs")
ViewOutcome = Literal["better", "worse", "not resolved", "one seed", "too short", "not counted"]


@dataclass(frozen=True)
class Track:
    """A run's way: validation accuracy, and what had been spent by the end of each epoch. seconds: with validation.
    macs: multiply-adds of the forward passes over the training photos; backward passes cost about twice as much more,
    for every arm alike."""

    val_accuracy: tuple[float, ...]
    seconds: tuple[float, ...]
    macs: tuple[float, ...]

    def spent(self, budget: Budget) -> Sequence[float]:
        """What had been spent at the end of each epoch."""
        return range(1, len(self.val_accuracy) + 1) if budget == "epochs" else getattr(self, budget)

    def epochs_at(self, budget: Budget, at: float) -> int:
        """How many epochs were over by then."""
        return bisect_right(self.spent(budget), at)


@dataclass(frozen=True)
class BudgetView:
    """A contrast at one budget. at: epochs, seconds or multiply-adds. arm_epochs, against_epochs: that were over by
    then, mean over seeds. difference: in validation accuracy, as a share; None where a run had not ended an epoch
    ("too short"), or a network's multiply-adds could not be counted ("not counted"). The interval is by itself, without
    regard to other contrasts."""

    budget: Budget
    at: float
    arm_epochs: float
    against_epochs: float
    difference: Estimate | None
    outcome: ViewOutcome


@dataclass(frozen=True)
class BudgetViews:
    """A contrast at the three budgets."""

    arm: str
    against: str
    views: tuple[BudgetView, ...]

    @property
    def agree(self) -> bool:
        """Whether all three allow one to say the same."""
        return len({view.outcome for view in self.views} - {"not counted"}) <= 1


def track(run: Run, history: Sequence[Epoch]) -> Track:
    """A run's way from its history."""
    each = float(run.macs) * run.n_train if run.macs != UNKNOWN else math.nan
    return Track(
        tuple(epoch.val_accuracy for epoch in history),
        tuple(accumulate(epoch.seconds for epoch in history)),
        tuple(each * epoch.epoch for epoch in history),
    )


def view(
    budget: Budget,
    pairs: Sequence[tuple[Track, Track]],
    n_val: float,
    photo_sd: float,
    n_test: float,
    n_train: float = 0,
    units: tuple[float, float] | None = None,
) -> BudgetView:
    """One budget's view of paired runs (arm, against).

    photo_sd: the standard deviation between photos of the difference in correctness. n_train: where each pair has
    validation photos of its own, the photos it learned from, else 0. units: where photo_sd is between groups of photos,
    how many of those validate, and the degrees of freedom of photo_sd.
    """
    if any(math.isnan(one.spent(budget)[-1]) for pair in pairs for one in pair):
        return BudgetView(budget, UNKNOWN, 0.0, 0.0, None, "not counted")
    at = min(one.spent(budget)[-1] for pair in pairs for one in pair)
    ended = [tuple(one.epochs_at(budget, at) for one in pair) for pair in pairs]
    arm_epochs, against_epochs = (float(np.mean(counts)) for counts in zip(*ended, strict=True))
    if not all(count for counts in ended for count in counts):
        return BudgetView(budget, float(at), arm_epochs, against_epochs, None, "too short")
    differences = [
        one.val_accuracy[mine - 1] - two.val_accuracy[theirs - 1]
        for (one, two), (mine, theirs) in zip(pairs, ended, strict=True)
    ]
    if n_train:
        difference = resampled_interval(differences, n_train, n_val)
    else:
        difference = mean_of(differences, n_val, photo_sd, n_test, units).interval()
    return BudgetView(budget, float(at), arm_epochs, against_epochs, difference, _outcome(difference))


def mean_of(
    differences: Sequence[float],
    n_val: float,
    photo_sd: float,
    n_test: float,
    units: tuple[float, float] | None = None,
) -> Mean:
    """The mean over seeds, with the noise between seeds and that of the photos, and Satterthwaite's degrees of freedom.

    The seeds' spread is taken to be at least that of counting whole photos. units: as in `view`.
    """
    n, value, bounds = len(differences), float(np.mean(differences)), (-1.0, 1.0)
    if n == 1:
        return Mean(value, None, None, 1, "one run: no interval", None, bounds)
    spread = max(float(np.std(differences, ddof=1)), math.sqrt(2) * rounding_spread(round(n_val)))
    n_units, photo_df = units or (n_val, n_test - 1)
    seeds, photos = spread**2 / n, photo_sd**2 / n_units
    df = (seeds + photos) ** 2 / (seeds**2 / (n - 1) + photos**2 / max(photo_df, 1))
    unit = "photos" if units is None else "groups of photos"
    method = f"seeds, and {unit} as on the test part, Satterthwaite"
    least = n - 1.0 if units is None else min(n - 1.0, max(photo_df, 1))
    return Mean(value, math.sqrt(seeds + photos), max(df, least), n, method, None, bounds)


def _outcome(difference: Estimate) -> ViewOutcome:
    if difference.low is None or difference.high is None:
        return "one seed"
    if difference.low > 0:
        return "better"
    return "worse" if difference.high < 0 else "not resolved"


def budget_views(
    store: Store, study: Study, runs: Sequence[Run], tested: Tested, groups: Groups | None = None
) -> tuple[BudgetViews, ...]:
    """Every planned contrast that has a seed with both arms, at the three budgets. tested: by arm and seed. groups: of
    the photos that have one."""
    done = {(run.arm, run.seed): run for run in runs if run.status == "finished"}
    tracks = {key: track(run, store.history(*key)) for key, run in done.items()}
    found = []
    for contrast in study.planned_contrasts():
        seeds = [seed for seed in study.seeds if {(contrast.arm, seed), (contrast.against, seed)} <= done.keys()]
        if seeds:
            views = _views(store, contrast, [done[contrast.arm, seed] for seed in seeds], tracks, tested, groups or {})
            found.append(BudgetViews(contrast.arm, contrast.against, views))
    return tuple(found)


def _views(
    store: Store,
    contrast: Contrast,
    mine: Sequence[Run],
    tracks: Mapping[tuple[str, int], Track],
    tested: Tested,
    groups: Groups,
) -> tuple[BudgetView, ...]:
    """mine: the runs of the contrast's arm with the seeds that both have finished."""
    seeds = [run.seed for run in mine]
    n_val, n_test = (float(np.mean(sizes)) for sizes in zip(*((run.n_val, run.n_test) for run in mine), strict=True))
    pairs = [(tracks[contrast.arm, seed], tracks[contrast.against, seed]) for seed in seeds]
    own = len({run.hashes.split for run in mine}) > 1
    photo_sd, n_train, units = 0.0, 0.0, None
    if own:
        n_train = float(np.mean([run.n_train for run in mine]))
    elif len(seeds) > 1:
        table = [correct(tested[contrast.arm][seed]) - correct(tested[contrast.against][seed]) for seed in seeds]
        found = clusters(tested[contrast.arm][seeds[0]].photos, groups)
        components = crossed_difference(np.array(table), groups=found).components
        photo_sd = (components and components.photo) or 0.0
        if found is not None:
            units = n_units(np.array(store.split().val), groups), found.df
    return tuple(view(budget, pairs, n_val, photo_sd, n_test, n_train, units) for budget in BUDGETS)
