"""Means with intervals that carry the noise between seeds; for quantities that cannot be negative, on the log scale."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np
from scipy import stats

from commongarden.records import Estimate
from commongarden.stats.means import UNBOUNDED, Bounds


def mean_interval(
    values: Sequence[float], *, confidence: float = 0.95, least_spread: float = 0.0, bounds: Bounds = UNBOUNDED
) -> Estimate:
    """The mean with Student's t interval; with one value the value alone.

    The interval carries the noise between the values (seeds), not that of the photos they are tested on.

    least_spread: the standard deviation is taken to be at least this. Accuracies are shares of a counted number of
        photos, so a few of them can be equal by rounding alone, which must not read as certainty.
    bounds: what is possible; the mean and its interval are cut there. (Estimates of a share may lie outside of 0 to 1
        one by one.)
    """
    n = len(values)
    mean = min(max(float(np.mean(values)), bounds[0]), bounds[1])
    if n == 1:
        return Estimate(mean, None, None, 1, "one run: no interval")
    spread = max(float(np.std(values, ddof=1)), least_spread)
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * spread / math.sqrt(n)
    low, high = max(mean - half, bounds[0]), min(mean + half, bounds[1])
    return Estimate(mean, low, high, n, f"Student t, {confidence:.0%} over seeds")


def geometric_mean_interval(values: Sequence[float], *, confidence: float = 0.95) -> Estimate:
    """The geometric mean with Student's t interval of the logarithms: for times, rates and sizes, which cannot be
    negative, and neither can this interval (Limpert, Stahel & Abbt 2001).

    With one value the value alone. Where a value is not positive it has no logarithm, and the arithmetic mean stands
    without an interval.
    """
    if min(values) <= 0:
        return Estimate(
            float(np.mean(values)), None, None, len(values), "mean; no interval, as a value is not positive"
        )
    if len(values) == 1:
        return Estimate(float(values[0]), None, None, 1, "one run: no interval")
    logs = mean_interval([math.log(value) for value in values], confidence=confidence)
    assert logs.low is not None
    assert logs.high is not None
    method = f"geometric mean, Student t of logarithms, {confidence:.0%} over seeds"
    return Estimate(math.exp(logs.value), _exp(logs.low), _exp(logs.high), logs.n, method)


def _exp(value: float) -> float:
    """e to this power, as far as a float goes."""
    return math.exp(min(value, math.log(sys.float_info.max)))


def rounding_spread(n_photos: float) -> float:
    """The standard deviation of an accuracy that comes from counting whole photos alone: that of a uniform
    distribution one photo wide (Sheppard 1898)."""
    return 1 / (n_photos * math.sqrt(12))
