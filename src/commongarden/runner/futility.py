"""Runs that are not worth finishing, where that is asked for.

A run is hopeless where in no epoch of its first half it came above always guessing the commonest class on the
validation part. It looks at itself alone, so that what is stopped depends neither on other runs nor on their order. A
stopped run is tested like any other and counts with what it reached: to leave it out would flatter its arm.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from commongarden.records import Epoch
from commongarden.runner.prepared_data import PreparedData

FEWEST_EPOCHS = 4  # of the recipe; with fewer nothing is stopped


def is_hopeless(history: Sequence[Epoch], n_epochs: int, line: float) -> bool:
    """line: the validation accuracy of always guessing the training part's commonest class."""
    half = -(-n_epochs // 2)
    if n_epochs < FEWEST_EPOCHS or not half <= len(history) < n_epochs:
        return False
    return all(epoch.val_accuracy <= line for epoch in history[:half])


def commonest_line(prepared: PreparedData) -> float:
    """The share of the training part's commonest class in the validation part."""
    commonest = np.bincount(prepared.labels[prepared.train]).argmax()
    return float((prepared.labels[prepared.val] == commonest).mean())
