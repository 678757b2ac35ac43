"""Augmentation by the batch, on pixels, with every random number from one generator.

The numbers are drawn on the CPU, where they are the same with every device; the pixels stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

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
    drawn = draws(len(batch), batch.shape[2:], kinds, generator, colour_strength)
    return changed(batch, drawn.on(batch.device))


@dataclass(frozen=True, eq=False)
class Draws:
    """The random numbers of n photos; None for what is not done.

    flip: bool (n,). rows, columns: int64 (n, 1), by how much the window is moved. colour: float32 (3, n, 1, 1, 1),
    factors of brightness, contrast and saturation.
    """

    flip: Tensor | None = None
    rows: Tensor | None = None
    columns: Tensor | None = None
    colour: Tensor | None = None

    def on(self, device: torch.device) -> Draws:
        """The same numbers on a device."""
        if device.type == "cpu":
            return self
        return self._each(lambda numbers, _axis: numbers.to(device))

    def copied(self, device: torch.device) -> Draws:
        """The same numbers in memory of their own on a device."""
        return self._each(lambda numbers, _axis: numbers.to(device, copy=True))

    def at(self, places: Tensor) -> Draws:
        """The numbers of some of the photos, on their device."""
        return self._each(lambda numbers, axis: numbers.index_select(axis, places))

    def _each(self, change: Callable[[Tensor, int], Tensor]) -> Draws:
        made = {
            field.name: None
            if (held := getattr(self, field.name)) is None
            else change(held, int(field.name == "colour"))
            for field in fields(self)
        }
        return Draws(**made)

    @staticmethod
    def joined(parts: Sequence[Draws]) -> Draws:
        """Those of several batches, one after another."""
        first = parts[0]
        made = {
            field.name: torch.cat([getattr(part, field.name) for part in parts], int(field.name == "colour"))
            for field in fields(first)
            if getattr(first, field.name) is not None
        }
        return Draws(**made)


def draws(
    n: int, shape: Sequence[int], kinds: Sequence[str], generator: torch.Generator, colour_strength: float = 0.2
) -> Draws:
    """The numbers of `augment` for a batch of n photos of this height and width, on the CPU.

    Raises DataError for another kind.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise DataError(unknown("augmentation", kind, KINDS))
    flip = torch.rand(n, generator=generator) < 0.5 if "flip" in kinds else None
    rows = columns = colour = None
    if "crop" in kinds:
        rows, columns = (_moves(n, side, generator) for side in shape)
    if "colour" in kinds:
        colour = (1 - colour_strength) + 2 * colour_strength * torch.rand(3, n, 1, 1, 1, generator=generator)
    return Draws(flip, rows, columns, colour)


def changed(batch: Tensor, drawn: Draws) -> Tensor:
    """Photos changed by numbers on their device; no number is drawn and nothing is waited for."""
    if drawn.flip is not None:
        batch = torch.where(drawn.flip[:, None, None, None], batch.flip(3), batch)
    if drawn.rows is not None and drawn.columns is not None:
        batch = _cropped(batch, drawn.rows, drawn.columns)
    return batch if drawn.colour is None else _coloured(batch, drawn.colour)


def _moves(n: int, size: int, generator: torch.Generator) -> Tensor:
    pad = size // 8
    return torch.randint(-pad, pad + 1, (n, 1), generator=generator)


def _cropped(batch: Tensor, down: Tensor, right: Tensor) -> Tensor:
    n, _, height, width = batch.shape
    rows, columns = _window(down, height), _window(right, width)
    photos = torch.arange(n, device=batch.device)
    cut = batch.permute(0, 2, 3, 1)[photos[:, None, None], rows[:, :, None], columns[:, None, :]]  # (n, h, w, 3)
    return cut.permute(0, 3, 1, 2)


def _window(moves: Tensor, size: int) -> Tensor:
    """For each of n photos the places along one side that a window sees, (n, size): mirrored where it leaves it."""
    places = (moves + torch.arange(size, device=moves.device)).abs()
    return (size - 1) - ((size - 1) - places).abs()


def _coloured(batch: Tensor, factors: Tensor) -> Tensor:
    brightness, contrast, saturation = factors
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
