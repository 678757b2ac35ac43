"""What one study contributes: each model's mean figure, and the differences of models with their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from commongarden.stats import learning
from commongarden.stats.between_studies import Side
from commongarden.stats.contrasts import paired
from commongarden.stats.means import Mean
from commongarden.stats.metrics import METRICS
from commongarden.stats.pairing import pair_seeds
from commongarden.stats.scores import mean_difference
from commongarden.stats.summary import predictions_by_arm
from commongarden.study import Contrast


@dataclass(frozen=True)
class Effects:
    """reached: of each arm, the mean over its runs that learned, or over all where none did; NaN without a run.
    differences: of each contrast, as the study's own report has them, over the seeds in which both learned; over all
    finished seeds where both learned in fewer than two; None where the two arms share no seed. error: the standard
    error of an arm's figure, as far as arms do not share it. n_seeds: finished runs of the arm that has the fewest.
    n_not_learned: of each arm; never: whether it learned in no run."""

    reached: tuple[float, ...]
    differences: Mapping[Contrast, Mean | None]
    error: float
    n_seeds: int
    n_not_learned: tuple[int, ...]
    never: tuple[bool, ...] = ()


def effects(side: Side, arms: Sequence[str], contrasts: Sequence[Contrast]) -> Effects:
    """Of these models and contrasts in one study. Raises StoreError."""
    store, study = side.store, side.store.study()
    runs = store.runs()
    groups = {photo.path: photo.group for photo in store.manifest().photos if photo.group}
    tested, learned = predictions_by_arm(store, study, runs), learning.learned(store, runs)
    metric, n_train = METRICS[study.metric], side.results.n_train
    by_seed = pair_seeds(metric, tested)

    def difference(contrast: Contrast) -> Mean | None:
        pair = paired(tested, contrast, n_train, groups, learned)
        if pair is None or len(pair.one.runs) < 2:
            pair = paired(tested, contrast, n_train, groups)
        return None if pair is None else mean_difference(metric, pair.one, pair.two, pair_seeds=by_seed)

    def reached(arm: str) -> float:
        kept = [run for seed, run in tested[arm].items() if learned[arm, seed]] or list(tested[arm].values())
        return float(np.mean([metric.whole(run) for run in kept])) if kept else float("nan")

    found = {contrast: difference(contrast) for contrast in contrasts}
    errors = [mean.error for mean in found.values() if mean is not None and mean.error is not None]
    return Effects(
        tuple(map(reached, arms)),
        found,
        float(np.sqrt(np.mean(np.square(errors)) / 2)) if errors else 0.0,
        min(len(tested[arm]) for arm in arms),
        tuple(sum(not learned[arm, seed] for seed in tested[arm]) for arm in arms),
        tuple(not any(learned[arm, seed] for seed in tested[arm]) for arm in arms),
    )
