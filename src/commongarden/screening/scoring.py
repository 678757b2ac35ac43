"""How well two simple classifiers do on features: a linear probe and nearest neighbours.

The linear probe is scikit-learn's logistic regression on standardized features. A ridge classifier is as accurate, but
takes several times as long where there are more photos than features. Its regularization is fixed and not chosen in
each fold: with C = 10 / width it means the same for every width, as the squared length of a standardized photo is about
the width. On 400 flower photos, accuracies between C = 1 / width and 100 / width lay within a point for published
weights and within five for random ones, and a search would take several times as long (docs/howto/screening.md).

The nearest neighbours are the 10 most similar photos by cosine, each with one vote.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from commongarden.screening.folds import Fold

STRENGTH = 10.0  # C times the number of features
TOLERANCE = 1e-3
MAX_ITER = 1000
NEIGHBOURS = 10
VERSION = 1  # rises whenever the same features would give other scores


@dataclass(frozen=True)
class Scores:
    """Accuracies, one for each fold. converged: whether every linear probe did."""

    probe: tuple[float, ...]
    neighbours: tuple[float, ...]
    converged: bool


def score(features: np.ndarray, labels: np.ndarray, folds: Sequence[Fold], n_threads: int) -> Scores:
    """The scores of features (n, width) in each fold. Every fold is fitted on one thread, n_threads at a time, without
    any chance: the numbers are the same each time."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(), threadpool_limits(1), ThreadPoolExecutor(n_threads) as pool:
        warnings.simplefilter("ignore", ConvergenceWarning)  # told by `converged`
        found = list(pool.map(partial(_of_fold, features, labels), folds))
    return Scores(
        tuple(probe for probe, _neighbours, _converged in found),
        tuple(neighbours for _probe, neighbours, _converged in found),
        all(converged for _probe, _neighbours, converged in found),
    )


def _of_fold(features: np.ndarray, labels: np.ndarray, fold: Fold) -> tuple[float, float, bool]:
    train, test = features[fold.train], features[fold.test]
    probe, converged = _probe(train, labels[fold.train], test, labels[fold.test])
    return probe, _neighbours(train, labels[fold.train], test, labels[fold.test]), converged


def _probe(train: np.ndarray, known: np.ndarray, test: np.ndarray, wanted: np.ndarray) -> tuple[float, bool]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    head = LogisticRegression(C=STRENGTH / train.shape[1], tol=TOLERANCE, max_iter=MAX_ITER)
    model = make_pipeline(StandardScaler(), head).fit(train.astype(np.float64), known)
    right = model.predict(test.astype(np.float64)) == wanted
    return float(right.mean()), bool(head.n_iter_.max() < MAX_ITER)


def _neighbours(train: np.ndarray, known: np.ndarray, test: np.ndarray, wanted: np.ndarray) -> float:
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(min(NEIGHBOURS, len(known)), metric="cosine", algorithm="brute").fit(train, known)
    return float((model.predict(test) == wanted).mean())
