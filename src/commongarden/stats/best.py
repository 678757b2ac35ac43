"""All arms in one view: how far each lies behind the one that looks best, and how probably it is the best; and how
probably the difference of two is below, within or above the margin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from commongarden.records import Estimate
from commongarden.stats.clusters import Clusters
from commongarden.stats.metrics import Metric
from commongarden.stats.scores import Sample, mean_difference, shared_photos

DRAWS, SCALES = 20_000, 50
DIFFERENCE = 0.03  # of two arms: the standard deviation that is usual, as a share
COMMON = 1.0  # the variance of what all arms have in common, of which nothing is known


@dataclass(frozen=True)
class Standing:
    """An arm's place among all. reached: its mean over the seeds that all arms share. behind: arm minus the arm that
    looks best, paired, 95 % by itself (None for that arm, and with one seed None for its interval). probability_best:
    None with one seed."""

    arm: str
    reached: float
    behind: Estimate | None
    probability_best: float | None


@dataclass(frozen=True)
class Chances:
    """How probably the true difference of two arms is worse than the margin, within it (the region of practical
    equivalence, Kruschke 2018), and better than it."""

    worse: float
    equivalent: float
    better: float


def standings(metric: Metric, tested: Mapping[str, Sample], *, pair_seeds: bool = True) -> tuple[Standing, ...]:
    """The arms from best to worst; tested: runs of the same seeds, in the same order, for each. pair_seeds: whether
    runs with the same seed are pairs."""
    if not tested:
        return ()
    sign = 1.0 if metric.higher_is_better else -1.0
    values = {arm: np.array([metric.whole(run) for run in found.runs]) for arm, found in tested.items()}
    order = sorted(tested, key=lambda arm: -sign * float(values[arm].mean()))
    first = order[0]
    several = {arm: tested[arm] for arm in order}
    chances = probabilities(metric, several, pair_seeds=pair_seeds) if len(order) > 1 else None
    return tuple(
        Standing(
            arm,
            float(values[arm].mean()),
            None
            if arm == first
            else mean_difference(metric, tested[arm], tested[first], pair_seeds=pair_seeds).interval(),
            None if chances is None else chances[arm],
        )
        for arm in order
    )


def probabilities(metric: Metric, tested: Mapping[str, Sample], *, pair_seeds: bool = True) -> dict[str, float] | None:
    """For each arm, how probable it is that its mean over new seeds and new photos is the best; None with one seed, or
    one group of test photos.

    By simulation of what the arms' means may be (20,000 draws, the same ones every time). The joint noise of all arms
    is estimated as in `stats.crossed`, with matrices of products between arms in place of squares: a seed part,
    M_seed / (seeds x photos), without products between arms where runs are not paired, and a photo part,
    (M_photo - M_rest) / (seeds x photos) without its negative directions. So few seeds tell the seed part that it is
    taken at 50 scales, as likely as chi-squared with their degrees of freedom has them. Where groups of photos are the
    unit, the photo part is that of groups, with scales of its own. Where test photos differ between seeds or the metric
    has no figure by photo, the seed part alone, corrected as in `stats.resampled`.

    With a flat prior the arm that looks best would be called so too often: of arms that hardly differ one always looks
    best. So arms are taken to differ, before anything is seen, as networks usually do: normally, two of them by 3
    points, or by more where these arms plainly do. The probability is that of the posterior; it is no test.
    """
    drawn = _drawn(metric, tested, pair_seeds=pair_seeds)
    if drawn is None:
        return None
    drawn = drawn if metric.higher_is_better else -drawn
    top = drawn >= drawn.max(axis=1, keepdims=True)  # arms that agree to the last bit share a draw
    return dict(zip(tested, (top / top.sum(axis=1, keepdims=True)).mean(axis=0).tolist(), strict=True))


def chances(
    metric: Metric,
    tested: Mapping[str, Sample],
    pairs: Sequence[tuple[str, str]],
    margin: float,
    *,
    pair_seeds: bool = True,
) -> dict[tuple[str, str], Chances]:
    """For each pair of arms, first minus second, from the same simulation; none where there is no simulation."""
    places = {arm: i for i, arm in enumerate(tested)}
    told = [pair for pair in pairs if set(pair) <= places.keys()]
    drawn = _drawn(metric, tested, pair_seeds=pair_seeds) if told else None
    if drawn is None:
        return {}
    drawn = drawn if metric.higher_is_better else -drawn
    found = {}
    for one, two in told:
        gaps = drawn[:, places[one]] - drawn[:, places[two]]
        worse, better = float((gaps < -margin).mean()), float((gaps > margin).mean())
        found[one, two] = Chances(worse, 1 - worse - better, better)
    return found


def _drawn(metric: Metric, tested: Mapping[str, Sample], *, pair_seeds: bool) -> np.ndarray | None:
    """What the arms' means may be (draws, arms)."""
    arms = list(tested)
    n_seeds = len(tested[arms[0]].runs)
    if n_seeds < 2:
        return None
    wholes = np.array([[metric.whole(run) for run in tested[arm].runs] for arm in arms])  # (arms, seeds)
    means = wholes.mean(axis=1)
    first = tested[arms[0]]
    shared = shared_photos(first.runs)
    photo, groups = np.zeros((len(arms), len(arms))), None
    if shared and metric.by_photo is not None:
        table = np.stack([[metric.by_photo(run) for run in tested[arm].runs] for arm in arms])  # (arms, seeds, photos)
        groups = first.clusters
        if groups is not None and groups.n == 1:
            return None
        seed, photo = _crossed_parts(table) if groups is None else _grouped_parts(table, groups)
    else:
        share = 1 / n_seeds + (0.0 if shared else first.n_test / first.n_train)
        seed = np.atleast_2d(np.cov(wholes)) * share
    if not pair_seeds:
        seed = np.diag(np.diag(seed))
    between = DIFFERENCE**2 / 2 if metric.unit == "points" else 0.0
    photo_df = None if groups is None else groups.df
    return _posterior(means, seed, _without_negative(photo), n_seeds - 1, photo_df, between)


def _posterior(
    means: np.ndarray, seed: np.ndarray, photo: np.ndarray, df: float, photo_df: float | None, between: float
) -> np.ndarray:
    """Draws of the arms' true means (draws, arms). between: the least variance between arms; 0 for a flat prior."""
    generator, n = np.random.default_rng(0), len(means)
    noise = float(np.trace(seed + photo)) / n
    between = max(between, float(means.var(ddof=1)) - noise) if between and n > 1 else 1e6
    prior = between * np.eye(n) + COMMON * np.ones((n, n))
    places = (np.arange(SCALES) + 0.5) / SCALES
    scales = df / stats.chi2.ppf(places, df)
    photo_scales = np.ones(SCALES)
    if photo_df is not None:
        photo_scales = generator.permutation(photo_df / stats.chi2.ppf(places, photo_df))
    drawn = []
    for scale, photo_scale in zip(scales, photo_scales, strict=True):
        error = scale * seed + photo_scale * photo
        gain = np.linalg.solve(prior + error + 1e-12 * np.eye(n), prior).T
        centre = means.mean() + gain @ (means - means.mean())
        drawn.append(centre + _normal(generator, prior - gain @ prior, DRAWS // SCALES))
    return np.concatenate(drawn)


def _without_negative(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.clip(values, 0.0, None) @ vectors.T)


def _crossed_parts(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The covariance of the arms' means from seeds and from photos; table: (arms, seeds, photos)."""
    _, s, p = table.shape
    mean = table.mean(axis=(1, 2), keepdims=True)
    by_seed, by_photo = table.mean(axis=2, keepdims=True), table.mean(axis=1, keepdims=True)
    rest = table - by_seed - by_photo + mean
    one, two = (by_seed - mean)[:, :, 0], (by_photo - mean)[:, 0, :]
    m_seed, m_photo = p * one @ one.T / (s - 1), s * two @ two.T / max(p - 1, 1)
    m_rest = np.einsum("asp,bsp->ab", rest, rest) / ((s - 1) * max(p - 1, 1))
    return m_seed / (s * p), (m_photo - m_rest) / (s * p)


def _grouped_parts(table: np.ndarray, groups: Clusters) -> tuple[np.ndarray, np.ndarray]:
    """The same where groups of photos are the unit."""
    scores, one = groups.deviations(table), table.mean(axis=2) - table.mean(axis=(1, 2), keepdims=True)[:, :, 0]
    _, s, n = scores.shape
    two = scores.mean(axis=1)
    rest = scores - two[:, None, :]
    m_seed, m_group = n * one @ one.T / (s - 1), s * two @ two.T / (n - 1)
    m_rest = np.einsum("asg,bsg->ab", rest, rest) / ((s - 1) * (n - 1))
    return m_seed / (s * n), (m_group - m_rest) / (s * n)


def _normal(generator: np.random.Generator, covariance: np.ndarray, n: int) -> np.ndarray:
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    return np.asarray(generator.standard_normal((n, len(covariance))) @ root.T)
