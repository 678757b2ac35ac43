"""Comparisons with one reference, one error rate: Dunnett's procedure (1955), step-down (Dunnett & Tamhane 1991).

Differences from one reference are correlated, since they share it. Holm's levels make no use of that; Dunnett's come
from the joint distribution, a multivariate t. With a common correlation rho it is a double integral, over the standard
normal x that the comparisons share and over the estimated standard deviation s:

    P(all |T| <= c) = E [Phi((c s - sqrt(rho) x) / sqrt(1 - rho)) - Phi((-c s - sqrt(rho) x) / sqrt(1 - rho))]^m

Step-down: the smallest p is judged among all m comparisons, the next one among the m - 1 others, and so on to the first
that is not significant. Each step has at least Holm's level, so whatever Holm's procedure finds is found here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import special, stats
from scipy.optimize import brentq

X, X_WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
S, S_WEIGHTS = np.polynomial.legendre.leggauss(64)
TAIL = 1e-9  # of the distribution of s that is left out at either end
NORMAL = 1e4  # degrees of freedom from which s is known


def within(limit: float, m: int, correlation: float, df: float, *, sides: int = 2) -> float:
    """The probability that none of m t statistics is beyond the limit, in size or, with one side, upwards."""
    scale, weight = _scales(df)
    shared, own = np.sqrt(correlation) * X, np.sqrt(1 - correlation)
    inside = special.ndtr((limit * scale[:, None] - shared) / own)
    if sides == 2:
        inside = inside - special.ndtr((-limit * scale[:, None] - shared) / own)
    return float(weight @ inside**m @ X_WEIGHTS / X_WEIGHTS.sum())


@lru_cache(maxsize=64)
def _scales(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights for the estimated standard deviation where the true one is 1."""
    if df >= NORMAL:
        return np.ones(1), np.ones(1)
    low, high = (np.sqrt(stats.chi2.ppf(share, df) / df) for share in (TAIL, 1 - TAIL))
    points = (low + high) / 2 + (high - low) / 2 * S
    weights = S_WEIGHTS * stats.chi.pdf(points * np.sqrt(df), df)
    return points, weights / weights.sum()


@lru_cache(maxsize=4096)
def critical(m: int, correlation: float, df: float, alpha: float = 0.05, *, sides: int = 2) -> float:
    """The limit that all m t statistics keep with probability 1 - alpha."""
    low, high = (float(stats.t.isf(share / sides, df)) for share in (alpha, alpha / m))
    if m == 1:
        return low
    return float(brentq(lambda c: within(c, m, correlation, df, sides=sides) - (1 - alpha), 0.9 * low, 1.1 * high))


def dunnett_levels(p: Sequence[float], correlation: float, df: float, alpha: float = 0.05) -> list[float]:
    """The level at which each comparison's interval is taken, so that it excludes 0 exactly where the procedure
    rejects, as `holm_levels` has them. p: two-sided, of each comparison by itself."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    levels = [0.0] * len(p)
    stopped: float | None = None
    for k, i in enumerate(order):
        if stopped is None:
            level = float(2 * stats.t.sf(critical(len(p) - k, correlation, df, alpha), df))
            stopped = level if p[i] > level else None
        levels[i] = level
    return levels


def dunnett_p(p: Sequence[float], correlation: float, df: float) -> list[float]:
    """The adjusted p values: at most alpha exactly where the procedure rejects at alpha."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted, before = [0.0] * len(p), 0.0
    for k, i in enumerate(order):
        limit = float(stats.t.isf(p[i] / 2, df))
        found = 0.0 if np.isinf(limit) else 1 - within(limit, len(p) - k, correlation, df)
        adjusted[i] = before = min(max(before, found, p[i]), 1.0)
    return adjusted
