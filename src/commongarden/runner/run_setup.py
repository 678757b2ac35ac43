"""What every piece of work on a run begins with: its process, its data, its network at its first weights, its batches.
Training, pilot and audit share it. Only workers import this module: it loads torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from commongarden.arch import Node, read
from commongarden.data import batches
from commongarden.data.device_images import Held, resident
from commongarden.data.on_the_fly import Images, Originals
from commongarden.data.random_transforms import Augmenter
from commongarden.records import Run
from commongarden.runner.initial_network import first_weights, own_pixels
from commongarden.runner.plan import RunPlan
from commongarden.runner.prepared_data import PreparedData
from commongarden.study.recipe import Recipe
from commongarden.train import loop, measure, streams
from commongarden.train.accumulation import n_updates
from commongarden.train.classifier import Classifier
from commongarden.train.device.evaluation import batch_size as largest_batch
from commongarden.train.device.lanes import Lane
from commongarden.train.train_state import TrainState

EVALUATION_BATCH = 32  # of 10 to 256 photos the quickest on a processor, whose caches larger ones overflow


@dataclass(frozen=True, eq=False)
class RunSetup:
    """plan: of the run, with the statistics of its pixels in its record. prepared: the data of its seed. images: all
    photos at its size, (n, height, width, 3) uint8."""

    plan: RunPlan
    prepared: PreparedData
    network: Node
    images: Images

    @property
    def record(self) -> Run:
        """What is known of the run so far."""
        return self.plan.record

    @property
    def steps_per_epoch(self) -> int:
        """How many steps an epoch of training has."""
        return batches.n_batches(len(self.prepared.train), self.record.recipe.batch_size)

    @property
    def updates_per_epoch(self) -> int:
        """How many steps the optimizer makes in an epoch."""
        return n_updates(self.record.recipe, self.steps_per_epoch)

    def classifier(self, recipe: Recipe | None = None) -> Classifier:
        """The network at its first weights. recipe: [the run's]. Raises ArchError."""
        record, plan = self.record, self.plan
        return first_weights(
            plan.arm,
            self.network,
            record.input,
            recipe or record.recipe,
            record.pixel_mean,
            record.pixel_std,
            plan.study_seed,
            plan.init_seed,
        )

    def train_state(self, device: torch.device, recipe: Recipe | None = None, lane: Lane | None = None) -> TrainState:
        """The network at its first weights on a device, with its optimizer. recipe: [the run's]. lane: in which it is
        trained there. Raises ArchError."""
        recipe = recipe or self.record.recipe
        weights = None
        if recipe.class_weight == "balanced":
            weights = batches.class_weights(
                self.prepared.labels[self.prepared.train], len(self.prepared.manifest.classes)
            )
        return loop.new_train_state(self.classifier(recipe), recipe, device, weights, lane)

    def batches(self, device: torch.device) -> RunBatches:
        """The run's batches. The photos are held by the device, if it has room for them."""
        return RunBatches(resident(self.images, device), self.plan, self.prepared, device.type == "cuda")


@dataclass(frozen=True, eq=False)
class RunBatches:
    """The batches of one run, as the training loop takes them. changed_there: whether its device augments photos that
    it does not hold."""

    images: Held
    plan: RunPlan
    prepared: PreparedData
    changed_there: bool = False

    def train(self, epoch: int) -> Iterable[loop.Batch]:
        """The training set in the epoch's order, augmented. Augmentation and dropout go with the order: they are chance
        on the way."""
        plan, recipe = self.plan, self.plan.record.recipe
        order, augmentation = (
            streams.generator(plan.study_seed, plan.order_seed, "order", epoch),
            streams.generator(plan.study_seed, plan.order_seed, "augmentation", epoch),
        )
        record, n_classes = self.plan.record, len(self.prepared.manifest.classes)
        augmenter = Augmenter(recipe.augmentation, n_classes, record.pixel_mean)
        if self._is_on_device and augmenter.is_by_batch:
            assert isinstance(self.images, Tensor)
            return batches.drawn_epoch(
                self.images,
                self.prepared.labels,
                self.prepared.train,
                recipe.batch_size,
                order,
                augmentation,
                augmenter,
                recipe.sampling,
            )
        images: Held | Originals = self.images
        decoded = self._to_be_changed_there()
        if decoded is not None and augmenter.is_by_batch:
            return batches.changed_there(
                decoded,
                self.prepared.labels,
                self.prepared.train,
                recipe.batch_size,
                order,
                augmentation,
                augmenter,
                recipe.sampling,
            )
        if "random-resized-crop" in recipe.augment:
            n_threads = self.prepared.n_decoding
            images = Originals(self.prepared.manifest, recipe.resolution, recipe.interpolation, n_threads)
        made = batches.shuffled(
            images,
            self.prepared.labels,
            self.prepared.train,
            recipe.batch_size,
            order,
            augmentation,
            augmenter,
            recipe.sampling,
        )
        return batches.OwnDraws(made) if augmenter.is_by_batch else made

    def part(self, indices: np.ndarray, batch_size: int | None = None) -> Iterable[loop.Batch]:
        """The photos at these places once, in their order, unchanged."""
        if batch_size is None:
            resolution = self.plan.record.recipe.resolution
            batch_size = EVALUATION_BATCH if not self._is_on_device else largest_batch(resolution, EVALUATION_BATCH)
        return batches.in_order(self.images, self.prepared.labels, indices, batch_size)

    def _to_be_changed_there(self) -> np.ndarray | None:
        """The decoded photos, which the device augments though it does not hold them; None for others, and features."""
        images, kinds = self.images, self.plan.record.recipe.augment
        is_decoded = isinstance(images, np.ndarray) and images.ndim == 4 and "random-resized-crop" not in kinds
        return images if self.changed_there and is_decoded and isinstance(images, np.ndarray) else None

    @property
    def _is_on_device(self) -> bool:
        """Whether a device holds the photos (a device may also hold their features)."""
        return isinstance(self.images, Tensor) and self.images.dim() == 4


def set_up(prepared: PreparedData, plan: RunPlan) -> RunSetup:
    """Makes this process's numbers repeat as the run's recipe asks, and opens its data. Raises CommonGardenError."""
    record = plan.record
    recipe, network, prepared = record.recipe, read(record.arch), prepared.of(plan.job.seed)
    measure.settle(recipe.threads, recipe.precision)
    images = prepared.images(recipe.resolution, recipe.framing)
    if recipe.pixels == "standardized":
        mean, std = batches.channel_statistics(images, prepared.train)
        record = replace(record, pixel_mean=mean, pixel_std=std)
    elif recipe.pixels == "own":
        mean, std = own_pixels(network)
        record = replace(record, pixel_mean=mean, pixel_std=std)
    return RunSetup(replace(plan, record=record), prepared, network, images)
