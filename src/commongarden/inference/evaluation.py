"""The networks of a study on a new labelled folder: how accurate, with intervals, and what they mistake for what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from commongarden.data import folder as folders
from commongarden.data import image
from commongarden.data.finding import DEFAULT
from commongarden.errors import DataError
from commongarden.i18n.language import _
from commongarden.inference.ensemble import Ensemble, load
from commongarden.inference.predictor import Predictor
from commongarden.records import Estimate, Manifest, Predictions, Split
from commongarden.stats import METRICS, Sample, mean_score
from commongarden.store import open_store
from commongarden.study import DataOptions

BATCH = 32
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ClassScore:
    """One class. n: its images. precision, recall, f1: shares (0..1); None where nothing was called so, or no image is
    of the class."""

    label: str
    n: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Evaluation:
    """What a model reached on a new labelled folder.

    model: the arm. seeds: of its runs. n: images. accuracy: of all runs together (the mean of their probabilities), as
    a share, with the Wilson interval over images: the model is as it is, the images are drawn. single: mean accuracy of
    a single run, with its interval over runs and images; with one run None. confusion: (true, predicted) counts in the
    order of `classes`. known: images whose file was in the study's training or validation set, which make the figures
    too good. left_out: files that could not be used, with the reason.
    """

    model: str
    seeds: tuple[int, ...]
    n: int
    accuracy: Estimate
    single: Estimate | None
    classes: tuple[ClassScore, ...]
    confusion: np.ndarray
    known: int
    left_out: tuple[tuple[str, str], ...]


def evaluate(
    study: str | Path,
    data: str,
    *,
    model: str | None = None,
    seed: int | None = None,
    options: DataOptions = DEFAULT,
    on_progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measures a study's model on a new folder of labelled images.

    Args:
        study: the folder of a study.
        data: a folder of class folders, or a CSV of path,label; its classes must be among the study's.
        model: which model (arm). None for the best one.
        seed: one run of it. None for all its finished runs together.
        options: how the folder is read, where more than one way is possible.
        on_progress: called with (images done, images in all).

    Returns:
        Accuracy with its interval, precision, recall and F1 of each class, and the confusion matrix.

    Raises:
        StoreError: the study has no finished run, or its files are damaged.
        DataError: the folder cannot be read, or has classes that the study does not know.
    """
    store = open_store(study)
    network = load(study, model=model, seed=seed)
    members: list[Predictor] = list(network.members) if isinstance(network, Ensemble) else [network]  # type: ignore[arg-type]
    manifest = folders.scan(data, options, keep_going=True, range=network.run.range)
    labels = _labels(manifest, network.classes, data)
    by_run = _probabilities(members, manifest, on_progress)
    together = np.mean(by_run, axis=0)
    predicted = together.argmax(1)
    n = len(labels)
    confusion = np.zeros((len(network.classes),) * 2, dtype=np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    return Evaluation(
        network.run.arm,
        tuple(member.run.seed for member in members),
        n,
        _wilson(int((predicted == labels).sum()), n),
        _single(manifest, labels, by_run) if len(members) > 1 else None,
        tuple(_score(label, i, confusion) for i, label in enumerate(network.classes)),
        confusion,
        _known(manifest, store.manifest(), list(store.splits().values())),
        tuple((one.path, str(one.reason)) for one in manifest.left_out),
    )


def _labels(manifest: Manifest, classes: Sequence[str], data: str) -> np.ndarray:
    place = {label: i for i, label in enumerate(classes)}
    if other := sorted({photo.label for photo in manifest.photos} - place.keys()):
        text = _("{data}: found the classes {other}; accepted: those of the study ({classes})")
        raise DataError(text.format(data=data, other=", ".join(other), classes=", ".join(classes)))
    return np.array([place[photo.label] for photo in manifest.photos])


def _probabilities(members: Sequence[Predictor], manifest: Manifest, on_progress: Progress | None) -> list[np.ndarray]:
    """(images, classes) for each run; every image is decoded once."""
    first, found = members[0], []
    photos, framing = manifest.photos, first.run.recipe.framing
    for start in range(0, len(photos), BATCH):
        some = photos[start : start + BATCH]
        arrays = [
            image.pixels(manifest.root, one.path, *first.input[:2], first.run.range, framing, stored=one.stored)
            for one in some
        ]
        pixels = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)
        with torch.inference_mode():
            found.append([member(pixels).softmax(1).numpy() for member in members])
        if on_progress is not None:
            on_progress(start + len(some), len(photos))
    return [np.concatenate([batch[i] for batch in found]) for i in range(len(members))]


def _single(manifest: Manifest, labels: np.ndarray, by_run: Sequence[np.ndarray]) -> Estimate | None:
    paths = np.array([photo.path for photo in manifest.photos])
    runs = tuple(Predictions(paths, labels, probabilities) for probabilities in by_run)
    groups = {photo.path: photo.group for photo in manifest.photos if photo.group}
    return mean_score(METRICS["accuracy"], Sample(runs, 1, groups)).interval()


def _wilson(k: int, n: int) -> Estimate:
    from scipy.stats import binomtest

    bounds = binomtest(k, n).proportion_ci(method="wilson")
    return Estimate(k / n, float(bounds.low), float(bounds.high), n, "Wilson, 0.95 confidence")


def _score(label: str, i: int, confusion: np.ndarray) -> ClassScore:
    right, n, called = int(confusion[i, i]), int(confusion[i].sum()), int(confusion[:, i].sum())
    return ClassScore(
        label,
        n,
        right / called if n and called else None,
        right / n if n else None,
        2 * right / (n + called) if n else None,
    )


def _known(new: Manifest, old: Manifest, splits: Sequence[Split]) -> int:
    hashes = {photo.path: photo.sha256 for photo in old.photos}
    seen = {hashes[path] for split in splits for path in (*split.train, *split.val) if path in hashes}
    return sum(photo.sha256 in seen for photo in new.photos)
