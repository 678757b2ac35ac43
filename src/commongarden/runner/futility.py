"""Runs that are not worth finishing, where that is asked for.

A run is futile if in no epoch of its first half its validation accuracy was above that of always guessing the majority
class. It is judged by itself alone, so that what is stopped depends neither on other runs nor on their order. A stopped
run is tested like any other and counts with what it reached: to leave it out would flatter its arm.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from commongarden.records import Epoch
from commongarden.runner.prepared_data import PreparedData

FEWEST_EPOCHS = 4  # of the recipe; with fewer nothing is stopped


def is_futile(history: Sequence[Epoch], n_epochs: int, baseline: float) -> bool:
    """baseline: the validation accuracy of always guessing the training set's majority class."""
    half = -(-n_epochs // 2)
    if n_epochs < FEWEST_EPOCHS or not half <= len(history) < n_epochs:
        return False
    return all(epoch.val_accuracy <= baseline for epoch in history[:half])


def majority_class_accuracy(prepared: PreparedData) -> float:
    """The share of the training set's majority class in the validation set."""
    majority = np.bincount(prepared.labels[prepared.train]).argmax()
    return float((prepared.labels[prepared.val] == majority).mean())
