"""How probable it is that a model is the best on a data set that was not tried, and on average over all such.

A figure is taken as the data set's level, plus the arm's mean advantage, plus what is particular to this arm on this
data set (normal, one variance for all arms). So few data sets tell that variance that it is taken at 50 scales, as
likely as chi-squared with (data sets - 1) (arms - 1) degrees of freedom has them. Advantages are taken to differ,
before anything is seen, as in `stats.best`: two arms by 3 points, or by more where these plainly do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from commongarden.stats.best import DIFFERENCE, SCALES

DRAWS = 20_000


def chances(figures: ArrayLike, errors: ArrayLike, *, usual: float = DIFFERENCE) -> tuple[np.ndarray, np.ndarray]:
    """For each arm, the probabilities to be the best on a new data set and on average.

    figures: (data sets, arms), at least 2 x 2, higher is better. errors: the same of standard errors, as far as arms do
    not share them. usual: the standard deviation of a difference of two arms; 0 for a flat prior.
    """
    x, error = np.asarray(figures, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    n, n_arms = x.shape
    df = (n - 1) * (n_arms - 1)
    inside = x - x.mean(axis=1, keepdims=True)
    advantage = inside.mean(axis=0)
    rest = float(((inside - advantage) ** 2).sum()) / df  # the variance of one cell, its error included
    rest = max(rest, float((error**2).mean()))
    between = np.inf
    if usual:
        between = max(usual**2 / 2, float(advantage.var(ddof=1)) - rest / n)
    generator = np.random.default_rng(0)
    scales = df / stats.chi2.ppf((np.arange(SCALES) + 0.5) / SCALES, df)
    new, average = [], []
    for scale in scales:
        noise = scale * rest / n
        kept = 1.0 if np.isinf(between) else between / (between + noise)
        centre = kept * advantage + np.sqrt(kept * noise) * generator.standard_normal((DRAWS // SCALES, n_arms))
        own = np.sqrt(max(scale * rest - float((error**2).mean()), 0.0))
        average.append(centre)
        new.append(centre + own * generator.standard_normal(centre.shape))
    return _shares(np.concatenate(new)), _shares(np.concatenate(average))


def _shares(drawn: np.ndarray) -> np.ndarray:
    top = drawn >= drawn.max(axis=1, keepdims=True)
    return np.asarray((top / top.sum(axis=1, keepdims=True)).mean(axis=0))
