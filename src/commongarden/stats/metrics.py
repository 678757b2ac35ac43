"""What a network is measured by on the test part: accuracy, and what accuracy hides. Held against scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from commongarden.records import Predictions

N_BINS = 15  # as Guo et al. 2017


@dataclass(frozen=True)
class Metric:
    """One figure of a run on its test part.

    unit: "points" are hundredths of a share. bounds: what is possible. by_photo: one score a photo (n,) whose mean is
    the figure; so its interval can carry the noise between photos. of_run: the figure of a whole run, for one that has
    no such form. A metric has one of the two.
    """

    name: str
    higher_is_better: bool
    unit: Literal["points", "nats"]
    bounds: tuple[float, float]
    by_photo: Callable[[Predictions], np.ndarray] | None
    of_run: Callable[[Predictions], float] | None = None

    def whole(self, run: Predictions) -> float:
        """The figure of a run."""
        if self.by_photo is not None:
            return float(self.by_photo(run).mean())
        if self.of_run is None:
            raise ValueError(f"{self.name}: neither by_photo nor of_run")
        return self.of_run(run)

    @property
    def spread_bounds(self) -> tuple[float, float]:
        """What is possible for a difference of two such figures."""
        width = self.bounds[1] - self.bounds[0]
        return -width, width


def correct(run: Predictions) -> np.ndarray:
    """1.0 for each photo whose most probable class is the true one, else 0.0."""
    return np.asarray(run.probabilities.argmax(axis=1) == run.labels, dtype=np.float64)


def _balanced(run: Predictions) -> np.ndarray:
    """Correct photos weighted so that every class that the test part has weighs the same, whatever its size there."""
    classes, place, sizes = np.unique(run.labels, return_inverse=True, return_counts=True)
    return np.asarray(correct(run) * len(run.labels) / (len(classes) * sizes[place]))


def _losses(run: Predictions) -> np.ndarray:
    """The cross-entropy of each photo in nats; a probability of 0 counts as the least that float32 tells from 1."""
    given = run.probabilities[np.arange(len(run.labels)), run.labels].astype(np.float64)
    return np.asarray(-np.log(np.clip(given, np.finfo(np.float32).eps, 1.0)))


def calibration_error(run: Predictions) -> float:
    """The expected calibration error: how far confidence and accuracy lie apart, as a share.

    Photos are put in 15 bins of equal width by the probability of the class that was named, (0, 1/15] to (14/15, 1];
    the gap between the mean of that probability and the share of right ones is averaged over photos (Guo et al. 2017,
    equation 3). It is biased upwards on few photos, alike for all arms tested on the same ones.
    """
    confidence = run.probabilities.max(axis=1).astype(np.float64)
    bins = np.clip(np.ceil(confidence * N_BINS).astype(int) - 1, 0, N_BINS - 1)
    gaps = np.bincount(bins, weights=correct(run) - confidence, minlength=N_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", True, "points", (0.0, 1.0), correct),
        Metric("balanced_accuracy", True, "points", (0.0, 1.0), _balanced),
        Metric("log_loss", False, "nats", (0.0, np.inf), _losses),
        Metric("calibration_error", False, "points", (0.0, 1.0), None, calibration_error),
    )
}


@dataclass(frozen=True)
class Imbalance:
    """The test part's commonest and rarest classes, where the first has at least three times the photos."""

    commonest: str
    n_commonest: int
    rarest: str
    n_rarest: int


def imbalance(counts: dict[str, int], least: float = 3.0) -> Imbalance | None:
    """Whether accuracy is mostly that of a few classes: the commonest has `least` times the rarest one's photos.

    counts: test photos by class.
    """
    if len(counts) < 2:
        return None
    commonest, rarest = (pick(counts, key=lambda name: counts[name]) for pick in (max, min))
    if counts[commonest] < least * counts[rarest]:
        return None
    return Imbalance(commonest, counts[commonest], rarest, counts[rarest])
