"""Batches of pixels and labels from the images in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from commongarden.data import device_images
from commongarden.data.augment import Draws
from commongarden.data.device_images import ChangedThere, DrawnEpoch
from commongarden.data.on_the_fly import Images, Originals, groups_of
from commongarden.data.random_transforms import Augmenter, random_crops
from commongarden.study.augmentation import Augment

CHUNK = 64  # photos looked at together for the statistics
NOTHING = Augmenter(Augment())


def shuffled(
    images: device_images.Held | Originals,
    labels: np.ndarray,
    indices: np.ndarray,
    batch_size: int,
    order: torch.Generator,
    augmentation: torch.Generator,
    augmenter: Augmenter = NOTHING,
    sampling: str = "shuffled",
) -> Iterator[tuple[Tensor, Tensor]]:
    """One pass over the photos at `indices` in the order that the generator `order` gives.

    sampling: "shuffled" for every photo once, "balanced" for as many drawn with replacement, each class equally likely,
    as torch's WeightedRandomSampler draws them.
    images: (n, height, width, 3) uint8, as a tensor where a device holds them (data/device_images.py), or the photos
    themselves, of which random crops are shown, or their features, (n, d) float32, which are not augmented; labels:
    (n,) int64, indices: (m,) places in both. Yields pixels, uint8 (b, 3, height, width), channels last in memory, and
    labels, int64 (b,), on the device that holds the images; mixed ones as `Augmenter` gives them. The last batch may
    be smaller; where a single photo would be left for it, that one is left out, because batch norm cannot normalize
    one photo.
    """
    batches = _in_random_order(labels, indices, batch_size, order, sampling)
    if isinstance(images, Originals):
        gathered = _cropped(images, labels, batches, augmenter.plan, augmentation)
    else:
        gathered = _gathered(images, labels, batches)
    for pixels, targets in gathered:
        yield augmenter(pixels, targets, augmentation)


def drawn_epoch(
    images: Tensor,
    labels: np.ndarray,
    indices: np.ndarray,
    batch_size: int,
    order: torch.Generator,
    augmentation: torch.Generator,
    augmenter: Augmenter = NOTHING,
    sampling: str = "shuffled",
) -> DrawnEpoch:
    """The same pass as `shuffled` over photos that a device holds, with every random number drawn ahead. The augmenter
    changes whole batches only (`Augmenter.is_by_batch`)."""
    batches = _in_random_order(labels, indices, batch_size, order, sampling)
    parts = [augmenter.draws(len(batch), images.shape[1:3], augmentation) for batch in batches]
    return DrawnEpoch(images, labels, np.concatenate(batches), Draws.joined(parts), batch_size)


def changed_there(
    images: np.ndarray,
    labels: np.ndarray,
    indices: np.ndarray,
    batch_size: int,
    order: torch.Generator,
    augmentation: torch.Generator,
    augmenter: Augmenter = NOTHING,
    sampling: str = "shuffled",
) -> ChangedThere:
    """The same pass as `shuffled` over photos of the host, which a device augments. The augmenter changes whole batches
    only (`Augmenter.is_by_batch`)."""
    batches = _in_random_order(labels, indices, batch_size, order, sampling)
    parts = [augmenter.draws(len(batch), images.shape[1:3], augmentation) for batch in batches]
    return ChangedThere(_gathered(images, labels, batches), Draws.joined(parts), batch_size)


def _in_random_order(
    labels: np.ndarray, indices: np.ndarray, batch_size: int, order: torch.Generator, sampling: str
) -> list[np.ndarray]:
    if sampling == "balanced":
        of_each = torch.as_tensor(_balanced_weights(labels[indices]), dtype=torch.double)
        permutation = torch.multinomial(of_each, len(indices), True, generator=order).numpy()
    else:
        permutation = torch.randperm(len(indices), generator=order).numpy()
    return [
        indices[permutation[batch * batch_size : (batch + 1) * batch_size]]
        for batch in range(n_batches(len(indices), batch_size))
    ]


@dataclass(frozen=True, eq=False)
class OwnDraws:
    """Batches whose random numbers all come from generators of their own, so that any thread may make them."""

    batches: Iterable[tuple[Tensor, Tensor]]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(self.batches)


def class_weights(labels: np.ndarray, n_classes: int) -> list[float]:
    """n_images / (n_classes * n_images_of_class) of each class, as scikit-learn's "balanced"; 0 of a class without
    images, whose loss is never computed."""
    counts = np.bincount(labels, minlength=n_classes)
    return [float(len(labels) / ((counts > 0).sum() * count)) if count else 0.0 for count in counts]


def _balanced_weights(labels: np.ndarray) -> np.ndarray:
    each: np.ndarray = 1.0 / np.bincount(labels)[labels]
    return each


def in_order(
    images: device_images.Held, labels: np.ndarray, indices: np.ndarray, batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Every photo at `indices` once, in their order, nothing changed; shapes as in `shuffled`."""
    batches = [indices[start : start + batch_size] for start in range(0, len(indices), batch_size)]
    return _gathered(images, labels, batches)


def n_batches(n: int, batch_size: int) -> int:
    """How many batches `shuffled` gives for n photos."""
    full, rest = divmod(n, batch_size)
    lonely = rest == 1 and full > 0
    return full + (rest > 0 and not lonely)


def channel_statistics(
    images: Images, indices: np.ndarray
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and standard deviation of red, green and blue over the photos at `indices`, in 0..255.

    From exact integer sums, so the same in any order and on any machine. A channel that never changes has
    standard deviation 1, since pixels are divided by it.
    """
    counts = np.zeros((3, 256), dtype=np.int64)  # how often each channel has each value
    chunks = [np.sort(indices[start : start + CHUNK]) for start in range(0, len(indices), CHUNK)]
    for pixels in groups_of(images, chunks):
        for channel in range(3):
            counts[channel] += np.bincount(pixels[..., channel].ravel(), minlength=256)
    red, green, blue = (_mean_and_std(channel) for channel in counts.tolist())
    return (red[0], green[0], blue[0]), (red[1], green[1], blue[1])


def _mean_and_std(counts: list[int]) -> tuple[float, float]:
    n = sum(counts)
    total = sum(value * count for value, count in enumerate(counts))
    squares = sum(value * value * count for value, count in enumerate(counts))
    return total / n, math.sqrt((n * squares - total * total) / (n * n)) or 1.0


def _cropped(
    originals: Originals,
    labels: np.ndarray,
    batches: Sequence[np.ndarray],
    plan: Augment,
    augmentation: torch.Generator,
) -> Iterator[tuple[Tensor, Tensor]]:
    for chosen, pictures in zip(batches, originals.ahead(batches), strict=True):
        pixels = random_crops(pictures, originals.size, plan, originals.interpolation, augmentation)
        yield torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.from_numpy(np.asarray(labels[chosen]))


def _gathered(
    images: device_images.Held, labels: np.ndarray, batches: Sequence[np.ndarray]
) -> Iterator[tuple[Tensor, Tensor]]:
    if isinstance(images, Tensor):
        yield from device_images.gathered(images, labels, batches)
        return
    for chosen, pixels in zip(batches, groups_of(images, batches), strict=True):  # (b, height, width, 3), a copy
        found = torch.from_numpy(pixels)
        yield found.permute(0, 3, 1, 2) if found.dim() == 4 else found, torch.from_numpy(np.asarray(labels[chosen]))
