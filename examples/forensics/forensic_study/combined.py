"""A weighted sum of several arms' accuracies, paired by seed and by test photo: differences of differences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from commongarden.records import Predictions
from commongarden.stats.crossed import crossed_mean, photo_error
from commongarden.stats.means import Mean
from commongarden.stats.metrics import correct

Tested = Mapping[str, Mapping[int, Predictions]]


def shared_seeds(tested: Tested, *arms: str) -> tuple[int, ...]:
    """The seeds that every one of these arms finished."""
    return tuple(sorted(set.intersection(*(set(tested.get(arm, {})) for arm in arms)))) if arms else ()


def combined(tested: Tested, weights: Mapping[str, float]) -> Mean | None:
    """The sum of accuracies times weights over the seeds that all these arms share; None where there is no such seed.

    tested: by arm and seed, all tested on the same photos. With weights 1 and -1 it is `mean_difference` of two arms,
    with four of them how much one difference changes another.
    """
    seeds = shared_seeds(tested, *weights)
    if not seeds:
        return None
    table = np.array(
        [sum(weight * correct(tested[arm][seed]) for arm, weight in weights.items()) for seed in seeds], np.float64
    )
    up = sum(max(weight, 0.0) for weight in weights.values())
    down = sum(min(weight, 0.0) for weight in weights.values())
    return crossed_mean(table, least_error=photo_error(table.shape[1]), bounds=(down, up))
