"""The frozen features of one model, and what it costs: what is called in the process that works on models."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import torch

from commongarden import arch
from commongarden.data import batches, cache, device_images
from commongarden.data.on_the_fly import Images, OnTheFlyImages
from commongarden.errors import ArchError, CommonGardenError
from commongarden.i18n.language import _
from commongarden.records import Manifest
from commongarden.runner.initial_network import first_weights, own_pixels
from commongarden.runner.isolated import Progress
from commongarden.runner.measuring import described
from commongarden.study.arm import Arm
from commongarden.study.origin import Origin
from commongarden.study.recipe import Recipe
from commongarden.train import measure, streams
from commongarden.train.classifier import Classifier
from commongarden.train.features import pooled_features

IMAGES_AT_A_TIME = 32  # images at a time, and those of the forward pass whose memory is measured
TIMED = 10  # single images whose median time is told
SEED = 0  # of weights that are drawn


@dataclass(frozen=True)
class Task:
    """One model's features to compute. arm: measured, where it is by others. photos: those to compute them of.

    is_cached: whether their decoded images have room in the cache. n_threads: of torch, to compute features with.
    """

    arm: Arm
    recipe: Recipe
    photos: Manifest
    cache_folder: Path
    is_cached: bool
    device: str
    n_threads: int


@dataclass(frozen=True)
class Cost:
    """What a model costs, as in records.screening.Screened."""

    n_params: int
    macs: int | None
    ms: float
    memory_bytes: int | None
    images_per_second: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Extracted:
    """values: float32 (n, width), in the order of the photos."""

    values: np.ndarray
    cost: Cost

    def packed(self) -> bytes:
        """As bytes: the cost as a line of JSON, and the features as NumPy stores them."""
        stream = io.BytesIO()
        np.save(stream, self.values, allow_pickle=False)
        return json.dumps(asdict(self.cost)).encode() + b"\n" + stream.getvalue()


def unpacked(data: bytes) -> Extracted:
    """What `packed` made bytes of."""
    cost, _line, values = data.partition(b"\n")
    return Extracted(np.load(io.BytesIO(values), allow_pickle=False), Cost(**json.loads(cost)))


def sizes(arms: Mapping[str, Arm], n_classes: int, say: Progress) -> dict[str, int]:
    """The number of parameters of each network by others, without its weights; none where it cannot be made, which its
    turn will tell."""
    found = {}
    for name, arm in arms.items():
        say(name)
        try:
            found[name] = described(arm, partial(measure.n_params, arm, n_classes))
        except CommonGardenError:
            continue
    return found


def measured(arm: Arm, n_classes: int, input: tuple[int, int, int], say: Progress) -> Origin:
    """As runner.measuring.measure, in this process."""
    say("measuring")
    return described(arm, partial(measure.network_by_others, arm, n_classes, input))


def extract(task: Task, say: Progress) -> bytes:
    """The features and the cost of a model, packed. Raises ArchError."""
    say("forward")
    return described(task.arm, lambda: _extracted(task).packed())


def _extracted(task: Task) -> Extracted:
    measure.settle(task.recipe.threads, task.recipe.precision)
    device, images = torch.device(task.device), _images(task)
    size = task.recipe.resolution
    classifier = _classifier(task, images).to(device)
    places, labels = np.arange(len(task.photos.photos)), np.zeros(len(task.photos.photos), np.int64)
    memory = _memory(classifier, size, device)
    ms = measure.inference_ms(classifier, (size, size, 3), device, TIMED)
    torch.set_num_threads(task.n_threads)
    streams.seed_all(streams.seed(SEED, SEED, "evaluation"), classifier)  # for networks that draw in evaluation too
    start = time.perf_counter()
    held = device_images.resident(images, device)
    values, _labels = pooled_features(classifier, batches.in_order(held, labels, places, IMAGES_AT_A_TIME), device)
    seconds = time.perf_counter() - start
    if not bool(torch.isfinite(values).all()):
        text = _("{arch}: its features are not finite numbers (NaN or infinity)")
        raise ArchError(text.format(arch=task.arm.arch))
    n_params, macs = _counted(task)
    cost = Cost(n_params, macs, ms, memory, len(places) / seconds, seconds)
    return Extracted(values.numpy(), cost)


def _images(task: Task) -> Images:
    recipe = task.recipe
    if not task.is_cached:
        size = recipe.resolution
        return OnTheFlyImages(task.photos, size, size, task.n_threads, recipe.framing)
    return cache.images(task.photos, recipe.resolution, recipe.resolution, task.cache_folder, framing=recipe.framing)


def _network(task: Task) -> arch.Serial:
    return task.arm.network(len(task.photos.classes))


def _classifier(task: Task, images: Images) -> Classifier:
    """With the weights that the arm asks for, or drawn ones, and with the normalization of a library's network; other
    networks are given pixels as the recipe says."""
    size, network, kept = task.recipe.resolution, _network(task), task.arm.origin
    has_own = kept is not None and len(kept.mean) == 3 and "pixels" not in task.arm.overrides
    if task.recipe.pixels == "own" or has_own:
        mean, std = own_pixels(network)
    elif task.recipe.pixels == "raw":
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    else:
        mean, std = batches.channel_statistics(images, np.arange(len(task.photos.photos)))
    return first_weights(task.arm, network, (size, size, 3), task.recipe, mean, std, SEED, SEED)


def _counted(task: Task) -> tuple[int, int | None]:
    """Parameters and multiply-adds."""
    size = task.recipe.resolution
    cost = arch.cost(_network(task), (size, size, 3))
    return cost.n_params, None if cost.macs == arch.UNKNOWN else cost.macs


def _memory(classifier: Classifier, size: int, device: torch.device) -> int | None:
    """Bytes that a forward pass with so many images takes, parameters included; None where this system does not
    tell."""
    images = torch.zeros(IMAGES_AT_A_TIME, 3, size, size, dtype=torch.uint8, device=device)
    classifier.eval()
    peak = measure.PeakMemory(device)
    before = int(psutil.Process().memory_info().rss)
    with torch.inference_mode():
        classifier(images)
    most = peak.look()
    if device.type == "cuda":
        return most
    if not peak.kernel or device.type != "cpu":
        return None
    held: list[torch.Tensor] = [*classifier.parameters(), *classifier.buffers()]
    return max(most - before, 0) + sum(each.numel() * each.element_size() for each in held)
