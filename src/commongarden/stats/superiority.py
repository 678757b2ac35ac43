"""What stands beside the interval of a contrast: how often one arm's run beats the other's, and the photos' part."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from commongarden.records import Estimate, Predictions
from commongarden.stats.clusters import Clusters


def probability_better(one: Sequence[float], two: Sequence[float]) -> Estimate:
    """The probability that a new run of the first arm scores higher than a new run of the second on these photos,
    whatever their seeds.

    The share of all pairs of runs in which it did, ties counted half: the Mann-Whitney statistic, which rliable calls
    the probability of improvement (Agarwal et al. 2021). The 95 % interval is that of Brunner & Munzel (2000); there is
    none where every run of one arm beats every run of the other, or where an arm has a single run.
    """
    from statsmodels.stats.nonparametric import rank_compare_2indep

    n = min(len(one), len(two))
    x, y = np.asarray(one, dtype=np.float64), np.asarray(two, dtype=np.float64)
    wins = np.sign(x[:, None] - y[None, :])
    value = float((wins.mean() + 1) / 2)
    if n < 2 or not (wins.std(axis=0).any() or wins.std(axis=1).any()):
        return Estimate(value, None, None, n, "share of pairs of runs, ties half")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = rank_compare_2indep(x, y).conf_int()
    if not (np.isfinite(low) and np.isfinite(high)):
        return Estimate(value, None, None, n, "share of pairs of runs, ties half")
    return Estimate(value, max(float(low), 0.0), min(float(high), 1.0), n, "share of pairs of runs, Brunner-Munzel")


def mcnemar_p(one: Sequence[Predictions], two: Sequence[Predictions], groups: Clusters | None = None) -> float:
    """The exact p of McNemar's test (1947) between two arms' pooled predictions: photo noise only.

    Each arm says of a photo what the mean of its runs' probabilities says, so that a photo counts once however many
    runs there are. The runs that were made are taken as they are: what other seeds would do is not in this number.
    Runs of one arm must have been tested on the same photos.

    groups: of the photos, where those are the unit. A group then changes the arms' names as a whole (the exact form of
    Durkalski et al. 2003); for groups of one photo that is McNemar's test.
    """
    from statsmodels.stats.contingency_tables import mcnemar

    labels = one[0].labels
    right, other = (
        np.mean([item.probabilities for item in runs], axis=0).argmax(axis=1) == labels for runs in (one, two)
    )
    if groups is not None:
        return _flipped_p(groups.sums(right.astype(np.int64) - other))
    table = [[int((a & b).sum()) for b in (other, ~other)] for a in (right, ~right)]
    if table[0][1] + table[1][0] == 0:
        return 1.0
    return float(mcnemar(table, exact=True).pvalue)


def _flipped_p(differences: np.ndarray) -> float:
    """The two-sided p of a sum of whole numbers whose signs are as likely one way as the other, exactly: by the
    characteristic function of the sum, a product of cosines."""
    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    most = int((sizes * counts).sum())
    if most == 0:
        return 1.0
    angles = 2 * np.pi * np.arange(2 * most + 1) / (2 * most + 1)
    function = np.ones_like(angles)
    for size, count in zip(sizes, counts, strict=True):
        function *= np.cos(size * angles) ** count
    chances = np.fft.fft(function).real / len(angles)  # of the sums 0, 1, ..., most, -most, ..., -1
    seen = abs(int(differences.sum()))
    if seen == 0:
        return 1.0
    return float(min(max(2 * chances[seen : most + 1].sum(), 2.0 ** (1 - counts.sum())), 1.0))
