"""The photos of a study that are nearest to one photo, by the features of a finished run.

For processes of their own (runner/isolated.py), as trial.py. The features are computed once and kept by content in the
cache of this machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor

from commongarden.data import cache, result_cache
from commongarden.errors import DataError
from commongarden.i18n.language import N_
from commongarden.inference import chosen
from commongarden.inference.predictor import Predictor
from commongarden.inference.trial import loaded, pixels
from commongarden.inference.tried import Near, Neighbours, Source
from commongarden.io import npz
from commongarden.io.limits import arrays
from commongarden.records import Manifest
from commongarden.store import Store, file_digest
from commongarden.train.features import pooled_features

MOST_PHOTOS = 3000  # of each part, whose features are computed
BATCH = 64
LIBRARIES = ("torch", "torchvision", "timm", "pillow")
WIDEST = 2**14  # features of a photo


def neighbours(study: Path, root: str, source: Source, n: int, say: Callable[..., None]) -> Neighbours:
    """The n nearest training photos and the n nearest test photos by the best model's run with the highest validation
    accuracy. root: the folder of the study's photos. Distances are 1 - cosine. Raises CommonGardenError."""
    run = chosen.chosen_run(study)
    predictor, store = loaded(run.folder), Store(study)
    manifest, split = store.manifest(), store.split(run.run.seed)
    places = {photo.path: number for number, photo in enumerate(manifest.photos)}
    parts = {"train": _some(split.train, places), "test": _some(split.test, places)}
    wanted = np.array([number for numbers in parts.values() for number in numbers], dtype=np.int64)
    begun = time.perf_counter()
    key = _key(run.folder, manifest, wanted)
    kept = _recalled(key)
    if kept is None:
        kept = _computed(predictor, manifest, root, wanted, say)
        if len(kept[0]) == len(wanted):  # those that are missing now may be there later
            result_cache.keep(cache.default_folder(), key, npz.packed(numbers=kept[0], features=kept[1]))
    seconds = time.perf_counter() - begun
    numbers, known = kept
    found = _unit(_features(predictor, [pixels(predictor, source)]))[0]
    distances = 1.0 - known.astype(np.float32) @ found
    near = {}
    for part, among in parts.items():
        is_of_part = np.isin(numbers, among)
        order = np.argsort(np.where(is_of_part, distances, np.inf), kind="stable")
        others = (int(place) for place in order[: is_of_part.sum()])
        near[part] = tuple(
            Near(int(numbers[place]), float(distances[place]))
            for place in others
            if source.path == "" or manifest.photos[int(numbers[place])].path != source.path
        )[:n]
    n_all = len(split.train) + len(split.test)
    return Neighbours(run.run.arm, run.run.seed, near["train"], near["test"], len(numbers), n_all, seconds)


def _some(paths: Sequence[str], places: dict[str, int]) -> list[int]:
    """The places of the photos in the manifest, evenly chosen where they are many."""
    chosen_ones = np.unique(np.linspace(0, len(paths) - 1, min(MOST_PHOTOS, len(paths))).astype(np.int64))
    return [places[paths[number]] for number in chosen_ones.tolist()]


def _key(run: Path, manifest: Manifest, wanted: np.ndarray) -> str:
    made_from = (manifest.hash, file_digest(run / "run.json"), file_digest(run / "model.safetensors"))
    which = msgspec.json.encode(wanted.tolist()).decode()
    machine = torch.backends.cpu.get_cpu_capability()
    return result_cache.key("neighbours", (*made_from, which), LIBRARIES, machine=machine)


def _recalled(key: str) -> tuple[np.ndarray, np.ndarray] | None:
    data = result_cache.recall(cache.default_folder(), key)
    if data is None:
        return None
    found = npz.read(Path(key), data, arrays(2 * MOST_PHOTOS * (2 * WIDEST + 8), 2))
    return found["numbers"], found["features"]


def _computed(
    predictor: Predictor, manifest: Manifest, root: str, wanted: np.ndarray, say: Callable[..., None]
) -> tuple[np.ndarray, np.ndarray]:
    """(places in the manifest, features of length 1) of the photos that are there and as the study has them."""
    numbers: list[int] = []

    def read() -> Iterator[np.ndarray]:
        for count, number in enumerate(wanted.tolist()):
            photo = manifest.photos[number]
            say("features", count, len(wanted))
            with suppress(DataError):
                picture = pixels(
                    predictor, Source(root=root, path=photo.path, sha256=photo.sha256, stored=photo.stored)
                )
                numbers.append(number)
                yield picture

    features, batch = [], []
    for picture in read():
        batch.append(picture)
        if len(batch) == BATCH:
            features.append(_unit(_features(predictor, batch)))
            batch = []
    if batch:
        features.append(_unit(_features(predictor, batch)))
    if not features:
        raise DataError(N_("none of the study's images can be read in {folder}").format(folder=root))
    return np.array(numbers, dtype=np.int64), np.concatenate(features).astype(np.float16)


def _features(predictor: Predictor, pictures: Sequence[np.ndarray]) -> np.ndarray:
    batch: Tensor = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    found, _labels = pooled_features(
        predictor.classifier, [(batch, torch.zeros(len(batch), dtype=torch.int64))], torch.device("cpu")
    )
    return found.numpy()


def _unit(features: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of zeros stays so."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(length > 0, length, 1.0)
