"""The record of a simple method on the photos of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BaselineKind = Literal["colours", "neighbours"]


@dataclass(frozen=True)
class Baseline:
    """What a simple method reached on the study's photos.

    kind: "colours", logistic regression on colour histograms; "neighbours", the nearest neighbours among small photos.
    setting: C of the one, k of the other, by the best accuracy on the validation part; None for a mean over splits with
        several.
    n_train: photos it learned from, fewer than the training part where that is large.
    converged: whether the fit came to its end within its iterations.
    """

    kind: BaselineKind
    setting: float | None
    val_accuracy: float
    test_accuracy: float
    n_train: int
    n_test: int
    converged: bool
    seconds: float
