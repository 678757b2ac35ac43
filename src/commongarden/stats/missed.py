"""The photos that most runs got wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from commongarden.records import Predictions
from commongarden.store import Store


def most_missed(store: Store, n: int = 24, said: Sequence[Predictions] | None = None) -> list[tuple[str, float]]:
    """The test photos that most runs got wrong: (path, share of the finished runs tested on it that missed it), worst
    first.

    Where splits vary, photos are tested by more or fewer runs, so they are ordered by (missed + 1) / (tested + 2)
    (Laplace's rule), which with one split is the order of the shares. Equal ones are told apart by the mean probability
    given to the true class. said: by the finished runs, where it was read before.
    """
    runs = [run for run in store.runs() if run.status == "finished"]
    if not runs:
        return []
    found = said or [store.predictions(run.arm, run.seed) for run in runs]
    photos, place = np.unique(np.concatenate([item.photos for item in found]), return_inverse=True)
    wrong = np.concatenate([item.probabilities.argmax(axis=1) != item.labels for item in found])
    belief = np.concatenate([item.probabilities[np.arange(len(item.labels)), item.labels] for item in found])
    tested = np.bincount(place, minlength=len(photos))
    missed = np.bincount(place, weights=wrong, minlength=len(photos))
    mean_belief = np.bincount(place, weights=belief, minlength=len(photos)) / tested
    worst = np.lexsort((mean_belief, -(missed + 1) / (tested + 2)))[:n]
    return [(str(photos[i]), float(missed[i] / tested[i])) for i in worst if missed[i] > 0]
