"""Whether runs learn at all: a question of its own, apart from how well a network does when it learns.

A run has learned if the validation accuracy of the epoch that it keeps is above the share of the largest class among
its validation photos; with 10 such photos or more by more than chance, one-sided at 5 %. The rule looks at the
validation part alone and is the same for all arms, so it does not favour what the test part favours.

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

FEWEST_PHOTOS, LEVEL = 10, 0.05
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
    """accuracy: on the validation photos; largest: the share of the largest class there."""
    margin = 0.0
    if n_photos >= FEWEST_PHOTOS:
        margin = float(stats.norm.isf(LEVEL)) * math.sqrt(largest * (1 - largest) / n_photos)
    return accuracy > largest + margin


def learned(store: Store, runs: Sequence[Run]) -> dict[tuple[str, int], bool]:
    """Of each finished run whether it learned."""
    labels = {photo.path: photo.label for photo in store.manifest().photos}
    largest: dict[str, tuple[float, int]] = {}
    found = {}
    for run in runs:
        if run.status != "finished":
            continue
        if run.hashes.split not in largest:
            counts = Counter(labels[path] for path in store.split(run.seed).val)
            largest[run.hashes.split] = max(counts.values()) / counts.total(), counts.total()
        accuracy = store.history(run.arm, run.seed)[(run.selected_epoch or 0) - 1].val_accuracy
        found[run.arm, run.seed] = has_learned(accuracy, *largest[run.hashes.split])
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
