"""Models ranked on each data set: mean ranks, Friedman's test (1937), and the critical difference of Nemenyi (1963), as
Demsar (2006) recommends for comparisons over several data sets. Held against autorank in the tests."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


@dataclass(frozen=True)
class Ranks:
    """mean: the mean rank of each arm, 1 for the best. p: of Friedman's test; None with two arms. critical: mean ranks
    that differ by less are not significantly different (Nemenyi, 5 %). alike: places of arms, best first, within which
    that is so; groups that are part of a larger one are left out."""

    mean: tuple[float, ...]
    p: float | None
    critical: float
    alike: tuple[tuple[int, ...], ...]


def ranks(figures: ArrayLike) -> Ranks:
    """figures: (data sets, arms), at least 2 x 2; higher is better."""
    x = np.asarray(figures, dtype=np.float64)
    n, n_arms = x.shape
    mean = stats.rankdata(-x, axis=1).mean(axis=0)
    critical = float(stats.studentized_range.ppf(0.95, n_arms, math.inf)) / math.sqrt(2)
    critical *= math.sqrt(n_arms * (n_arms + 1) / (6 * n))
    p = None
    if n_arms > 2:
        p = float(stats.friedmanchisquare(*x.T).pvalue) if np.ptp(mean) > 0 else 1.0
    return Ranks(tuple(map(float, mean)), p, critical, _alike(mean, critical))


def _alike(mean: np.ndarray, critical: float) -> tuple[tuple[int, ...], ...]:
    order = [int(place) for place in np.argsort(mean, kind="stable")]
    found: list[tuple[int, ...]] = []
    last = -1
    for first in range(len(order)):
        end = max(i for i in range(first, len(order)) if mean[order[i]] - mean[order[first]] < critical or i == first)
        if end > first and end > last:
            found.append(tuple(order[first : end + 1]))
            last = end
    return tuple(found)
