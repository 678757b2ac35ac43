"""Whether runs learn at all: a question of its own, apart from how well a network does when it learns.

A run has learned if the validation accuracy of the epoch that it keeps is above the share of the largest class among
its validation photos by more than chance, one-sided at 5 %. With few validation photos that says nothing of most
networks that learn, so with fewer than 50 the training accuracy of that epoch decides, by the same rule on the training
photos. The rule does not look at the test part and is the same for all arms, so it favours none.

A network that fails in one run of four has a mean that few runs tell nothing of: five runs see no failure in 24 of 100
studies. So conclusions about accuracy compare the runs that learned, and how often each arm learns is reported with
exact figures (Clopper & Pearson 1934; Fisher 1935).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from commongarden.records import Estimate, Predictions, Run
from commongarden.store import Store

FEWEST_PHOTOS, LEVEL = 50, 0.05
METHOD = "share of the runs, exact (Clopper & Pearson 1934)"
ByRun = Mapping[tuple[str, int], bool]  # by arm and seed
Runs = Mapping[int, Predictions]  # of one arm, by seed


@dataclass(frozen=True)
class LearningDifference:
    """How often the two arms of a contrast learned. arm, against: shares of their finished runs; p: of Fisher's exact
    test, two-sided."""

    arm: Estimate
    against: Estimate
    p: float


def has_learned(accuracy: float, largest: float, n_photos: int) -> bool:
    """accuracy: on n_photos photos; largest: the share of the largest class among them."""
    return accuracy > largest + float(stats.norm.isf(LEVEL)) * math.sqrt(largest * (1 - largest) / n_photos)


def learned(store: Store, runs: Sequence[Run]) -> dict[tuple[str, int], bool]:
    """Of each finished run whether it learned."""
    labels = {photo.path: photo.label for photo in store.manifest().photos}
    judged_by: dict[str, tuple[bool, float, int]] = {}
    found = {}
    for run in runs:
        if run.status != "finished":
            continue
        if run.hashes.split not in judged_by:
            split = store.split(run.seed)
            few = len(split.val) < FEWEST_PHOTOS
            counts = Counter(labels[path] for path in (split.train if few else split.val))
            judged_by[run.hashes.split] = few, max(counts.values()) / counts.total(), counts.total()
        few, largest, n_photos = judged_by[run.hashes.split]
        epoch = store.history(run.arm, run.seed)[(run.selected_epoch or 0) - 1]
        accuracy = epoch.train_accuracy if few else epoch.val_accuracy
        found[run.arm, run.seed] = has_learned(accuracy, largest, n_photos)
    return found


def share(n_learned: int, n: int) -> Estimate:
    """How many of n runs learned, as a share with its exact 95 % interval."""
    exact = stats.binomtest(n_learned, n).proportion_ci(0.95, method="exact")
    return Estimate(n_learned / n, float(exact.low), float(exact.high), n, METHOD)


def difference(one: Sequence[bool], two: Sequence[bool]) -> LearningDifference:
    """From whether each run of two arms learned."""
    table = np.array([[sum(side), len(side) - sum(side)] for side in (one, two)])
    p = float(stats.fisher_exact(table).pvalue)
    return LearningDifference(share(sum(one), len(one)), share(sum(two), len(two)), p)


def not_excluded(n: int) -> float:
    """The largest share of failing runs that n runs without a failure leave possible, at 95 % confidence.

    >>> round(not_excluded(5), 2), round(not_excluded(20), 2)
    (0.45, 0.14)
    """
    return float(1 - LEVEL ** (1 / n))


def compared_seeds(one: Runs, two: Runs, arms: tuple[str, str], by_run: ByRun) -> list[int]:
    """The seeds over which two arms are compared, of those that both finished."""
    return both_learned(sorted(one.keys() & two.keys()), arms, lambda arm, seed: by_run.get((arm, seed), True))


def both_learned(seeds: Sequence[int], arms: tuple[str, str], learned: Callable[[str, int], bool]) -> list[int]:
    """The seeds in which both arms learned. An arm that never learned is compared as it is."""
    learning = [arm for arm in arms if any(learned(arm, seed) for seed in seeds)]
    return [seed for seed in seeds if all(learned(arm, seed) for arm in learning)]
