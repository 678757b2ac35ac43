"""Looking several times at a growing number of seeds without losing the error rate: alpha spending.

A contrast that is tested after 3 seeds, and again after 4 and 5, has more chances to look established by luck than one
that is tested once. Lan & DeMets (1983) let each look spend a share of the whole error rate, so that all shares
together are no more than it. The share spent by the time that a fraction f of the seeds is in is f to the third power
(Kim & DeMets 1987): little at the first looks, where the noise is known worst, and nearly all is left for the last one.

The levels come from the joint distribution of the looks under no difference (Armitage, McPherson & Rowe 1969) and are
then used for Student's t (Jennison & Turnbull 2000, section 11.5). Estimates over seeds crossed with photos have the
covariances that this theory asks for: that of two looks is the variance of the later one. Test photos are the same
at all looks, which only makes the looks more alike than the fraction of the seeds says, and the levels safer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy import special
from scipy.optimize import brentq

RHO = 3.0  # of the power family; what it gives stands in docs/racing.md
FIRST, GROWTH = 3, 1.25  # the first look, in seeds; every later one comes at a quarter more, at least one
POINTS = 401  # of the grid on which densities are followed from look to look


def interim_schedule(most: int, first: int = FIRST) -> tuple[int, ...]:
    """After how many seeds there is a look, where an arm gets `most` of them at the most.

    >>> interim_schedule(20)
    (3, 4, 5, 6, 8, 10, 12, 15, 20)
    >>> interim_schedule(2)
    (2,)
    """
    found, n = [], first
    while n * 1.15 < most:
        found.append(n)
        n = max(n + 1, round(n * GROWTH))
        if n * 1.15 >= most:
            break
    return (*found, most)


def alpha_spent(fraction: float, alpha: float) -> float:
    """The part of alpha that is spent by the time that this fraction (0..1) of the seeds is in."""
    return float(alpha * fraction**RHO)


AGAIN = 0.2  # of the error rate, that all looks after an unplanned first one may add


def spent_again(n_looks: int, alpha: float) -> list[float]:
    """What has been spent by each of the looks at a study that was planned with one of them.

    The first has spent all of alpha before anybody thought of more. The later ones add a fifth of it together, each
    half as much as the one before, however many there will be: at most 6 % in all where alpha is 5 %.

    >>> [round(share, 4) for share in spent_again(3, 0.05)]
    [0.05, 0.055, 0.0575]
    """
    return [alpha * (1 + AGAIN * (1 - 0.5**k)) for k in range(n_looks)]


@cache
def levels_again(seeds: tuple[int, ...], alpha: float) -> tuple[float, ...]:
    """The two-sided level at each look of a study to which seeds were added."""
    found = bounds([n / seeds[-1] for n in seeds], spent_again(len(seeds), alpha))
    return tuple(float(2 * special.ndtr(-bound)) for bound in found)


@cache
def levels(seeds: tuple[int, ...], alpha: float) -> tuple[float, ...]:
    """The two-sided level at which each look tests, so that all of them together have the error rate alpha.

    seeds: how many are in at each look, rising; the last is the most that there can be.
    """
    fractions = [n / seeds[-1] for n in seeds]
    spent = [alpha_spent(fraction, alpha) for fraction in fractions]
    return tuple(float(2 * special.ndtr(-bound)) for bound in bounds(fractions, spent))


def bounds(fractions: Sequence[float], spent: Sequence[float]) -> list[float]:
    """The same as limits of |z|: recursive integration of the density of what no earlier look has stopped. spent: of
    the error rate, by each look."""
    found: list[float] = []
    grid, mass = np.zeros(1), np.ones(1)  # where the sum stands after the last look, and how much of it
    before, alpha_before = 0.0, 0.0
    for fraction, by_now in zip(fractions, spent, strict=True):
        step, scale = (fraction - before) ** 0.5, fraction**0.5
        wanted = by_now - alpha_before

        def excess(bound: float, grid=grid, mass=mass, step=step, scale=scale, wanted=wanted) -> float:  # type: ignore[no-untyped-def]
            above, below = special.ndtr((grid - bound * scale) / step), special.ndtr((-bound * scale - grid) / step)
            return float((mass * (above + below)).sum() - wanted)

        bound = float(brentq(excess, 0.0, 20.0, xtol=1e-9))
        found.append(bound)
        new, weights = _simpson(bound * scale)
        density = np.exp(-0.5 * ((new[:, None] - grid) / step) ** 2) / (step * np.sqrt(2 * np.pi))
        grid, mass = new, weights * (density @ mass)
        before, alpha_before = fraction, by_now
    return found


def _simpson(limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Points from -limit to limit with the weights of Simpson's rule."""
    points = np.linspace(-limit, limit, POINTS)
    weights = np.full(POINTS, 2.0)
    weights[1::2], weights[[0, -1]] = 4.0, 1.0
    return points, weights * (points[1] - points[0]) / 3
