"""From what runs said of their test photos to means: which design fits is seen from the photos themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from commongarden.records import Predictions
from commongarden.stats.clusters import Clusters, Groups, clusters
from commongarden.stats.crossed import crossed_mean, photo_error
from commongarden.stats.estimates import rounding_spread
from commongarden.stats.means import Bounds, Mean, student_mean
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


def mean_score(metric: Metric, sample: Sample) -> Mean:
    """An arm's mean figure over seeds."""
    if metric.by_photo is not None and shared_photos(sample.runs):
        return _crossed(metric, sample, [metric.by_photo(run) for run in sample.runs], metric.bounds)
    return _over_runs(metric, sample, [metric.whole(run) for run in sample.runs], metric.bounds, 1)


def mean_difference(metric: Metric, one: Sample, two: Sample) -> Mean:
    """The mean difference of two arms' figures, first minus second, paired by seed and by photo."""
    pairs = list(zip(one.runs, two.runs, strict=True))
    if metric.by_photo is not None and shared_photos(one.runs):
        return _crossed(metric, one, [metric.by_photo(a) - metric.by_photo(b) for a, b in pairs], metric.spread_bounds)
    return _over_runs(metric, one, [metric.whole(a) - metric.whole(b) for a, b in pairs], metric.spread_bounds, 2)


def _crossed(metric: Metric, sample: Sample, table: Sequence[np.ndarray], bounds: Bounds) -> Mean:
    least_error = photo_error(sample.n_test) if metric.unit == "points" else 0.0
    return crossed_mean(np.stack(table), least_error=least_error, bounds=bounds, groups=sample.clusters)


def _over_runs(metric: Metric, sample: Sample, values: Sequence[float], bounds: Bounds, figures: int) -> Mean:
    """figures: how many rounded figures a value is made of."""
    least_spread = math.sqrt(figures) * rounding_spread(sample.n_test) if metric.unit == "points" else 0.0
    if shared_photos(sample.runs):
        return student_mean(values, least_spread=least_spread, bounds=bounds)
    return resampled_mean(values, sample.n_train, sample.n_test, least_spread=least_spread, bounds=bounds)
