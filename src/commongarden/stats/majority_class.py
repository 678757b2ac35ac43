"""The line that a network must beat: always guessing the commonest class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from commongarden.records import Predictions, Run


@dataclass(frozen=True)
class MajorityClass:
    """Always guessing the commonest class of the training part: what a network must beat.

    accuracy: its share of the test part. loss: entropy of the training part's class shares, in nats.
    """

    label: str
    accuracy: float
    loss: float


def commonest_class(train: Sequence[str], test: Sequence[str]) -> MajorityClass:
    """The line of always guessing the commonest label of the training part (ties: first in the alphabet)."""
    counts = Counter(train)
    label = min(counts, key=lambda name: (-counts[name], name))
    shares = np.array(list(counts.values())) / len(train)
    return MajorityClass(
        label, sum(name == label for name in test) / len(test), float(-(shares * np.log(shares)).sum())
    )


def at_commonest(run: Run, said: Predictions, line: float) -> bool:
    """Whether a finished run never left the commonest-class line. said: of its test photos."""
    guesses = said.probabilities.argmax(axis=1)
    return len(set(guesses.tolist())) == 1 or (run.test_accuracy or 0.0) <= line
