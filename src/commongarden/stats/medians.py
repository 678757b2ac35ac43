"""Medians with intervals that assume no distribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from commongarden.records import Estimate


def median_interval(values: Sequence[float], *, confidence: float = 0.95) -> Estimate:
    """The median with the interval between two of the sorted values that covers the true one (order statistics, by
    the binomial distribution; Conover 1999, section 3.2). Without bounds where the values are too few for that.
    """
    numbers = np.asarray(values, dtype=float)
    value, n = float(np.median(numbers)), len(numbers)
    found: Any = stats.quantile_test(numbers, q=value, p=0.5).confidence_interval(confidence) if n > 1 else None
    if found is None or not np.isfinite([found.low, found.high]).all():
        return Estimate(value, None, None, n, "median: too few values for an interval")
    return Estimate(value, float(found.low), float(found.high), n, f"median, {confidence:.1%} by order statistics")
