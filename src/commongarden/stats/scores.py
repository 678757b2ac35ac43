"""From what runs said of their test photos to means: which design fits is seen from the photos themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from commongarden.records import Predictions
from commongarden.stats.crossed import crossed_mean, photo_error
from commongarden.stats.estimates import rounding_spread
from commongarden.stats.means import Mean, student_mean
from commongarden.stats.metrics import Metric
from commongarden.stats.resampled import resampled_mean


@dataclass(frozen=True)
class Sample:
    """What some runs of one arm said, one Predictions a seed. n_train: photos that each was trained on."""

    runs: tuple[Predictions, ...]
    n_train: int

    @property
    def n_test(self) -> float:
        """Test photos of a run, on average."""
        return float(np.mean([len(run.labels) for run in self.runs]))


def shared_photos(runs: Sequence[Predictions]) -> bool:
    """Whether all runs were tested on the same photos: seeds crossed with photos. Else each has its own test part."""
    first = runs[0].photos
    return all(len(run.photos) == len(first) and bool((run.photos == first).all()) for run in runs[1:])


def mean_score(metric: Metric, tested: Sample) -> Mean:
    """An arm's mean figure over seeds."""
    values = [metric.whole(run) for run in tested.runs]
    return _mean(metric, tested, values, [_by_photo(metric, run) for run in tested.runs], metric.bounds, 1)


def mean_difference(metric: Metric, one: Sample, two: Sample) -> Mean:
    """The mean difference of two arms' figures, first minus second, paired by seed and by photo."""
    values = [metric.whole(a) - metric.whole(b) for a, b in zip(one.runs, two.runs, strict=True)]
    table = [_by_photo(metric, a) - _by_photo(metric, b) for a, b in zip(one.runs, two.runs, strict=True)]
    return _mean(metric, one, values, table, metric.spread_bounds, 2)


def _by_photo(metric: Metric, run: Predictions) -> np.ndarray:
    return metric.by_photo(run) if metric.by_photo is not None else np.empty(0)


def _mean(
    metric: Metric,
    tested: Sample,
    values: Sequence[float],
    table: Sequence[np.ndarray],
    bounds: tuple[float, float],
    figures: int,
) -> Mean:
    """figures: how many rounded figures a value is made of."""
    counted = metric.unit == "points"
    n_test = tested.n_test
    least_spread = math.sqrt(figures) * rounding_spread(n_test) if counted else 0.0
    if not shared_photos(tested.runs):
        return resampled_mean(values, tested.n_train, n_test, least_spread=least_spread, bounds=bounds)
    if metric.by_photo is None:
        return student_mean(values, least_spread=least_spread, bounds=bounds)
    return crossed_mean(np.stack(table), least_error=photo_error(n_test) if counted else 0.0, bounds=bounds)
