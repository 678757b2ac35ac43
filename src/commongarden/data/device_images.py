"""Photos held by the device that trains, so that batches are gathered and augmented there and none is moved to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor

from commongarden.data.augment import Draws, changed
from commongarden.data.on_the_fly import Images, OnTheFlyImages

SHARE = 0.25  # of the memory that a device has free; the rest is for what trains
CHUNK = 1024  # photos moved at a time
Held = Images | Tensor
Upload = Callable[[Tensor, Tensor], None]
_HELD: WeakValueDictionary[tuple[str, tuple[int, ...], str], Tensor] = WeakValueDictionary()


def resident(images: Images, device: torch.device) -> Held:
    """All photos as one tensor of the device, (n, height, width, 3) uint8, once for all runs of this process that need
    them; or `images`, where they are not decoded, or are too many for a CUDA device, or the device has the machine's
    own memory."""
    if isinstance(images, OnTheFlyImages) or device.type != "cuda":
        return images
    file = getattr(images, "filename", None)  # of the cache, which maps it
    key = str(file), images.shape, str(device)
    if file is not None and (held := _HELD.get(key)) is not None:
        return held
    free, _all = torch.cuda.mem_get_info(device)
    if images.nbytes > SHARE * free:
        return images
    made = on_device(images, device)
    if file is not None:
        _HELD[key] = made
    return made


def on_device(images: np.ndarray, device: torch.device) -> Tensor:
    """A copy there, made a part at a time."""
    made = torch.empty(images.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(images), CHUNK):
        made[start : start + CHUNK] = torch.from_numpy(np.array(images[start : start + CHUNK]))
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()  # other streams will read it
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


@dataclass(frozen=True, eq=False)
class DrawnEpoch:
    """One pass over photos that a device holds, with all that is random in it drawn ahead, so that the device makes
    each batch by itself. Iterated over, it gives the batches, there.

    images: (n, height, width, 3) uint8, on the device. labels: of all photos. places: the photos of the pass in its
    order. draws: the numbers of their augmentation, on the CPU. batch_size: of all batches but the last one.
    """

    images: Tensor
    labels: np.ndarray
    places: np.ndarray
    draws: Draws
    batch_size: int

    def __len__(self) -> int:
        return -(-len(self.places) // self.batch_size)

    def size_of(self, step: int) -> int:
        """How many photos the batch of a step (from 1) has."""
        return min(self.batch_size, len(self.places) - (step - 1) * self.batch_size)

    def feed(self, upload: Upload) -> DrawnFeed:
        """What gives a run its batches in this epoch and those behind it. upload: copies values into a tensor there."""
        return DrawnFeed(self, upload)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        device = self.images.device
        places = torch.from_numpy(self.places).to(device)
        labels, drawn = torch.from_numpy(np.asarray(self.labels)).to(device), self.draws.on(device)
        for positions in torch.split(torch.arange(len(places), device=device), self.batch_size):
            yield batch_at(self.images, labels, places, drawn, positions)


def batch_at(images: Tensor, labels: Tensor, places: Tensor, drawn: Draws, positions: Tensor) -> tuple[Tensor, Tensor]:
    """The photos at some positions of a pass, augmented, and their labels; all on one device, without a wait."""
    chosen = places.index_select(0, positions)
    pixels = images.index_select(0, chosen).permute(0, 3, 1, 2)
    return changed(pixels, drawn.at(positions)), labels.index_select(0, chosen)


class DrawnFeed:
    """The batches of a run that its device gathers and augments by itself, at the places and with the numbers of an
    epoch (train/device/feeding.py)."""

    def __init__(self, first: DrawnEpoch, upload: Upload) -> None:
        device = first.images.device
        self._upload, self._images, self._size = upload, first.images, first.batch_size
        self._labels = torch.from_numpy(np.asarray(first.labels)).to(device)
        self._places = torch.empty(len(first.places), dtype=torch.int64, device=device)
        self._draws = first.draws.copied(device)
        self._within = torch.arange(first.batch_size, device=device)
        self._epoch, self._step = first, 0

    def begin(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        assert isinstance(batches, DrawnEpoch), "a run's epochs come in one way"
        self._epoch, self._step = batches, 0
        self._upload(torch.from_numpy(np.asarray(batches.places, np.int64)), self._places)
        for own, new in zip(_tensors(self._draws), _tensors(batches.draws), strict=True):
            self._upload(new, own)

    def is_ready(self) -> bool:
        return True

    def next(self) -> int:
        self._step += 1
        return self._epoch.size_of(self._step) if self._step <= len(self._epoch) else 0

    def batch(self, at: Tensor, size: int) -> tuple[Tensor, Tensor]:
        positions = at * self._size + self._within[:size]
        return batch_at(self._images, self._labels, self._places, self._draws, positions)


@dataclass(frozen=True, eq=False)
class ChangedThere:
    """One pass over photos that a device has no room for: any thread gathers them on the host, and the device augments
    each batch, with numbers drawn ahead. Iterated over, it gives the batches, augmented on the host.

    batches: photos as they are, and labels. draws: of the whole pass, on the CPU. batch_size: of all batches but the
    last one.
    """

    batches: Iterable[tuple[Tensor, Tensor]]
    draws: Draws
    batch_size: int

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        done = 0
        for pixels, labels in self.batches:
            yield changed(pixels, self.draws.at(torch.arange(done, done + len(labels)))), labels
            done += len(labels)

    def changes(self, device: torch.device) -> Changes:
        """What augments the batches of this pass and those behind it, there."""
        return Changes(self, device)


class Changes:
    """The augmentation of a run's batches on its device (train/device/feeding.py)."""

    def __init__(self, first: ChangedThere, device: torch.device) -> None:
        self._draws, self._size = first.draws.copied(device), first.batch_size
        self._within = torch.arange(first.batch_size, device=device)

    def begin(self, epoch: ChangedThere, upload: Upload) -> None:
        """Takes the numbers of another pass there."""
        for own, new in zip(_tensors(self._draws), _tensors(epoch.draws), strict=True):
            upload(new, own)

    def changed(self, pixels: Tensor, at: Tensor) -> Tensor:
        """The batch of the step that `at` holds, from 0, augmented without a wait."""
        return changed(pixels, self._draws.at(at * self._size + self._within[: len(pixels)]))


def _tensors(draws: Draws) -> list[Tensor]:
    found = (draws.flip, draws.rows, draws.columns, draws.colour)
    return [numbers for numbers in found if numbers is not None]
