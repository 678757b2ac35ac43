"""The photos that most runs got wrong."""

from __future__ import annotations

import numpy as np

from commongarden.store import Store


def most_missed(store: Store, n: int = 24) -> list[tuple[str, float]]:
    """The test photos that most runs got wrong: (path, share of finished runs that missed it), worst first.

    Equal shares are told apart by the mean probability given to the true class.
    """
    runs = [run for run in store.runs() if run.status == "finished"]
    if not runs:
        return []
    predictions = [store.predictions(run.arm, run.seed) for run in runs]
    photos = predictions[0].photos
    rows = np.arange(len(photos))
    missed = np.mean([item.probabilities.argmax(axis=1) != item.labels for item in predictions], axis=0)
    belief = np.mean([item.probabilities[rows, item.labels] for item in predictions], axis=0)
    worst = np.lexsort((belief, -missed))[:n]
    return [(str(photos[i]), float(missed[i])) for i in worst if missed[i] > 0]
