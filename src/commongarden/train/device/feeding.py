"""How batches reach a step on a device: made there from photos that it holds, or copied there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from commongarden.train.device.lanes import Lane

Batch = tuple[Tensor, Tensor]


class Feed(Protocol):
    """The batches of a run. `begin` takes an epoch's; `next` is what the host does before a step, and gives the batch's
    size, 0 at the end; `batch` is what the device does, at the step that the tensor `at` holds, from 0: the same work
    on the same tensors for every batch of a size."""

    def begin(self, batches: Iterable[Batch]) -> None: ...

    def next(self) -> int: ...

    def batch(self, at: Tensor, size: int) -> Batch: ...


@runtime_checkable
class MadeThere(Protocol):
    """Batches that the device makes by itself. upload: copies values of the host into a tensor there."""

    def feed(self, upload: Callable[[Tensor, Tensor], None]) -> Feed: ...


class CopiedFeed:
    """Batches made on the host. Those as large as the first one are copied into its tensors."""

    def __init__(self, device: torch.device, lane: Lane) -> None:
        self._device, self._lane = device, lane
        self._batches: Iterator[Batch] = iter(())
        self._held: Batch | None = None
        self._given: Batch | None = None

    def begin(self, batches: Iterable[Batch]) -> None:
        self._batches = iter(batches)

    def next(self) -> int:
        self._given = next(self._batches, None)
        if self._given is None:
            return 0
        if self._held is None:
            self._held = self._given[0].to(self._device, copy=True), self._given[1].to(self._device, copy=True)
        elif all(map(_fits, self._held, self._given)):
            for own, new in zip(self._held, self._given, strict=True):
                self._put(new, own)
        else:
            self._given = self._given[0].to(self._device), self._given[1].to(self._device)
            return len(self._given[1])
        self._given = self._held
        return len(self._given[1])

    def batch(self, at: Tensor, size: int) -> Batch:
        assert self._given is not None
        return self._given

    def _put(self, new: Tensor, own: Tensor) -> None:
        if new.device == own.device:
            own.copy_(new)
        else:
            self._lane.upload(new, own)


def _fits(own: Tensor, new: Tensor) -> bool:
    return own.shape == new.shape and own.dtype == new.dtype and own.stride() == new.stride()


def feed_of(first: Iterable[Batch], device: torch.device, lane: Lane) -> Feed:
    """The feed for a run whose first epoch is this one."""
    return first.feed(lane.upload) if isinstance(first, MadeThere) else CopiedFeed(device, lane)
