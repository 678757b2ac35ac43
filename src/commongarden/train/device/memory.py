"""A device's memory: want of it, and what would fit."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable

import torch

from commongarden.train import torch_private

LEAST_BATCH = 1


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device had no room for what was asked of it."""
    return isinstance(error, torch_private.OutOfMemoryError)


def release(error: BaseException | None = None) -> None:
    """Gives back what no run holds any more. error: whose frames may hold some of it."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # which does nothing where CUDA is not used yet


def largest_batch(size: int, fits: Callable[[int], None]) -> int | None:
    """The largest batch below this size for which `fits` finds room, by halving; None if there is none."""
    while (size := size // 2) >= LEAST_BATCH:
        try:
            fits(size)
        except Exception as error:
            if not is_out_of_memory(error):
                return None
            release(error)
        else:
            return size
    return None
