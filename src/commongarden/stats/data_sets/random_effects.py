"""The mean difference over data sets, which are taken as a sample of those that one could have chosen.

A difference on one data set is the mean over data sets, plus what is particular to that data set (normal, with standard
deviation tau), plus the error of its own study. tau is estimated by Paule & Mandel's method (1982). The interval is
that of Hartung & Knapp (2001) and Sidik & Jonkman (2002), with n - 1 degrees of freedom, and never narrower than with
their factor at 1 (Knapp & Hartung 2003), because data sets that agree by luck would make it too narrow. The prediction
for a new data set has n - 2 degrees of freedom (Higgins, Thompson & Spiegelhalter 2009).
`scripts/calibration.py --only data-sets` simulates what both cover.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from commongarden.records import Estimate
from commongarden.stats.means import UNBOUNDED, Bounds, Mean

FEWEST_TO_PREDICT = 3  # data sets
METHOD = "random effects over data sets, Paule-Mandel, Hartung-Knapp-Sidik-Jonkman"
METHOD_NEW = "prediction for a new data set, Higgins, Thompson & Spiegelhalter (2009)"


@dataclass(frozen=True)
class RandomEffects:
    """mean: over data sets, with its error. tau: the standard deviation of true differences between data sets. i2: the
    share of the scatter that is not error (Higgins & Thompson 2002). prediction: 95 % interval of the true difference
    on a new data set; above_zero: the probability that it is above 0. Both are None with two data sets."""

    mean: Mean
    tau: float
    i2: float
    prediction: Estimate | None
    above_zero: float | None


def random_effects(values: Sequence[float], errors: Sequence[float], bounds: Bounds = UNBOUNDED) -> RandomEffects:
    """From a difference and its standard error on each of two or more data sets. bounds: what is possible."""
    from statsmodels.stats.meta_analysis import combine_effects  # loads pandas

    n = len(values)
    with np.errstate(divide="ignore", invalid="ignore"):  # of equal values it computes a share of nothing
        found = combine_effects(np.asarray(values, dtype=float), np.square(errors), method_re="iterated", maxiter=500)
    value, tau = float(found.mean_effect_re), math.sqrt(max(float(found.tau2), 0.0))
    error = max(float(found.sd_eff_w_re), float(found.sd_eff_w_re_hksj))
    mean = Mean(value, error, float(n - 1), n, METHOD, None, bounds)
    i2 = max(float(found.i2), 0.0) if found.q > 0 else 0.0
    if n < FEWEST_TO_PREDICT:
        return RandomEffects(mean, tau, i2, None, None)
    spread = math.hypot(error, tau)
    prediction = Mean(value, spread, float(n - 2), n, METHOD_NEW, None, bounds)
    return RandomEffects(mean, tau, i2, prediction.interval(), float(stats.t.cdf(value / spread, n - 2)))
