"""What a recipe changes in the training images at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Augmentation = Literal["flip", "crop", "random-resized-crop", "colour", "trivial-augment", "rand-augment"]


@dataclass(frozen=True)
class Augment:
    """The augmentation of a recipe; the fields mean what the recipe's of the same name do."""

    kinds: tuple[Augmentation, ...] = ()
    crop_scale: float = 0.08
    colour_strength: float = 0.2
    rand_augment_magnitude: int = 9
    random_erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    @property
    def is_random(self) -> bool:
        """Whether an image differs from one epoch to the next."""
        return bool(self.kinds or self.random_erasing or self.is_mixed)

    @property
    def is_mixed(self) -> bool:
        """Whether images are mixed, so that labels are shares of the classes."""
        return bool(self.mixup or self.cutmix)
