"""The test photos of a study, by what its models say of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from commongarden.data.image import BUILTIN
from commongarden.data.remote import is_remote
from commongarden.data.stored import is_in_place
from commongarden.inference.tried import Source
from commongarden.records import Manifest, Photo
from commongarden.store import ReadOnce, Store

Order = Literal["disagreement", "wrong", "unsure"]
ORDERS = get_args(Order)
A_PAGE = 24  # photos


@dataclass(frozen=True)
class Shown:
    """A test photo. number: its place in the manifest. n_classes: how many the models take it for; wrong: the share of
    runs that do not say its class; confidence: the mean of the models' highest probabilities."""

    number: int
    photo: Photo
    n_classes: int
    wrong: float
    confidence: float


def test_photos(folder: Path) -> list[Shown]:
    """Every photo that a run was tested on. Raises StoreError."""
    from commongarden import stats

    store = ReadOnce(folder)
    by_arm = stats.predictions_by_arm(store, store.study(), store.runs())
    manifest = store.manifest()
    numbers = {photo.path: number for number, photo in enumerate(manifest.photos)}
    said: dict[str, dict[str, list[np.ndarray]]] = {}
    for arm, by_seed in by_arm.items():
        for predictions in by_seed.values():
            for path, row in zip(map(str, predictions.photos), predictions.probabilities, strict=True):
                said.setdefault(path, {}).setdefault(arm, []).append(row)
    found = []
    for path, rows in said.items():
        if path not in numbers:
            continue
        photo = manifest.photos[numbers[path]]
        label = manifest.classes.index(photo.label)
        means = [np.mean(one, axis=0) for one in rows.values()]
        runs = [row for one in rows.values() for row in one]
        wrong = float(np.mean([row.argmax() != label for row in runs]))
        sure = float(np.mean([mean.max() for mean in means]))
        found.append(Shown(numbers[path], photo, len({int(mean.argmax()) for mean in means}), wrong, sure))
    return found


def page(photos: list[Shown], label: str, order: Order, number: int) -> tuple[list[Shown], bool]:
    """A page of the photos of a class ("" for all), and whether there are more."""
    keys = {
        "disagreement": lambda one: (-one.n_classes, -min(one.wrong, 1 - one.wrong), one.confidence),
        "wrong": lambda one: (-one.wrong, -one.confidence),
        "unsure": lambda one: one.confidence,
    }
    chosen = sorted((one for one in photos if not label or one.photo.label == label), key=keys[order])
    return chosen[A_PAGE * number : A_PAGE * (number + 1)], len(chosen) > A_PAGE * (number + 1)


def absent(manifest: Manifest, data: Path | None) -> str:
    """The folder that the photos are read from, if it is not there; "" otherwise."""
    if data is None and (manifest.root.startswith(BUILTIN) or is_remote(manifest.root)):
        return ""
    root = Path(manifest.root) if data is None else data
    return "" if manifest.root.startswith(BUILTIN) or root.exists() else str(root)


def is_there(source: Source) -> bool:
    """Whether the file of a study's photo is where it is read from."""
    return source.root.startswith(BUILTIN) or is_in_place(source.root, source.path, source.stored)


def root_of(manifest: Manifest, data: Path | None) -> str:
    """The folder of the study's photos, or `data` in its place."""
    return manifest.root if data is None or manifest.root.startswith(BUILTIN) else str(data)


def source_of(store: Store, number: int, data: Path | None) -> tuple[Source, Photo]:
    """A photo of the manifest by its place, read from the study's folder of photos, or from `data`. Raises StoreError,
    IndexError."""
    manifest = store.manifest()
    photo = manifest.photos[number]
    return Source(root=root_of(manifest, data), path=photo.path, sha256=photo.sha256, stored=photo.stored), photo
