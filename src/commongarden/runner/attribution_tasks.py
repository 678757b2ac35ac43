"""What the networks look at, after the runs: which arms are still to be looked at, and one of them looked at.

The parent asks `pending`; only workers call `attribute`, which loads torch.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from commongarden import stats
from commongarden.errors import CommonGardenError
from commongarden.runner.events import Attributed, AttributionTask
from commongarden.runner.prepared_data import PreparedData
from commongarden.stats.disagreed import disagreements, shown_seeds
from commongarden.store import Store, attribution_maps, read_weights
from commongarden.store.attribution_maps import Attribution, Evidence
from commongarden.study import Study
from commongarden.train import heat

if TYPE_CHECKING:
    from torch import Tensor, device

    from commongarden.data.on_the_fly import Images
    from commongarden.train.attribution import Anatomy
    from commongarden.train.classifier import Classifier

N_POINTS = 400  # test photos on the map of features
N_FILTERS = 64


def pending(store: Store, study: Study) -> list[AttributionTask]:
    """Each arm with a finished run of which there is no sight, or one of another run or of other photos."""
    runs = [run for run in store.runs() if run.status == "finished"]
    tested = stats.predictions_by_arm(store, study, runs)
    seeds, found = shown_seeds(study, tested), disagreements(study, tested)
    kept = attribution_maps.keys(store)
    waiting = []
    for arm, seed in seeds.items():
        if not store.has_weights(store.run(arm, seed)):
            continue
        mine = [item.photos for item in found if arm in (item.contrast.arm, item.contrast.against)]
        photos = tuple(dict.fromkeys(photo for row in mine for photo in row))
        if kept.get(arm) != attribution_maps.key_of(store.run(arm, seed), photos):
            waiting.append(AttributionTask(arm, seed, photos))
    return waiting


def attribute(store: Store, prepared: PreparedData, task: AttributionTask, device_name: str) -> Attributed:
    """Looks at one arm. One that cannot be looked at is no reason to fail a study: that is told."""
    try:
        return Attributed(task.arm, _sight(store, prepared, task, device_name))
    except CommonGardenError as error:
        return Attributed(task.arm, None, error.reason)
    except Exception as error:
        from commongarden.train.blame import describe_user_error

        return Attributed(task.arm, None, describe_user_error(error))


def _sight(store: Store, prepared: PreparedData, task: AttributionTask, device_name: str) -> Attribution:
    from commongarden.arch import read
    from commongarden.data import batches
    from commongarden.runner.run_setup import EVALUATION_BATCH
    from commongarden.train import attribution, measure
    from commongarden.train.classifier import Classifier
    from commongarden.train.state import from_bytes

    prepared = prepared.of(task.seed)
    run = store.run(task.arm, task.seed)
    measure.settle(run.recipe.threads, run.recipe.precision)
    device = measure.pick_device(device_name)
    classifier = Classifier(read(run.arch), run.input, run.recipe, run.pixel_mean, run.pixel_std)
    from_bytes(classifier, read_weights(store.directory(task.arm, task.seed), run))
    classifier.to(device).eval()
    images = prepared.images(run.recipe.resolution, run.recipe.framing)
    parts = attribution.anatomy(classifier, _pixels(images, prepared.test[:1], device))
    evidence = _evidence(classifier, parts, prepared, images, task.photos, device)

    n = min(N_POINTS, len(prepared.test))
    shown = prepared.test[np.unique(np.linspace(0, len(prepared.test) - 1, n).astype(np.int64))]
    found, said = attribution.features(
        classifier, parts.head, batches.in_order(images, prepared.labels, shown, EVALUATION_BATCH), device
    )
    points, explained = _points(found)
    kernels = (
        attribution.kernels(parts.first)[:N_FILTERS] if parts.first is not None else np.zeros((0, 1, 1, 3), np.uint8)
    )
    return Attribution(
        key=attribution_maps.key_of(run, task.photos),
        arm=task.arm,
        seed=task.seed,
        layer="" if parts.mapped is None else parts.mapped[0],
        evidence=evidence,
        filters=_mosaic(kernels) if len(kernels) else b"",
        n_filters=len(kernels),
        kernel=(kernels.shape[1], kernels.shape[2]),
        n_features=found.shape[1],
        explained=explained,
        points=points,
        labels=prepared.labels[shown],
        called=said,
    )


def _pixels(images: Images, indices: np.ndarray, on: device) -> Tensor:
    """The photos at these places, (n, 3, height, width) uint8."""
    import torch

    pixels: Tensor = torch.from_numpy(np.asarray(images[indices])).permute(0, 3, 1, 2).to(on)
    return pixels


def _evidence(
    classifier: Classifier,
    parts: Anatomy,
    prepared: PreparedData,
    images: Images,
    photos: Sequence[str],
    on: device,
) -> tuple[Evidence, ...]:
    """What speaks for the class that each of the photos is taken for."""
    if not photos:
        return ()
    import torch

    from commongarden.train import attribution

    place = {photo.path: i for i, photo in enumerate(prepared.manifest.photos)}
    chosen = np.array([place[path] for path in photos], dtype=np.int64)
    pixels = _pixels(images, chosen, on)
    with torch.inference_mode():
        probabilities = classifier(pixels).float().softmax(1).cpu()
    called = probabilities.argmax(1)
    maps = None
    if parts.mapped is not None:
        with suppress(Exception):  # others' code may not let a gradient come to this layer; the rest is shown
            maps = attribution.evidence(classifier, parts.mapped[1], pixels, called.to(on))
    return tuple(
        Evidence(
            path,
            int(prepared.labels[chosen[i]]),
            int(called[i]),
            float(probabilities[i].max()),
            heat.jpeg(np.asarray(images[chosen[i]])),
            b"" if maps is None else heat.jpeg(np.asarray(images[chosen[i]]), maps[i]),
        )
        for i, path in enumerate(photos)
    )


def _points(features: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Features (n, k) on their two principal axes, and the share of the variance on each."""
    from sklearn.decomposition import PCA

    if min(features.shape) < 2 or np.ptp(features, axis=0).max() <= 0:
        return np.zeros((len(features), 2), np.float32), (0.0, 0.0)
    axes = PCA(2, random_state=0)
    points = axes.fit_transform(features).astype(np.float32)
    return points, (float(axes.explained_variance_ratio_[0]), float(axes.explained_variance_ratio_[1]))


def _mosaic(kernels: np.ndarray) -> bytes:
    """Kernels (n, height, width, 3) in rows, transparent between them, as PNG."""
    n, height, width, _channels = kernels.shape
    scale, gap = max(1, round(36 / max(height, width))), 4
    columns = min(n, 8)
    rows = -(-n // columns)
    tall, wide = scale * height, scale * width
    canvas = np.zeros((rows * (tall + gap) - gap, columns * (wide + gap) - gap, 4), np.uint8)
    for i, kernel in enumerate(kernels):
        y, x = (i // columns) * (tall + gap), (i % columns) * (wide + gap)
        canvas[y : y + tall, x : x + wide, :3] = kernel.repeat(scale, 0).repeat(scale, 1)
        canvas[y : y + tall, x : x + wide, 3] = 255
    file = io.BytesIO()
    Image.fromarray(canvas).save(file, "PNG", optimize=True)
    return file.getvalue()
