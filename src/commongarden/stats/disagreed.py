"""The photos on which the two arms of a contrast disagree, and the runs by which that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from commongarden.records import Predictions
from commongarden.stats.scores import Tested
from commongarden.study import Contrast, Study

N_CONTRASTS = 6
N_PHOTOS = 4  # of a contrast, half of them for each side


@dataclass(frozen=True)
class Disagreement:
    """Test photos that one arm of the contrast got right and the other one wrong, in the runs with this seed."""

    contrast: Contrast
    seed: int
    photos: tuple[str, ...]


def shown_seeds(study: Study, tested: Tested) -> dict[str, int]:
    """The run seed by which each arm is shown: the first that all arms finished, or else the arm's own first."""
    finished = {arm: by_seed for arm, by_seed in tested.items() if by_seed}
    shared = [seed for seed in study.seeds if all(seed in by_seed for by_seed in finished.values())]
    return {arm: shared[0] if shared else min(by_seed) for arm, by_seed in finished.items()}


def disagreements(study: Study, tested: Tested) -> tuple[Disagreement, ...]:
    """Of the first contrasts whose arms are shown by one seed: the photos on which those two runs disagree, the ones
    first on which all runs of the two arms disagree most, right ones of either side in turn. tested: by arm, seed."""
    seeds = shown_seeds(study, tested)
    found: list[Disagreement] = []
    for contrast in study.planned_contrasts():
        one, two = seeds.get(contrast.arm), seeds.get(contrast.against)
        if one is None or one != two or len(found) == N_CONTRASTS:
            continue
        photos = _photos(tested[contrast.arm], tested[contrast.against], one)
        if photos:
            found.append(Disagreement(contrast, one, photos))
    return tuple(found)


def _photos(one: Mapping[int, Predictions], two: Mapping[int, Predictions], seed: int) -> tuple[str, ...]:
    rights = [_right(side[seed]) for side in (one, two)]
    means = [_mean_right(side) for side in (one, two)]
    chosen: list[list[str]] = []
    for mine, other, sign in ((0, 1, 1), (1, 0, -1)):
        differ = [photo for photo, right in rights[mine].items() if right and not rights[other][photo]]
        differ.sort(key=lambda photo: (-sign * (means[0][photo] - means[1][photo]), photo))
        chosen.append(differ)
    half = N_PHOTOS // 2
    first, second = chosen
    n_first = min(len(first), max(half, N_PHOTOS - len(second)))
    return (*first[:n_first], *second[: N_PHOTOS - n_first])


def _right(run: Predictions) -> dict[str, bool]:
    right = run.probabilities.argmax(axis=1) == run.labels
    return dict(zip(map(str, run.photos), right.tolist(), strict=True))


def _mean_right(by_seed: Mapping[int, Predictions]) -> dict[str, float]:
    """The share of an arm's runs that got a photo right, among those that were tested on it."""
    counts: dict[str, list[bool]] = {}
    for run in by_seed.values():
        for photo, right in _right(run).items():
            counts.setdefault(photo, []).append(right)
    return {photo: float(np.mean(rights)) for photo, rights in counts.items()}
