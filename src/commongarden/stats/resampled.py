"""Seeds or folds that each have test photos of their own: the mean of their differences, with the dependence that
comes from training on overlapping photos."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from commongarden.records import Estimate
from commongarden.stats.means import UNBOUNDED, Bounds, Components, Mean

METHOD = "corrected resampled t (Nadeau & Bengio 2003)"


def resampled_mean(
    values: Sequence[float], n_train: float, n_test: float, *, least_spread: float = 0.0, bounds: Bounds = UNBOUNDED
) -> Mean:
    """The mean of one value a split (J of them), each from `n_train` photos to train on and `n_test` to test on.

    Splits share photos, so their spread is not that of independent repeats: the variance of the mean is
    (1/J + n_test/n_train) times the values' variance, with J - 1 degrees of freedom (Nadeau & Bengio 2003, Inference
    for the generalization error, Machine Learning 52). No error with one split. least_spread: as in
    `stats.mean_interval`.
    """
    n = len(values)
    mean = float(np.mean(values))
    if n == 1:
        return Mean(mean, None, None, 1, "one run: no interval", None, bounds)
    spread = max(float(np.std(values, ddof=1)), least_spread)
    error = spread * math.sqrt(1 / n + n_test / n_train)
    return Mean(mean, error, float(n - 1), n, METHOD, Components(spread), bounds)


def resampled_interval(differences: Sequence[float], n_train: float, n_test: float) -> Estimate:
    """The interval of the mean of paired differences in accuracy, one a seed (or fold) with a split of its own."""
    least = math.sqrt(2) / (n_test * math.sqrt(12))
    return resampled_mean(differences, n_train, n_test, least_spread=least, bounds=(-1.0, 1.0)).interval()
