"""Photos held by the device that trains, so that batches are gathered and augmented there and none is moved to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from commongarden.data.on_the_fly import Images, OnTheFlyImages

SHARE = 0.25  # of the memory that a device has free; the rest is for what trains
CHUNK = 1024  # photos moved at a time
Held = Images | Tensor


def resident(images: Images, device: torch.device) -> Held:
    """All photos as one tensor of the device, (n, height, width, 3) uint8; or `images`, where they are not decoded, or
    are too many for a CUDA device, or the device has the machine's own memory."""
    if isinstance(images, OnTheFlyImages) or device.type != "cuda":
        return images
    free, _all = torch.cuda.mem_get_info(device)
    return on_device(images, device) if images.nbytes <= SHARE * free else images


def on_device(images: np.ndarray, device: torch.device) -> Tensor:
    """A copy there, made a part at a time."""
    made = torch.empty(images.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(images), CHUNK):
        made[start : start + CHUNK] = torch.from_numpy(np.array(images[start : start + CHUNK]))
    return made


def gathered(images: Tensor, labels: np.ndarray, batches: Sequence[np.ndarray]) -> Iterator[tuple[Tensor, Tensor]]:
    """The photos (b, 3, height, width), channels last in memory, and labels (b,) of each batch of places, there. What
    goes to the device is the places and the labels, once."""
    together = np.concatenate([np.asarray(batch, np.int64) for batch in batches]) if batches else np.empty(0, np.int64)
    places = torch.from_numpy(together).to(images.device)
    answers = torch.from_numpy(np.asarray(labels)[together]).to(images.device)
    sizes = [len(batch) for batch in batches]
    for chosen, targets in zip(torch.split(places, sizes), torch.split(answers, sizes), strict=True):
        yield images[chosen].permute(0, 3, 1, 2), targets
