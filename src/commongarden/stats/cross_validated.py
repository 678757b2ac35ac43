"""Folds: each photo is tested once, by one run of each arm, and the mean is over all of them.

The folds' means vary by their runs (seed, training photos) and by their test photos. So their mean square is at least
that of the test photos, which is known from all of them.

Neither shows what all folds share: two training sets of K folds have (K - 2) / (K - 1) of their photos in common, so
the folds' runs err alike, and no variance from the same folds tells how much without bias (Bengio & Grandvalet 2004).
Nadeau & Bengio (2003) add n_test / n_train to 1 / K, which more than doubles the variance. The learners that vary most
with their training photos (nearest neighbour, trees) ask for half the mean square of the test photos, which is added
here. `scripts/calibration.py`, table "folds", simulates the error rates and the power.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from commongarden.stats.clusters import Clusters
from commongarden.stats.means import UNBOUNDED, Bounds, Components, Mean

SHARED = 0.5  # what training photos in common add, as a share of the variance from test photos
METHOD = "folds, at least the variance between test photos, with an allowance for shared training photos"


def folded_mean(
    tables: Sequence[np.ndarray],
    groups: Sequence[Clusters | None],
    *,
    least_error: float = 0.0,
    bounds: Bounds = UNBOUNDED,
) -> Mean | None:
    """The mean of the folds' means, from one value for each photo of each fold (at least two folds).

    groups: of each fold's photos, where those are the unit. least_error: of the mean, as one photo of all makes it,
    with the degrees of freedom of the photos. None where a fold has a single photo or group.
    """
    means = np.array([float(table.mean()) for table in tables])
    parts = [_variance(table, own) for table, own in zip(tables, groups, strict=True)]
    if any(df < 1 for _, df in parts):
        return None
    n = len(means)
    photo, photo_df = sum(found for found, _ in parts) / n, float(sum(df for _, df in parts))
    between, shared = max(float(means.var(ddof=1)), photo), SHARED * photo
    spread = between**2 / (n - 1) + shared**2 / photo_df
    df = (between + shared) ** 2 / spread if spread > 0 else float(n - 1)
    error = math.sqrt((between + shared) / n)
    floor = (least_error, photo_df) if least_error else None
    return Mean(float(means.mean()), error, df, n, METHOD, Components(math.sqrt(between)), bounds, floor)


def _variance(table: np.ndarray, groups: Clusters | None) -> tuple[float, float]:
    """Of the mean of one fold, between its photos or groups, with its degrees of freedom."""
    if groups is not None:
        return groups.variance(table), groups.df
    n = len(table)
    return (float(table.var(ddof=1)) / n, n - 1.0) if n > 1 else (0.0, 0.0)
