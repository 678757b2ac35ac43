"""The features of a frozen backbone: computed once for all epochs, and for all runs with the same backbone. Only
workers import this module: it loads torch."""

from __future__ import annotations

import hashlib
import io
import time
from dataclasses import dataclass

import msgspec
import numpy as np
import torch

from commongarden.arch import hash as arch_hash
from commongarden.data import result_cache
from commongarden.runner.run_setup import EVALUATION_BATCH, RunBatches, RunSetup
from commongarden.train import state
from commongarden.train.classifier import Classifier
from commongarden.train.features import features
from commongarden.train.head import last_layer

LIBRARIES = ("torch", "torchvision", "timm")


@dataclass(frozen=True, eq=False)
class FrozenFeatures:
    """values: (n, d) float32, in the manifest's order. seconds: what computing them took."""

    values: np.ndarray
    seconds: float


def frozen_features(setup: RunSetup, classifier: Classifier, photos: RunBatches) -> FrozenFeatures | None:
    """The features of all photos by the backbone that a run of this setup begins with; from the cache, where another
    run with the same backbone kept them. None where the run needs the photos themselves: its backbone learns, its
    training images are augmented, or its last layer is not given one vector a photo.

    classifier: at the run's first weights, on its device.
    """
    recipe = setup.record.recipe
    if not recipe.freeze_backbone or recipe.augmentation.is_random:
        return None
    device = next(classifier.parameters()).device
    folder, key = setup.prepared.cache_folder, _key(setup, classifier, device)
    if (kept := result_cache.recall(folder, key)) is not None:
        return _read(kept)
    found, start = [], time.perf_counter()
    everything = photos.part(np.arange(len(setup.prepared.labels)), EVALUATION_BATCH)
    for batch in features(classifier, everything, device):
        if batch is None:
            return None
        found.append(batch.cpu().numpy())
    made = FrozenFeatures(np.concatenate(found), time.perf_counter() - start)
    result_cache.keep(folder, key, _written(made))
    return made


def _key(setup: RunSetup, classifier: Classifier, device: torch.device) -> str:
    record, recipe = setup.record, setup.record.recipe
    head = last_layer(classifier.body)
    own = {id(value) for value in ([] if head is None else head.state_dict(keep_vars=True).values())}
    weights = hashlib.sha256()
    for name, value in state.state_of(classifier).items():
        if isinstance(value, torch.Tensor) and id(value) not in own:
            weights.update(
                f"{name} {tuple(value.shape)}".encode() + value.detach().cpu().contiguous().numpy().tobytes()
            )
    how = (record.input, record.pixel_mean, record.pixel_std, recipe.framing, recipe.precision, recipe.layout,
           recipe.rewrites, recipe.threads)  # fmt: skip
    made_from = (
        setup.prepared.manifest.hash,
        arch_hash(setup.network),
        weights.hexdigest(),
        msgspec.json.encode(how).decode(),
    )
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    return result_cache.key("features", made_from, LIBRARIES, machine=f"{device.type} {name}")


def _written(found: FrozenFeatures) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, values=found.values, seconds=np.array(found.seconds))
    return buffer.getvalue()


def _read(data: bytes) -> FrozenFeatures:
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        return FrozenFeatures(found["values"], float(found["seconds"]))
