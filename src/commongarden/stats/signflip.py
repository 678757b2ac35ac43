"""The exact sign-flip test over pairs: what a difference looks like if the two arms' names meant nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

MOST_EXACT = 16  # pairs; beyond, as many random flips as these have in all


def signflip_p(differences: Sequence[float]) -> float:
    """The two-sided p of the mean of paired differences, over all 2**n ways to flip their signs.

    If the names of the two arms meant nothing, each seed's difference could as well have had the other sign. It says
    nothing of other test photos. Above 16 pairs: over 2**16 random flips, the same ones every time.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) == 1:  # scipy asks for two
        return least_p(1)
    found = stats.permutation_test(
        (values,),
        lambda flipped, axis: np.mean(flipped, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**MOST_EXACT,
        batch=2**12,
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)


def least_p(n_pairs: int) -> float:
    """The smallest p that so many pairs can give: all signs alike, or all turned.

    >>> least_p(5), least_p(6)
    (0.0625, 0.03125)
    """
    return min(1.0, math.ldexp(2.0, -n_pairs))


def pairs_needed(level: float = 0.05) -> int:
    """How many pairs can give a p under this level.

    >>> pairs_needed(), pairs_needed(0.01)
    (6, 8)
    """
    return math.floor(math.log2(2 / level)) + 1
