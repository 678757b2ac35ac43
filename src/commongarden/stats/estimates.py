"""Means with intervals that carry the noise between seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from commongarden.records import Estimate


def mean_interval(
    values: Sequence[float],
    *,
    confidence: float = 0.95,
    least_spread: float = 0.0,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    """The mean with Student's t interval; with one value the value alone.

    The interval carries the noise between the values (seeds), not that of the photos they are tested on.

    least_spread: the standard deviation is taken to be at least this. Accuracies are shares of a counted number of
        photos, so a few of them can be equal by rounding alone, which must not read as certainty.
    bounds: what is possible; the interval is cut there.
    """
    n = len(values)
    mean = float(np.mean(values))
    if n == 1:
        return Estimate(mean, None, None, 1, "one run: no interval")
    spread = max(float(np.std(values, ddof=1)), least_spread)
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * spread / math.sqrt(n)
    low, high = max(mean - half, bounds[0]), min(mean + half, bounds[1])
    return Estimate(mean, low, high, n, f"Student t, {confidence:.0%} over seeds")


def rounding_spread(n_photos: float) -> float:
    """The standard deviation of an accuracy that comes from counting whole photos alone: that of a uniform
    distribution one photo wide (Sheppard 1898)."""
    return 1 / (n_photos * math.sqrt(12))
