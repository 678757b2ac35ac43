"""The answer of a study: which arm is best, which comparisons are settled, and what would settle the others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from commongarden.records import Estimate
from commongarden.stats.best import Standing
from commongarden.stats.foremost import foremost
from commongarden.stats.means import FEWEST_SEEDS as FEWEST_SEEDS
from commongarden.stats.results import ArmResult, ContrastResult, Results

SETTLED = ("better", "worse", "equivalent")
WITHIN_REACH = 20  # times the test photos of today; advice beyond that helps nobody
MOST_ADVISED = 50  # seeds; a larger number, planned from a few, is wrong as often as right
FEWEST_PHOTOS = 50  # with fewer, and with fewer seeds than a conclusion takes, too little is known to plan with
USUAL_SEEDS = 5
Needs = Literal["seeds", "photos", "first seeds", "more images", "out of reach"]


@dataclass(frozen=True)
class Unsettled:
    """A comparison that is not settled, and what would likely settle it.

    needs: "seeds", with least and seeds (in all), the two ends of what would likely do, and difference, the true
    difference that would then be found with 80 % power, in the metric's own unit; "photos" where no number of seeds
    does, or where more test photos are cheaper, as a multiple of today's: then with about how many, or groups of them
    where those are the unit;
    "first seeds" where there are too few runs to plan with, "more images" where there are too few test photos; "out of
    reach" where it could take more than MOST_ADVISED seeds.
    """

    contrast: ContrastResult
    needs: Needs
    seeds: int = 0
    photos: int = 0
    difference: float = 0.0
    least: int = 0


@dataclass(frozen=True)
class Answer:
    """Which arm to use, and how sure that is.

    best: the arm with the best mean. reached: its figure by the study's metric. settled: comparisons with a significant
    difference, or equivalent, by the intervals that are adjusted for all of them. unsettled: all others. seeds: of all
    arms, with which those within reach would likely be settled; runs, minutes: what that takes, minutes None where no
    run was timed; all None where more seeds settle nothing.
    """

    best: Standing
    reached: Estimate | None
    n_arms: int  # with results
    settled: tuple[ContrastResult, ...]
    unsettled: tuple[Unsettled, ...]
    seeds: int | None = None
    runs: int | None = None
    minutes: float | None = None

    @property
    def beaten(self) -> tuple[str, ...]:
        """The arms that the best one is significantly better than."""
        won = [(one.arm, one.against) if one.outcome == "better" else (one.against, one.arm)
               for one in self.settled if one.outcome in ("better", "worse")]  # fmt: skip
        return tuple(loser for winner, loser in won if winner == self.best.arm)


def answer(results: Results) -> Answer | None:
    """The answer that these results allow; None where no run has finished."""
    if not results.standings:
        return None
    best = results.standings[0]
    arms = {arm.arm: arm for arm in results.arms}
    unsettled = tuple(_unsettled(one, results) for one in results.contrasts if one.outcome not in SETTLED)
    told = {
        (one.arm, one.against) for one in foremost(results).contrasts
    }  # a sweep's others settle nothing of the best
    wanted = [
        one.seeds
        for one in unsettled
        if one.needs in ("seeds", "first seeds") and (one.contrast.arm, one.contrast.against) in told
    ]
    settled = tuple(one for one in results.contrasts if one.outcome in SETTLED)
    found = Answer(best, figure(arms[best.arm], results.metric), len(results.standings), settled, unsettled)
    if not wanted or results.folds:
        return found
    more = [max(max(wanted) - arm.n_finished, 0) for arm in results.arms]
    seconds = [arm.seconds.value if arm.seconds is not None else None for arm in results.arms]
    minutes = None if None in seconds else sum(n * (s or 0.0) for n, s in zip(more, seconds, strict=True)) / 60
    return Answer(best, found.reached, found.n_arms, settled, unsettled, max(wanted), sum(more), minutes)


def figure(arm: ArmResult, metric: str) -> Estimate | None:
    """What the arm reached by this metric."""
    found: Estimate | None = getattr(arm, "test_accuracy" if metric == "accuracy" else metric)
    return found


def _unsettled(contrast: ContrastResult, results: Results) -> Unsettled:
    n = 0 if contrast.difference is None else contrast.difference.n
    remedy = contrast.remedy
    few = remedy is not None and 0 < remedy.n_photos < FEWEST_PHOTOS
    if few and n >= USUAL_SEEDS:
        return Unsettled(contrast, "more images")
    if n < FEWEST_SEEDS or remedy is None or few:
        return Unsettled(contrast, "first seeds" if n < USUAL_SEEDS else "out of reach", USUAL_SEEDS)
    have = remedy.n_groups or remedy.n_photos
    if remedy.likely is not None and remedy.likely[1].seeds <= MOST_ADVISED:
        low, high = (effort.seeds for effort in remedy.likely)
        times = math.inf if remedy.instead is None else remedy.instead / have
        if times <= WITHIN_REACH and times < high / n:
            return Unsettled(contrast, "photos", n, remedy.instead or 0, remedy.wanted)
        return Unsettled(contrast, "seeds", high, difference=remedy.wanted, least=low)
    return Unsettled(contrast, "photos" if remedy.only_photos else "out of reach", difference=remedy.wanted)
