"""The Bayesian signed-rank test with a region of practical equivalence (Benavoli et al. 2014, 2017): the probabilities
that one model is worse, equivalent or better on data sets like these. Held against baycomp in the tests, which has no
seed of its own for each call and loads matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS, PRIOR = 50_000, 0.5  # PRIOR: the weight of one data set without a difference


@dataclass(frozen=True)
class SignedRank:
    """Probabilities, which sum to 1."""

    worse: float
    equivalent: float
    better: float


def signed_rank(differences: Sequence[float], rope: float) -> SignedRank:
    """differences: one a data set, higher is better. rope: the largest difference that counts as none.

    The posterior is a Dirichlet process over the data sets. In each draw, the mean of two data sets drawn with its
    weights is worse, equivalent or better, each with some probability; what counts is which of the three is largest.
    """
    z = np.concatenate([[0.0], np.asarray(differences, dtype=np.float64)])
    sums = z[:, None] + z[None, :]
    above, below = (np.heaviside(side - 2 * rope, 0.5) for side in (sums, -sums))
    concentration = np.ones(len(z))
    concentration[0] = PRIOR
    weights = np.random.default_rng(0).dirichlet(concentration, DRAWS)
    better, worse = (np.einsum("ni,ij,nj->n", weights, region, weights, optimize=True) for region in (above, below))
    largest = np.argmax(np.stack([worse, 1 - better - worse, better]), axis=0)
    return SignedRank(*(float(share) for share in np.bincount(largest, minlength=3) / DRAWS))
