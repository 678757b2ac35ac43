"""Augmentation by the batch, on pixels, with every random number from one generator.

The numbers are drawn on the CPU, where they are the same with every device; the pixels stay where they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from commongarden.errors import DataError, unknown

KINDS = ("flip", "crop", "colour")
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601: how bright red, green and blue look


def augment(batch: Tensor, kinds: Sequence[str], generator: torch.Generator, colour_strength: float = 0.2) -> Tensor:
    """Photos changed at random, each in its own way; batch: uint8 (n, 3, height, width), and so is the result.

    flip: left to right, every second photo on average. crop: the photo is padded by an eighth of its height and
    width with its own mirror image, and a window of the old size is cut out. colour: brightness, contrast and
    saturation, each times a factor from 1 - colour_strength to 1 + colour_strength. They are applied in this order,
    whatever the order of `kinds`.

    Raises DataError for another kind.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise DataError(unknown("augmentation", kind, KINDS))
    for kind, change in (("flip", _flip), ("crop", _crop)):
        if kind in kinds:
            batch = change(batch, generator)
    return _colour(batch, generator, colour_strength) if "colour" in kinds else batch


def _flip(batch: Tensor, generator: torch.Generator) -> Tensor:
    chosen = (torch.rand(len(batch), generator=generator) < 0.5).to(batch.device)
    return torch.where(chosen[:, None, None, None], batch.flip(3), batch)


def _crop(batch: Tensor, generator: torch.Generator) -> Tensor:
    n, _, height, width = batch.shape
    rows = _window(n, height, generator).to(batch.device)
    columns = _window(n, width, generator).to(batch.device)
    photos = torch.arange(n, device=batch.device)
    cut = batch.permute(0, 2, 3, 1)[photos[:, None, None], rows[:, :, None], columns[:, None, :]]  # (n, h, w, 3)
    return cut.permute(0, 3, 1, 2)


def _window(n: int, size: int, generator: torch.Generator) -> Tensor:
    """For each of n photos the places along one side that a window sees, (n, size): mirrored where it leaves it."""
    pad = size // 8
    starts = torch.randint(-pad, pad + 1, (n, 1), generator=generator)
    places = (starts + torch.arange(size)).abs()
    return (size - 1) - ((size - 1) - places).abs()


def _colour(batch: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    factors = (1 - strength) + 2 * strength * torch.rand(3, len(batch), 1, 1, 1, generator=generator)
    brightness, contrast, saturation = factors.to(batch.device)
    pixels = (batch.float() * brightness).clamp_(0, 255)
    mean = _grey(pixels).mean((1, 2, 3), keepdim=True)
    pixels = (mean + (pixels - mean) * contrast).clamp_(0, 255)
    grey = _grey(pixels)
    pixels = grey + (pixels - grey) * saturation
    rounded: Tensor = pixels.round_().clamp_(0, 255).to(torch.uint8)
    return rounded


def _grey(pixels: Tensor) -> Tensor:
    red, green, blue = LUMA
    return red * pixels[:, 0:1] + green * pixels[:, 1:2] + blue * pixels[:, 2:3]  # (n, 1, height, width)
