"""Effects of a factorial study: main effects and interactions of its factors, from runs paired by seed.

An effect is a weighted sum of arms. Each level is held against its factor's first one (the reference), and what an
effect does not name is averaged over. A main effect is a difference; an interaction is how much one difference changes
with another factor, a difference of differences (of differences, for three). In a grid where every factor has two
levels, t squared of an effect over seeds is the F of repeated-measures analysis of variance (Winer 1971, chapter 4).

Every seed gives each effect once, as a weighted sum of paired runs, and each test photo of that seed likewise. So the
interval is that of a paired contrast: seeds crossed with photos, or over splits. Where runs are missing, a mixed model
(a random intercept for each seed) takes the place of pairing.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from commongarden.records import Estimate, Predictions, Split
from commongarden.stats.clusters import Clusters, Groups, clusters
from commongarden.stats.cross_validated import folded_mean
from commongarden.stats.crossed import ONE_GROUP, crossed_mean, photo_error
from commongarden.stats.equivalence import equivalence_levels, is_within
from commongarden.stats.estimates import rounding_spread
from commongarden.stats.holm import ALPHA, holm_levels, holm_p
from commongarden.stats.means import Mean, student_mean
from commongarden.stats.metrics import METRICS, Metric
from commongarden.stats.resampled import resampled_mean
from commongarden.stats.scores import Tested, are_folds
from commongarden.study import Study
from commongarden.study.factorial import names, shown

HIGHEST = 3  # factors in an interaction; those of more are not read by anyone
NO_VARIANCE = 0.01  # between seeds, as a share of the residual one
Kind = Literal["paired", "mixed model", "not converged"]
EffectOutcome = Literal["established", "equivalent", "not resolved", "no interval", "no runs"]
Term = tuple[tuple[str, int], ...]  # (factor, place of the level that is held against the first one)
Weights = Mapping[str, float]  # of each arm
ByTerm = Mapping[Term, Weights]
Done = Mapping[tuple[str, int], Predictions]  # by arm and run seed
Splits = Mapping[int, Split]


@dataclass(frozen=True)
class Step:
    """A factor's level held against the first one, as text."""

    factor: str
    level: str
    against: str


@dataclass(frozen=True)
class Effect:
    """A main effect (one step) or an interaction (several), in the metric's unit.

    over: the factors that it is averaged over. alone: with its own 95 % interval; adjusted: with the one that Holm's
    correction over all effects of the study leaves, from which the outcome comes. p_holm: the corrected p.
    """

    steps: tuple[Step, ...]
    over: tuple[str, ...]
    alone: Estimate | None
    adjusted: Estimate | None
    p_holm: float | None
    outcome: EffectOutcome


@dataclass(frozen=True)
class Factorial:
    """All effects of a factorial study.

    factors: each with its levels as text, the reference first. kind: how they were estimated.
    n_seeds: with which at least one run of the grid has finished. folds: 0, or how many take the place of seeds.
    metric: what the effects are on. margin: the largest effect that counts as none.
    """

    factors: tuple[tuple[str, tuple[str, ...]], ...]
    kind: Kind
    n_seeds: int
    effects: tuple[Effect, ...]
    metric: str = "accuracy"
    margin: float = 0.01
    folds: int = 0


def effects_of(study: Study, tested: Tested, splits: Splits, groups: Groups | None = None) -> Factorial | None:
    """The effects of a study's factors on its metric; None where it has none. tested: by arm and seed. groups: of the
    photos that have one."""
    if not study.factors:
        return None
    grid = names(study.factors)
    done = {(arm, seed): run for arm in grid for seed, run in tested[arm].items()}
    seeds = sorted({seed for _, seed in done})
    found = list(terms({name: len(levels) for name, levels in study.factors.items()}))
    weights = {term: _weights(study, term) for term in found}
    kind: Kind = "paired"
    means: dict[Term, Mean | None]
    units = None
    if done and not study.splits_vary:
        units = clusters(next(iter(done.values())).photos, groups or {})
    if len(done) == len(grid) * len(seeds):
        means = dict.fromkeys(found) if not done else _paired(study, done, seeds, weights, splits, groups or {})
    else:
        kind, means = _unbalanced(study, done, weights, splits, units)
    factors = tuple((name, tuple(map(shown, levels))) for name, levels in study.factors.items())
    effects = tuple(_effects(study, means))
    return Factorial(factors, kind, len(seeds), effects, study.metric, study.margin / 100, study.folds)


def terms(sizes: Mapping[str, int]) -> Iterator[Term]:
    """Main effects, then interactions of two and of three factors: sizes has each factor's number of levels.

    >>> list(terms({"arch": 2, "order": 3}))[:3]
    [(('arch', 1),), (('order', 1),), (('order', 2),)]
    """
    for order in range(1, min(HIGHEST, len(sizes)) + 1):
        for chosen in itertools.combinations(sizes, order):
            for levels in itertools.product(*(range(1, sizes[name]) for name in chosen)):
                yield tuple(zip(chosen, levels, strict=True))


def _weights(study: Study, term: Term) -> dict[str, float]:
    steps = dict(term)
    found = {}
    for arm, levels in names(study.factors).items():
        weight = 1.0
        for factor, values in study.factors.items():
            place = values.index(levels[factor])
            if factor in steps:
                weight *= (place == steps[factor]) - (place == 0)
            else:
                weight /= len(values)
        if weight:
            found[arm] = weight
    return found


def _bounds(metric: Metric, weights: Weights) -> tuple[float, float]:
    most = sum(weight for weight in weights.values() if weight > 0) * metric.spread_bounds[1]
    return -most, most


def _paired(
    study: Study, done: Done, seeds: Sequence[int], weights: ByTerm, splits: Splits, groups: Groups
) -> dict[Term, Mean | None]:
    metric, arms = METRICS[study.metric], list(names(study.factors))
    counted = metric.unit == "points"
    values = [{arm: np.array([metric.whole(done[arm, seed])]) for arm in arms} for seed in seeds]
    n_train, n_test = _sizes(splits, seeds)
    tested = [done[arms[0], seed] for seed in seeds]
    units = [clusters(run.photos, groups) for run in tested]
    photos, folds = None, study.splits_vary and are_folds(tested)
    if metric.by_photo is not None and (folds or not study.splits_vary):
        photos = [{arm: metric.by_photo(done[arm, seed]) for arm in arms} for seed in seeds]
    means: dict[Term, Mean | None] = {}
    for term, mine in weights.items():
        bounds, by_seed = _bounds(metric, mine), [float(_sum(row, mine)[0]) for row in values]
        # a value is made of rounded figures, each with its weight
        least = math.sqrt(sum(weight**2 for weight in mine.values())) * rounding_spread(n_test) if counted else 0.0
        tables = None if photos is None else [_sum(row, mine) for row in photos]
        folded = None
        if tables is not None and folds:
            least_error = photo_error(len(seeds) * n_test) if counted else 0.0
            folded = folded_mean(tables, units, least_error=least_error, bounds=bounds)
        if folded is not None:
            means[term] = folded
        elif study.splits_vary:
            means[term] = resampled_mean(by_seed, n_train, n_test, least_spread=least, bounds=bounds)
        elif tables is None:
            means[term] = student_mean(by_seed, least_spread=least, bounds=bounds)
        else:
            least_error = photo_error(n_test) if counted else 0.0
            means[term] = crossed_mean(np.stack(tables), least_error=least_error, bounds=bounds, groups=units[0])
    return means


def _sizes(splits: Splits, seeds: Sequence[int]) -> tuple[float, float]:
    """Photos to train on and to test on, on average over the seeds."""
    parts = [(len(splits[seed].train), len(splits[seed].test)) for seed in seeds]
    n_train, n_test = np.mean(parts, axis=0)
    return float(n_train), float(n_test)


def _sum(values: Mapping[str, np.ndarray], weights: Weights) -> np.ndarray:
    total: np.ndarray = np.asarray([weight * values[arm] for arm, weight in weights.items()]).sum(axis=0)
    return total


def _unbalanced(
    study: Study, done: Done, weights: ByTerm, splits: Splits, units: Clusters | None
) -> tuple[Kind, dict[Term, Mean | None]]:
    metric = METRICS[study.metric]
    values = {key: metric.whole(run) for key, run in done.items()}
    arms, seeds = sorted({arm for arm, _ in values}), sorted({seed for _, seed in values})
    photos: dict[str, np.ndarray] = {}
    overlap = 0.0
    if study.splits_vary:
        n_train, n_test = _sizes(splits, seeds)
        overlap = len(seeds) * n_test / n_train
    elif metric.by_photo is not None:
        for arm in arms:
            photos[arm] = np.mean([metric.by_photo(run) for (name, _), run in done.items() if name == arm], axis=0)
    known = {term: mine for term, mine in weights.items() if set(mine) <= set(arms)}
    kind, found = mixed_means(values, list(known.values()), photos, overlap, units)
    means: dict[Term, Mean | None] = dict.fromkeys(weights)
    for (term, mine), mean in zip(known.items(), found, strict=True):
        means[term] = dataclasses.replace(mean, bounds=_bounds(metric, mine))
    return kind, means


def mixed_means(
    values: Mapping[tuple[str, int], float],
    weights: Sequence[Weights],
    photos: Mapping[str, np.ndarray],
    overlap: float = 0.0,
    units: Clusters | None = None,
) -> tuple[Kind, list[Mean]]:
    """Weighted sums of arms' figures (by arm and seed) from a linear mixed model: a mean for each arm, a random
    intercept for each seed, restricted maximum likelihood (Laird & Ware 1982; statsmodels MixedLM).

    photos: each arm's mean score on every test photo, where all runs share them; the noise between photos is
    added to the error. It holds some of the rest between runs once more, which errs to the safe side. The degrees of
    freedom of the model's part are those of the residual, N - arms - (seeds - 1), joined by Satterthwaite's rule.
    overlap: J x n_test / n_train over J splits, by which their variance grows (Nadeau & Bengio 2003). units: the groups
    of the photos, where those are the unit.
    Where the model does not converge, or no degree of freedom is left, the sums come without an error.
    """
    arms, seeds = sorted({arm for arm, _ in values}), sorted({seed for _, seed in values})
    n_left = len(values) - len(arms) - (len(seeds) - 1)
    enough = len(seeds) > 1 and n_left > 0
    fitted = _fitted(values, arms) if enough else None
    if fitted is None:
        plain = {arm: float(np.mean([value for (name, _), value in values.items() if name == arm])) for arm in arms}
        told = "the mixed model did not converge: no interval" if enough else "too few runs: no interval"
        sums = [sum(weight * plain[arm] for arm, weight in mine.items()) for mine in weights]
        kind: Kind = "not converged" if enough else "mixed model"
        return kind, [Mean(value, None, None, len(seeds), told) for value in sums]
    estimates, covariance = fitted
    rows = np.array([[mine.get(arm, 0.0) for arm in arms] for mine in weights]).reshape(len(weights), len(arms))
    found = []
    for row, mine in zip(rows, weights, strict=True):
        between = float(row @ covariance @ row) * (1 + overlap)
        variance, spread = between, between**2 / n_left
        if photos:
            photo, photo_df = _photo_variance(_sum(photos, mine), units)
            variance, spread = between + photo, spread + photo**2 / max(photo_df, 1)
        df = variance**2 / spread if spread > 0 else float(n_left)
        method = "mixed model, random intercept for each seed (REML)"
        if photos and units is not None and units.n == 1:
            found.append(Mean(float(row @ estimates), None, None, len(seeds), ONE_GROUP))
            continue
        found.append(Mean(float(row @ estimates), math.sqrt(variance), df, len(seeds), method))
    return "mixed model", found


def _fitted(values: Mapping[tuple[str, int], float], arms: Sequence[str]) -> tuple[np.ndarray, np.ndarray] | None:
    """Each arm's mean and their covariance by the mixed model; None where it does not converge."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    y = np.array(list(values.values())) * 100  # in points: the optimizer wants numbers near 1
    design = np.array([[float(arm == name) for name in arms] for arm, _ in values])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a variance of 0 is a finding, and convergence is looked at below
            fit = MixedLM(y, design, groups=np.array([seed for _, seed in values])).fit(reml=True)
    except np.linalg.LinAlgError:
        return None
    if float(np.asarray(fit.cov_re)[0, 0]) <= NO_VARIANCE * fit.scale:
        # on this border, where the optimizer finds no slope, the model is the one without the intercepts
        estimates, covariance = _without_seeds(y, design)
    elif fit.converged and np.isfinite(np.asarray(fit.cov_params())).all():
        k = len(arms)
        estimates, covariance = np.asarray(fit.fe_params), np.asarray(fit.cov_params())[:k, :k]
    else:
        return None
    return estimates / 100, covariance / 100**2


def _photo_variance(shares: np.ndarray, units: Clusters | None) -> tuple[float, float]:
    """The variance of the mean over photos, or groups of them, with its degrees of freedom."""
    if units is not None:
        return units.variance(shares), units.df
    photo = float(np.var(shares, ddof=1)) / len(shares) if len(shares) > 1 else 0.0
    return photo, float(len(shares) - 1)


def _without_seeds(y: np.ndarray, design: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from statsmodels.regression.linear_model import OLS

    fit = OLS(y, design).fit()
    return np.asarray(fit.params), np.asarray(fit.cov_params())


def _effects(study: Study, means: Mapping[Term, Mean | None]) -> Iterator[Effect]:
    tested = {term: mean.p for term, mean in means.items() if mean is not None and mean.p is not None}
    together = dict(zip(tested, holm_p(list(tested.values())), strict=True))
    levels = dict(zip(tested, holm_levels(list(tested.values()), ALPHA), strict=True))
    there = {term: mean for term, mean in means.items() if mean is not None}
    equivalence = equivalence_levels(there, levels, study.margin / 100)
    for term, mean in means.items():
        steps = tuple(
            Step(factor, shown(study.factors[factor][place]), shown(study.factors[factor][0])) for factor, place in term
        )
        over = tuple(factor for factor in study.factors if factor not in dict(term))
        if mean is None:
            yield Effect(steps, over, None, None, None, "no runs")
        elif term not in levels:
            yield Effect(steps, over, mean.interval(), mean.interval(), None, "no interval")
        else:
            adjusted, narrow = mean.interval(1 - levels[term]), mean.interval(1 - 2 * equivalence.get(term, ALPHA))
            said = _outcome(adjusted, is_within(narrow, study.margin / 100)) if mean.n > 2 else "not resolved"
            yield Effect(steps, over, mean.interval(), adjusted, together[term], said)


def _outcome(adjusted: Estimate, within_margin: bool) -> EffectOutcome:
    assert adjusted.low is not None
    assert adjusted.high is not None
    if adjusted.low > 0 or adjusted.high < 0:
        return "established"
    return "equivalent" if within_margin else "not resolved"
