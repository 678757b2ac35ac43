"""The arms that may be the best: multiple comparisons with the best (Hsu 1981).

Each arm in turn is the reference of one-sided comparisons with all others at an overall level of 5 %. An arm that none
of them is significantly better than may be the best. With a probability of at least 95 % the truly best arm is among
these: it is left out only where its own comparisons err.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import stats

from commongarden.stats.crossed import photo_error
from commongarden.stats.dunnett import critical
from commongarden.stats.means import FEWEST_SEEDS, Mean
from commongarden.stats.metrics import Metric
from commongarden.stats.pooled import Spread, correlation
from commongarden.stats.scores import Sample, are_folds, mean_difference, shared_photos

FEWEST_ARMS = 5  # with fewer, every pair is compared


def can_be_best(metric: Metric, tested: Mapping[str, Sample]) -> tuple[str, ...] | None:
    """The arms that may be the best, in the order given; None with one or two seeds, one group of test photos or few
    arms.
    tested: runs of the same seeds, in the same order, for each."""
    arms, first = list(tested), next(iter(tested.values()), None)
    if first is None or len(arms) < FEWEST_ARMS or len(first.runs) < FEWEST_SEEDS:
        return None
    shared = shared_photos([run for found in tested.values() for run in found.runs])
    groups = first.clusters if shared else None
    if groups is not None and groups.n < 2:
        return None
    means = np.array([np.mean([metric.whole(run) for run in tested[arm].runs]) for arm in arms])
    means = means if metric.higher_is_better else -means
    if metric.by_photo is not None and are_folds(first.runs):
        return _kept_by_folds(metric, tested)
    n_seeds, photo_df, share, least = len(first.runs), 1e9, 1 / len(first.runs), 0.0
    if shared and metric.by_photo is not None:
        table = np.stack([[metric.by_photo(run) for run in tested[arm].runs] for arm in arms])
        if table.shape[2] < 2:
            return None
        deviations = table - table.mean(axis=2, keepdims=True) if groups is None else groups.deviations(table)
        parts = _parts(table.mean(axis=2), deviations)
        photo_df = float(deviations.shape[2] - 1 if groups is None else groups.df)
        least = photo_error(first.n_test) if metric.unit == "points" else 0.0
    else:
        wholes = np.array([[metric.whole(run) for run in tested[arm].runs] for arm in arms])
        seed = np.atleast_2d(np.cov(wholes))
        parts = seed, np.zeros_like(seed), np.zeros_like(seed)
        share += 0.0 if shared else first.n_test / first.n_train
    kept = (_is_kept(i, means, parts, n_seeds, photo_df, share, least) for i in range(len(arms)))
    return tuple(arm for arm, is_kept in zip(arms, kept, strict=True) if is_kept)


def _kept_by_folds(metric: Metric, tested: Mapping[str, Sample]) -> tuple[str, ...] | None:
    """The same where each photo is tested in one fold: each difference as a contrast of folds has it. How the
    differences from one arm are correlated is told by the photos."""
    assert metric.by_photo is not None
    arms = list(tested)
    by_photo = [[metric.by_photo(run) for run in found.runs] for found in tested.values()]
    deviations = np.array([np.concatenate([fold - fold.mean() for fold in folds]) for folds in by_photo])
    products = deviations @ deviations.T
    kept = []
    for i, arm in enumerate(arms):
        others = [j for j in range(len(arms)) if j != i]
        found = [mean_difference(metric, tested[arms[j]], tested[arm]) for j in others]
        if any(mean.p is None or mean.df is None for mean in found):
            return None
        df = float(np.ceil(max(mean.df or 0.0 for mean in found)))
        level = stats.t.sf(critical(len(others), _correlation(products, i), df, sides=1), df)
        if all(_one_sided(mean, higher_is_better=metric.higher_is_better) > level for mean in found):
            kept.append(arm)
    return tuple(kept)


def _one_sided(difference: Mean, *, higher_is_better: bool) -> float:
    """The p of a difference being no better than 0."""
    p, is_better = (difference.p or 0.0) / 2, (difference.value > 0) == higher_is_better
    return p if is_better and difference.value != 0 else 1 - p


def _correlation(products: np.ndarray, i: int) -> float:
    """Of the differences from arm i, rounded to the safe side, so that arms that are alike share a limit."""
    others = np.arange(len(products)) != i
    n = int(others.sum())
    total = products[others][:, others].sum() - 2 * n * products[i, others].sum() + n**2 * products[i, i]
    return float(np.floor(100 * correlation(total, _differences(products, i)[others].sum(), n))) / 100


def _parts(by_seed: np.ndarray, deviations: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The arms' products in place of mean squares, divided by the number of photos; deviations: of each photo or group
    of photos from its seed's mean."""
    n_arms, s, n = deviations.shape
    one, two = by_seed - by_seed.mean(axis=1, keepdims=True), deviations.mean(axis=1)
    rest = (deviations - two[:, None, :]).reshape(n_arms, -1)
    return one @ one.T / (s - 1), s * two @ two.T / ((n - 1) * n), rest @ rest.T / ((s - 1) * (n - 1) * n)


def _is_kept(
    i: int,
    means: np.ndarray,
    parts: tuple[np.ndarray, np.ndarray, np.ndarray],
    n_seeds: int,
    photo_df: float,
    share: float,
    least: float,
) -> bool:
    """Whether no other arm is significantly better than this one."""
    others = np.arange(len(means)) != i
    seed, photo, rest = (_differences(part, i)[others] for part in parts)
    own = np.diag(parts[0])
    n = len(seed)
    spread = Spread(
        seed, photo, rest, float(own[i]), float(own[others].mean()), np.full(n, n_seeds), photo_df, np.full(n, share)
    )
    error, df = spread.pooled()
    error = np.maximum(error, least)
    together = parts[0] + parts[1] - parts[2]
    together_df = float(np.ceil(df.max()))
    level = stats.t.sf(critical(n, _correlation(together, i), together_df, sides=1), together_df)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(error > 0, (means[others] - means[i]) / error, np.inf * (means[others] > means[i]))
    p = np.asarray(stats.t.sf(np.nan_to_num(t, nan=0.0), df))
    return bool((p > level).all())


def _differences(products: np.ndarray, i: int) -> np.ndarray:
    """The mean squares of every arm's difference from this one, from the products between arms."""
    return np.asarray(np.diag(products) - 2 * products[i] + products[i, i])
