"""From what runs said of their test photos to means: which design fits is seen from the photos themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from commongarden.records import Predictions
from commongarden.stats.clusters import Clusters, Groups, clusters
from commongarden.stats.cross_validated import folded_mean
from commongarden.stats.crossed import (
    MeanSquares,
    as_a_family,
    crossed_mean,
    difference_squares,
    mean_of,
    photo_error,
    without_error,
)
from commongarden.stats.estimates import rounding_spread
from commongarden.stats.means import Bounds, Mean, student_mean, welch_mean
from commongarden.stats.metrics import Metric
from commongarden.stats.resampled import resampled_mean

Tested = Mapping[str, Mapping[int, Predictions]]  # what finished runs said, by arm and run seed


@dataclass(frozen=True)
class Sample:
    """What some runs of one arm said, one Predictions a seed. n_train: photos that each was trained on. groups: of the
    photos that have one (a patient, a plant, a video)."""

    runs: tuple[Predictions, ...]
    n_train: int
    groups: Groups = field(default_factory=dict)

    @property
    def n_test(self) -> float:
        """Test photos of a run, on average."""
        return float(np.mean([len(run.labels) for run in self.runs]))

    @property
    def clusters(self) -> Clusters | None:
        """The groups of the test photos that all runs share; None where photos are the unit."""
        return clusters(self.runs[0].photos, self.groups)


def shared_photos(runs: Sequence[Predictions]) -> bool:
    """Whether all runs were tested on the same photos: seeds crossed with photos. Else each has its own test part."""
    first = runs[0].photos
    return all(len(run.photos) == len(first) and bool((run.photos == first).all()) for run in runs[1:])


def are_folds(runs: Sequence[Predictions]) -> bool:
    """Whether several runs were tested on photos of their own, each photo by one run."""
    photos = np.concatenate([run.photos for run in runs])
    return len(runs) > 1 and len(np.unique(photos)) == len(photos)


def mean_score(metric: Metric, sample: Sample) -> Mean:
    """An arm's mean figure over seeds."""
    if metric.by_photo is not None:
        tables = [metric.by_photo(run) for run in sample.runs]
        if shared_photos(sample.runs):
            return _crossed(metric, sample, tables, metric.bounds)
        found = _over_folds(metric, sample, tables, metric.bounds)
        if found is not None:
            return found
    return _over_runs(metric, sample, [metric.whole(run) for run in sample.runs], metric.bounds, 1)


def mean_difference(metric: Metric, one: Sample, two: Sample, *, pair_seeds: bool = True) -> Mean:
    """The mean difference of two arms' figures, first minus second, paired by photo, and by seed unless told
    otherwise."""
    return mean_differences(metric, [(one, two)], pair_seeds=pair_seeds)[0]


def mean_differences(metric: Metric, pairs: Sequence[tuple[Sample, Sample]], *, pair_seeds: bool) -> list[Mean]:
    """The same for contrasts that are tested together."""
    found: list[Mean | MeanSquares] = [_difference(metric, one, two, pair_seeds=pair_seeds) for one, two in pairs]
    family = iter(as_a_family([each for each in found if isinstance(each, MeanSquares)]))
    least = [photo_error(one.n_test) if metric.unit == "points" else 0.0 for one, _two in pairs]
    return [
        mean_of(next(family), least_error=error, bounds=metric.spread_bounds) if isinstance(each, MeanSquares) else each
        for each, error in zip(found, least, strict=True)
    ]


def _difference(metric: Metric, one: Sample, two: Sample, *, pair_seeds: bool) -> Mean | MeanSquares:
    """Mean squares where seeds are crossed with photos."""
    if metric.by_photo is None or not shared_photos(one.runs):
        first, second = ([metric.whole(run) for run in side.runs] for side in (one, two))
        if not pair_seeds and shared_photos(one.runs):
            least_spread = math.sqrt(2) * rounding_spread(one.n_test) if metric.unit == "points" else 0.0
            return welch_mean(first, second, least_spread=least_spread, bounds=metric.spread_bounds)
        if metric.by_photo is not None:
            by_fold = [metric.by_photo(a) - metric.by_photo(b) for a, b in zip(one.runs, two.runs, strict=True)]
            found = _over_folds(metric, one, by_fold, metric.spread_bounds)
            if found is not None:
                return found
        return _over_runs(metric, one, [a - b for a, b in zip(first, second, strict=True)], metric.spread_bounds, 2)
    tables = [np.stack([metric.by_photo(run) for run in side.runs]) for side in (one, two)]
    why = without_error(tables[0].shape, one.clusters)
    if why is not None:
        mean = float((tables[0] - tables[1]).mean())
        return Mean(mean, None, None, len(one.runs), why, None, metric.spread_bounds)
    return difference_squares(tables[0], tables[1], one.clusters, pair_seeds=pair_seeds)


def _crossed(metric: Metric, sample: Sample, table: Sequence[np.ndarray], bounds: Bounds) -> Mean:
    least_error = photo_error(sample.n_test) if metric.unit == "points" else 0.0
    return crossed_mean(np.stack(table), least_error=least_error, bounds=bounds, groups=sample.clusters)


def _over_folds(metric: Metric, sample: Sample, tables: Sequence[np.ndarray], bounds: Bounds) -> Mean | None:
    """None where the runs' test photos are not folds."""
    if not are_folds(sample.runs):
        return None
    counted = metric.unit == "points"
    return folded_mean(
        tables,
        [clusters(run.photos, sample.groups) for run in sample.runs],
        least_error=photo_error(len(sample.runs) * sample.n_test) if counted else 0.0,
        bounds=bounds,
    )


def _over_runs(metric: Metric, sample: Sample, values: Sequence[float], bounds: Bounds, figures: int) -> Mean:
    """figures: how many rounded figures a value is made of."""
    least_spread = math.sqrt(figures) * rounding_spread(sample.n_test) if metric.unit == "points" else 0.0
    if shared_photos(sample.runs):
        return student_mean(values, least_spread=least_spread, bounds=bounds)
    return resampled_mean(values, sample.n_train, sample.n_test, least_spread=least_spread, bounds=bounds)
