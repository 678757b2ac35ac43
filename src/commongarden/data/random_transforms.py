"""Augmentation by the transforms of torchvision, with every random number from one generator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from commongarden.data.augment import KINDS, Draws, augment, draws
from commongarden.study.augmentation import Augment
from commongarden.study.framing import Interpolation

Transform = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Augmenter:
    """The augmentation of one training.

    plan: what is done. n_classes: of the labels. fill: the colour of erased parts, in 0..255.
    """

    plan: Augment
    n_classes: int = 0
    fill: tuple[float, ...] = (0.0, 0.0, 0.0)

    def __call__(self, batch: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A batch changed at random: flip, crop and colour (augment.py), then the policies and erasing image by image,
        then mixing.

        Args:
            batch: uint8 (n, 3, height, width).
            labels: int64 (n,).
            generator: of every random number.

        Returns:
            The batch and its labels; mixed ones are float32 (n, 3, height, width) in 0..255 and (n, n_classes).
        """
        plan = self.plan
        batch = augment(batch, self._by_batch, generator, plan.colour_strength)
        by_image = self._by_image() if self._changes_images else []
        mixing = self._mixing() if plan.is_mixed else None
        if by_image:
            with drawing_from(generator):
                for transform in by_image:
                    batch = torch.stack([transform(image) for image in batch])
            batch = batch.contiguous(memory_format=torch.channels_last)
        if mixing is not None and len(batch) > 1:
            with drawing_from(generator):
                batch, labels = mixing(batch.float(), labels)
        return batch, labels

    @property
    def is_by_batch(self) -> bool:
        """Whether all that is done is done to whole batches (augment.py), with numbers that can be drawn ahead."""
        return not (self._changes_images or self.plan.is_mixed or set(self.plan.kinds) - set(KINDS))

    def draws(self, n: int, shape: Sequence[int], generator: torch.Generator) -> Draws:
        """The numbers of a batch of n photos, drawn ahead."""
        return draws(n, shape, self._by_batch, generator, self.plan.colour_strength)

    @property
    def _by_batch(self) -> list[str]:
        return [kind for kind in self.plan.kinds if kind in KINDS]

    @property
    def _changes_images(self) -> bool:
        return bool(self.plan.random_erasing or {"trivial-augment", "rand-augment"} & set(self.plan.kinds))

    def _by_image(self) -> list[Transform]:
        v2 = _torchvision()
        found: list[Transform] = []
        if "trivial-augment" in self.plan.kinds:
            found.append(v2.TrivialAugmentWide(interpolation=v2.InterpolationMode.BILINEAR))
        if "rand-augment" in self.plan.kinds:
            magnitude = self.plan.rand_augment_magnitude
            found.append(v2.RandAugment(magnitude=magnitude, interpolation=v2.InterpolationMode.BILINEAR))
        if self.plan.random_erasing:
            found.append(v2.RandomErasing(self.plan.random_erasing, value=[round(value) for value in self.fill]))
        return found

    def _mixing(self) -> Transform | None:
        v2 = _torchvision()
        plan, n = self.plan, self.n_classes
        found: list[Transform] = []
        if plan.mixup:
            found.append(v2.MixUp(alpha=plan.mixup, num_classes=n))
        if plan.cutmix:
            found.append(v2.CutMix(alpha=plan.cutmix, num_classes=n))
        if len(found) < 2:
            return found[0] if found else None
        either: Transform = v2.RandomChoice(found)
        return either


def random_crops(
    pictures: Sequence[Image.Image], size: int, plan: Augment, interpolation: Interpolation, generator: torch.Generator
) -> np.ndarray:
    """torchvision's RandomResizedCrop of each picture, whatever its size: (n, size, size, 3) uint8."""
    v2 = _torchvision()
    kind = v2.InterpolationMode[interpolation.upper()]
    crop = v2.RandomResizedCrop(size, scale=(plan.crop_scale, 1.0), interpolation=kind)
    with drawing_from(generator):
        return np.stack([np.asarray(crop(picture)) for picture in pictures])


def _torchvision() -> Any:
    """torchvision's transforms, which take a second to import."""
    from torchvision.transforms import v2  # type: ignore[import-untyped]

    return v2


@contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Within it, torch's own generator on the CPU goes on from a number drawn from this one. It is put back at the
    end."""
    number = int(torch.randint(2**62, (1,), generator=generator))
    before = torch.default_generator.get_state()
    torch.default_generator.manual_seed(number)
    try:
        yield
    finally:
        torch.default_generator.set_state(before)
