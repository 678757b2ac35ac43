"""Whether two arms' runs with the same seed are paired: only where the seeds of a study are seen to matter.

A seed gives all arms the same order of the photos, and often nothing else that would make it a lucky seed for all of
them: initial weights have other shapes in other networks. Pairing runs that have nothing in common halves the degrees
of freedom and leaves the variance as it is. So runs are paired where an F test of the seeds over all arms (a two-way
layout of the arms' figures, without replication) gives p < 0.2, and are independent samples elsewhere. Photos are
always paired. `scripts/calibration.py` simulates the error rate and the power of this choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from commongarden.records import Predictions
from commongarden.stats.metrics import Metric
from commongarden.stats.scores import shared_photos

LEVEL, LEAST_DF = 0.2, 6


def seeds_p(figures: ArrayLike) -> Any:
    """The p of the F test of the seeds, from the figures of runs (..., arms, seeds), at least 2 x 2."""
    x = np.asarray(figures, dtype=np.float64)
    n_arms, n_seeds = x.shape[-2:]
    by_seed, by_arm = x.mean(axis=-2, keepdims=True), x.mean(axis=-1, keepdims=True)
    mean = by_seed.mean(axis=-1, keepdims=True)
    rest = ((x - by_seed - by_arm + mean) ** 2).sum(axis=(-2, -1)) / ((n_arms - 1) * (n_seeds - 1))
    seed = n_arms * ((by_seed - mean) ** 2).sum(axis=(-2, -1)) / (n_seeds - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(rest > 0, seed / rest, np.where(seed > 0, np.inf, 0.0))
    return special.fdtrc(n_seeds - 1, (n_arms - 1) * (n_seeds - 1), ratio)


def are_paired(figures: ArrayLike) -> Any:
    """Whether runs (..., arms, seeds) with these figures are paired by seed."""
    n_arms, n_seeds = np.shape(figures)[-2:]
    if (n_arms - 1) * (n_seeds - 1) < LEAST_DF:
        return np.zeros(np.shape(figures)[:-2], dtype=bool)
    return seeds_p(figures) < LEVEL


def pair_seeds(metric: Metric, tested: Mapping[str, Mapping[int, Predictions]]) -> bool:
    """Whether the runs of a study are paired by seed. tested: by arm and seed; the arms that have runs count, with the
    seeds that all of these share. Runs with test photos of their own are always paired by the seed that chose them."""
    found = [by_seed for by_seed in tested.values() if by_seed]
    if not found:
        return False
    if not shared_photos([run for by_seed in found for run in by_seed.values()]):
        return True
    shared = sorted(set.intersection(*(set(by_seed) for by_seed in found)))
    figures = [[metric.whole(by_seed[seed]) for seed in shared] for by_seed in found]
    return bool(shared) and bool(are_paired(figures))
