"""How batches reach a step on a device: made there from photos that it holds, or copied there."""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from commongarden.train.device.lanes import Lane

Batch = tuple[Tensor, Tensor]
AHEAD = 3  # batches that a thread makes before they are asked for


class Feed(Protocol):
    """The batches of a run.

    `begin` takes an epoch's. `is_ready` is true where the next batch needs no waiting for. `next` is what the host does
    before a step, and gives the batch's size, 0 at the end. `batch` is what the device does, at the step that the
    tensor `at` holds, from 0: the same work on the same tensors for every batch of a size.
    """

    def begin(self, batches: Iterable[Batch]) -> None: ...

    def is_ready(self) -> bool: ...

    def next(self) -> int: ...

    def batch(self, at: Tensor, size: int) -> Batch: ...


@runtime_checkable
class MadeThere(Protocol):
    """Batches that the device makes by itself. upload: copies values of the host into a tensor there."""

    def feed(self, upload: Callable[[Tensor, Tensor], None]) -> Feed: ...


@runtime_checkable
class OwnDrawn(Protocol):
    """Batches that another thread may make: no random number of theirs comes from the process's generators."""

    batches: Iterable[Batch]

    def __iter__(self) -> Iterator[Batch]: ...


class Changes(Protocol):
    """What changes a run's batches on its device. begin: takes the numbers of an epoch there. changed: the batch of the
    step that `at` holds, from 0; the same work on the same tensors for every batch of a size."""

    def begin(self, epoch: Any, upload: Callable[[Tensor, Tensor], None]) -> None: ...

    def changed(self, pixels: Tensor, at: Tensor) -> Tensor: ...


@runtime_checkable
class ToBeChanged(OwnDrawn, Protocol):
    """Batches that another thread may make, and a device changes, by numbers drawn ahead."""

    def changes(self, device: torch.device) -> Changes: ...


class MadeAhead:
    """Batches made by a thread, AHEAD of those that are asked for, in memory that a device reads by itself."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._made: queue.Queue[Batch | Exception | None] = queue.Queue(AHEAD)
        self._is_over = threading.Event()
        weakref.finalize(self, self._is_over.set)
        threading.Thread(target=_make, args=(iter(batches), self._made, self._is_over), daemon=True).start()

    def is_ready(self) -> bool:
        """Whether the next one, or the end, is there."""
        return not self._made.empty()

    def __iter__(self) -> Iterator[Batch]:
        while (one := self._made.get()) is not None:
            if isinstance(one, Exception):
                raise one
            yield one


def _make(batches: Iterator[Batch], made: queue.Queue[Any], is_over: threading.Event) -> None:
    """A thread's work: the batches, then None; or the error that ended them."""
    one: Any = ()
    while one is not None and not is_over.is_set():
        try:
            one = next(batches, None)
            if one is not None and torch.cuda.is_available():
                one = one[0].pin_memory(), one[1].pin_memory()
        except Exception as error:
            one = error
        while not is_over.is_set():
            try:
                made.put(one, timeout=0.5)
                break
            except queue.Full:
                continue
        if isinstance(one, Exception):
            return


@dataclass(frozen=True)
class OnlyMade:
    """Batches as a thread makes them, before the device changes them."""

    batches: Iterable[Batch]

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)


class CopiedFeed:
    """Batches made on the host, and changed on the device where they are to be. Those as large as the first one are
    copied into its tensors."""

    def __init__(self, device: torch.device, lane: Lane) -> None:
        self._device, self._lane = device, lane
        self._batches: Iterator[Batch] = iter(())
        self._held: Batch | None = None
        self._given: Batch | None = None
        self._ahead: MadeAhead | None = None
        self._changes: Changes | None = None

    def begin(self, batches: Iterable[Batch]) -> None:
        if isinstance(batches, ToBeChanged):
            self._changes = self._changes or batches.changes(self._device)
            self._changes.begin(batches, self._lane.upload)
            batches = OnlyMade(batches.batches)
        self._ahead = MadeAhead(batches) if self._lane.can_capture and isinstance(batches, OwnDrawn) else None
        self._batches = iter(batches) if self._ahead is None else iter(self._ahead)

    def is_ready(self) -> bool:
        return self._ahead is None or self._ahead.is_ready()

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
        pixels, labels = self._given
        return self._given if self._changes is None else (self._changes.changed(pixels, at), labels)

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
