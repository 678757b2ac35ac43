"""The exact permutation test over runs that are not paired: what a difference looks like if the arms' names meant
nothing (Fisher 1935; Pitman 1937)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

MOST_EXACT = 10  # runs of each arm; beyond, as many random ways to name the runs as these have in all


def permutation_p(one: Sequence[float], two: Sequence[float]) -> float:
    """The two-sided p of the difference of two means, over all ways to share the runs out between the two arms.

    It says nothing of other test photos. Above 10 runs an arm: over as many random ways as 10 have, the same ones
    every time.
    """
    if len(one) == len(two) == 1:
        return 1.0
    found = stats.permutation_test(
        (np.asarray(one, dtype=np.float64), np.asarray(two, dtype=np.float64)),
        lambda x, y, axis: np.mean(x, axis=axis) - np.mean(y, axis=axis),
        permutation_type="independent",
        vectorized=True,
        n_resamples=math.comb(2 * MOST_EXACT, MOST_EXACT),
        batch=2**14,
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)


def least_permutation_p(n: int) -> float:
    """The smallest p that n runs of each arm can give: every run of one arm above every run of the other.

    >>> round(least_permutation_p(3), 3), round(least_permutation_p(5), 4)
    (0.1, 0.0079)
    """
    return min(1.0, 2 / math.comb(2 * n, n))


def runs_needed(level: float = 0.05) -> int:
    """How many runs of each arm can give a p under this level.

    >>> runs_needed(), runs_needed(0.01)
    (4, 5)
    """
    n = 1
    while least_permutation_p(n) >= level:
        n += 1
    return n
