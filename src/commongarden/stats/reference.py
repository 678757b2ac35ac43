"""The contrasts of a study against its reference, tested as one family by Dunnett's procedure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from commongarden.stats.crossed import MeanSquares, difference_squares, mean_squares
from commongarden.stats.dunnett import dunnett_levels, dunnett_p
from commongarden.stats.estimates import rounding_spread
from commongarden.stats.means import Mean
from commongarden.stats.metrics import Metric
from commongarden.stats.pooled import FEWEST, Spread, correlation
from commongarden.stats.scores import Sample, mean_difference, shared_photos

MANY = 1e9  # degrees of freedom where nothing is estimated of photos
POOLED = "seed variance pooled over the comparisons with the reference"
Pair = tuple[Sample, Sample]  # the arm, and the reference with the same seeds


@dataclass(frozen=True)
class Family:
    """means: of every difference, in the order of the pairs; None where there is none. levels, p: of those that can be
    tested, by their places: the level of the interval that the verdict comes from, and the adjusted p."""

    means: tuple[Mean | None, ...]
    levels: dict[int, float]
    p: dict[int, float]


def against_reference(metric: Metric, pairs: Sequence[Pair | None], *, pair_seeds: bool = True) -> Family:
    """Each arm's difference from the reference, with the errors and levels of the family (stats.pooled, stats.dunnett).
    With fewer than three comparisons each keeps the error that it has by itself. pair_seeds: whether runs with the same
    seed are pairs. With two seeds nothing is tested."""
    means = [None if pair is None else mean_difference(metric, *pair, pair_seeds=pair_seeds) for pair in pairs]
    tested = {i: mean for i, mean in enumerate(means) if mean is not None and mean.p is not None and mean.n > 2}
    if not tested:
        return Family(tuple(means), {}, {})
    found = [pair for i, pair in enumerate(pairs) if i in tested and pair is not None]
    crossed = metric.by_photo is not None and shared_photos(
        [run for one, two in found for run in (*one.runs, *two.runs)]
    )
    tables = [(_tables if crossed else _wholes)(metric, pair) for pair in found]
    if len(found) >= FEWEST:
        pooled = _pooled(metric, found, tables, list(tested.values()), crossed=crossed, pair_seeds=pair_seeds)
        tested = dict(zip(tested, pooled, strict=True))
        means = [tested.get(i, mean) for i, mean in enumerate(means)]
    between = _correlation(found, tables, crossed=crossed)
    own = [float(mean.p or 0.0) for mean in tested.values()]
    df = max(float(mean.df or 1.0) for mean in tested.values())
    levels, adjusted = dunnett_levels(own, between, df), dunnett_p(own, between, df)
    return Family(tuple(means), dict(zip(tested, levels, strict=True)), dict(zip(tested, adjusted, strict=True)))


def _tables(metric: Metric, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Both arms' figures by seed and photo."""
    assert metric.by_photo is not None
    one, two = (np.stack([metric.by_photo(run) for run in side.runs]) for side in pair)
    return one, two


def _wholes(metric: Metric, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Both arms' figures by seed, where photos have none or each seed has its own."""
    one, two = (np.array([[metric.whole(run)] for run in side.runs]) for side in pair)
    return one, two


def _pooled(
    metric: Metric,
    pairs: Sequence[Pair],
    tables: Sequence[Any],
    own: Sequence[Mean],
    *,
    crossed: bool,
    pair_seeds: bool,
) -> list[Mean]:
    errors, dfs = _spread(metric, pairs, tables, crossed=crossed, pair_seeds=pair_seeds).pooled()
    return [
        dataclasses.replace(mean, error=float(error), df=float(df), method=f"{mean.method}, {POOLED}")
        for mean, error, df in zip(own, errors, dfs, strict=True)
    ]


def _spread(metric: Metric, pairs: Sequence[Pair], tables: Sequence[Any], *, crossed: bool, pair_seeds: bool) -> Spread:
    n_seeds = np.array([len(one) for one, _two in tables])
    if not crossed:
        least = 2 * rounding_spread(pairs[0][0].n_test) ** 2 if metric.unit == "points" else 0.0
        shared = shared_photos(pairs[0][0].runs)
        paired = pair_seeds or not shared
        between = [(one - two).var(ddof=1) if paired else one.var(ddof=1) + two.var(ddof=1) for one, two in tables]
        seed = np.array([max(float(each), least) for each in between])
        added = np.array([0.0 if shared else one.n_test / one.n_train for one, _two in pairs])
        nothing = np.zeros(len(pairs))
        others, reference = (float(np.mean([side[k].var(ddof=1) for side in tables])) for k in (0, 1))
        share = 1 / n_seeds + added
        return Spread(seed, nothing, nothing, reference, others, n_seeds, MANY, share)
    groups = pairs[0][0].clusters
    squares = [difference_squares(one, two, groups, pair_seeds=pair_seeds) for one, two in tables]
    n = squares[0].n_photos
    photo_df = float(n - 1 if squares[0].photo_df is None else squares[0].photo_df)
    by_seed = [[side.mean(axis=1).var(ddof=1) for side in table] for table in tables]
    others, reference = (float(np.mean(side)) for side in zip(*by_seed, strict=True))
    seed, photo, rest = (np.array([getattr(found, key) / n for found in squares]) for key in ("seed", "photo", "rest"))
    return Spread(seed, photo, rest, reference, others, n_seeds, photo_df, 1 / n_seeds)


def _correlation(pairs: Sequence[Pair], tables: Sequence[Any], *, crossed: bool) -> float:
    """Over the seeds of the differences that have the most in common; 0 where the arms' seeds differ."""
    shapes = {one.shape for one, _two in tables}
    if len(shapes) > 1 or not _same_seeds(pairs):
        return 0.0
    differences = [one - two for one, two in tables]
    total = np.sum(differences, axis=0)
    if not crossed:
        return correlation(total.var(ddof=1), sum(one.var(ddof=1) for one in differences), len(pairs))
    groups = pairs[0][0].clusters
    whole, *single = (mean_squares(table, groups) for table in (total, *differences))
    return correlation(_variance(whole), sum(map(_variance, single)), len(pairs))


def _same_seeds(pairs: Sequence[Pair]) -> bool:
    """Whether all differences have the reference's same runs."""
    first = pairs[0][1].runs
    return all(
        len(two.runs) == len(first) and all(a is b for a, b in zip(two.runs, first, strict=True)) for _, two in pairs
    )


def _variance(found: MeanSquares) -> float:
    return float(found.seed + found.photo - found.rest)
