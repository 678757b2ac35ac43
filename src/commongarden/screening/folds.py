"""The photos that screening uses, and the folds in which they are learned from and tested on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from commongarden.data.split import Alike, fold_paths
from commongarden.data.together import joined, units
from commongarden.records import Manifest, Split
from commongarden.study import SplitPlan


@dataclass(frozen=True, eq=False)
class Fold:
    """Places of the photos that are learned from, and of those that are tested on."""

    train: np.ndarray
    test: np.ndarray


def photos_of(manifest: Manifest, split: Split, plan: SplitPlan, seed: int, alike: Alike, most: int) -> Manifest:
    """The photos of the training and validation sets alone, or about `most` of them, each class in its share. Photos
    that belong together (duplicates, groups) are all taken or all left out."""
    wanted = {*split.train, *split.val}
    photos = tuple(replace(photo, part="") for photo in manifest.photos if photo.path in wanted)
    if len(photos) > most:
        photos = _sampled(Manifest(manifest.root, photos), plan, seed, alike, most).photos
    return Manifest(manifest.root, photos, range=manifest.range)


def _sampled(manifest: Manifest, plan: SplitPlan, seed: int, alike: Alike, most: int) -> Manifest:
    found, _left_out = units(manifest.photos, plan, f"screening of {seed}", alike)
    if any(unit.groups for unit in found):
        found = joined(found, f"screening of {seed}")
    share = most / len(manifest.photos)
    room = {label: round(share * n) for label, n in Counter(photo.label for photo in manifest.photos).items()}
    taken: set[str] = set()
    for unit in found:
        if room[unit.label] >= unit.size:
            room[unit.label] -= unit.size
            taken |= {photo.path for photo in unit.photos}
    return replace(manifest, photos=tuple(photo for photo in manifest.photos if photo.path in taken))


def repeated(manifest: Manifest, plan: SplitPlan, seed: int, alike: Alike, n: int, repeats: int) -> list[Fold]:
    """`repeats` divisions of the photos into n folds, dealt as those of a study with folds: stratified, with photos
    that belong together in one fold. Raises DataError where a class has too few photos."""
    place = {photo.path: i for i, photo in enumerate(manifest.photos)}
    folds: list[Fold] = []
    for repeat in range(repeats):
        dealt = fold_paths(manifest, plan, f"screening {repeat} of {seed}", n, alike)
        tested = [np.array(sorted(place[path] for path in paths), dtype=np.int64) for paths in dealt]
        folds += [Fold(_others(tested, number), test) for number, test in enumerate(tested)]
    return folds


def _others(tested: Sequence[np.ndarray], number: int) -> np.ndarray:
    return np.sort(np.concatenate([places for i, places in enumerate(tested) if i != number]))
