"""The lane of one run on a device: a stream of its own, random generators of its own, and what captures work there.

Several runs of one process share a device. What a run does, it does within `in_place()` of its lane, so that neither
its order of work nor its random numbers depend on what runs beside it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, Protocol
from weakref import WeakSet

import numpy as np
import torch
from torch import Tensor

ENOUGH = 2  # marks that the device has not reached yet: with more, its queue would fill and the thread would wait


_LANES: WeakSet[CudaLane] = WeakSet()


class Pending(Protocol):
    """Numbers on their way to main memory. is_there: whether they have arrived; `values` before that waits."""

    def is_there(self) -> bool: ...

    def values(self) -> Tensor: ...


class Lane(Protocol):
    """Where one run does its work.

    can_capture: whether work can be captured here. `in_place` makes the lane the current one. `capture` records work
    that was done here before, and gives what does it again, on the same tensors, and the tensors in which the work's
    results are then; it raises whatever the work or the device raises. `fetch` copies tensors without a wait. `mark`
    follows what was queued so far; `is_busy` is true where the device is several marks behind. `random_state` and
    `put_random_state` are of the generator on the device, by value; anew: a broken capture may have left it unusable.
    is_broken: whether the device does nothing more for this process, after an error that is reported by all that
    follows. beside: how many other runs share the device now. draws_on_host: whether the run may draw from the
    generators of the process; without it they need not be put in place.
    """

    can_capture: bool
    draws_on_host: bool
    beside: Callable[[], int]

    def in_place(self) -> Any: ...

    def capture(self, work: Callable[[], Sequence[Tensor]]) -> tuple[Callable[[], None], Sequence[Tensor]]: ...

    def upload(self, values: Tensor, to: Tensor) -> None: ...

    def fetch(self, tensor: Tensor) -> Pending: ...

    def mark(self) -> None: ...

    def is_busy(self) -> bool: ...

    def is_idle(self) -> bool: ...

    def wait(self) -> None: ...

    def is_broken(self) -> bool: ...

    def random_state(self) -> Any: ...

    def put_random_state(self, state: Any, *, anew: bool = False) -> None: ...


def nobody() -> int:
    """No other run."""
    return 0


class HostRandomState:
    """The random generators of the process outside of devices, as one of several runs left them."""

    def __init__(self) -> None:
        self._kept = host_state()

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The run's generators in the place of the process's, which come back at the end."""
        outside = host_state()
        put_host_state(self._kept)
        try:
            yield
        finally:
            self._kept = host_state()
            put_host_state(outside)


def host_state() -> tuple[Any, ...]:
    """Of torch on the CPU, Python's `random` and numpy's global generator."""
    return torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002


def put_host_state(kept: tuple[Any, ...]) -> None:
    """Puts such states back."""
    by_torch, by_python, by_numpy = kept
    torch.set_rng_state(by_torch)
    random.setstate(by_python)
    np.random.set_state(by_numpy)  # noqa: NPY002


def is_same_state(one: tuple[Any, ...], two: tuple[Any, ...], device: torch.device) -> bool:
    """Whether nothing was drawn from the generators between two states, but what work on this device draws."""
    torch_alike = device.type == "cpu" or torch.equal(one[0], two[0])
    numpy_alike = all(np.array_equal(a, b) for a, b in zip(one[2], two[2], strict=True))
    return torch_alike and one[1] == two[1] and numpy_alike


class _Copy:
    """A copy in pinned memory, and the event behind it."""

    def __init__(self, tensor: Tensor, stream: Any) -> None:
        self._host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        self._host.copy_(tensor, non_blocking=True)
        self._event: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._event.record(stream)

    def is_there(self) -> bool:
        return bool(self._event.query())

    def values(self) -> Tensor:
        self._event.synchronize()
        return self._host


def _free_stream(device: torch.device) -> Any:
    """A stream that no other lane has: torch hands out the same 32 in turn."""
    taken = {lane._stream.cuda_stream for lane in _LANES}
    for _ in range(32):
        stream: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        if stream.cuda_stream not in taken:
            break
    return stream


class CudaLane:
    """A stream of a CUDA device, and a generator of its own state in the place of the device's.

    A capture registers the generator's state that is in place, and a replay draws from that one, whichever is in place
    by then (torch's `graphsafe_set_state`); so replays of several runs do not meddle. Everything of a run is done on
    its stream, warm-up and capture alike: a node of autograd made on another stream would break a capture
    (https://docs.pytorch.org/docs/stable/notes/cuda.html#whole-network-capture).
    """

    def __init__(self, device: torch.device, *, captures: bool = True) -> None:
        self.device = torch.device("cuda", device.index or 0)
        self._stream = _free_stream(self.device)
        self._default: Any = torch.cuda.default_generators[self.device.index or 0]
        self._own: Any = torch.Generator(self.device)
        self._has_own_state = hasattr(self._default, "graphsafe_set_state")
        self.can_capture = captures and self._has_own_state
        self.beside: Callable[[], int] = nobody
        self.draws_on_host = True
        self._host = HostRandomState()
        self._marks: list[Any] = []
        _LANES.add(self)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        host = self._host.in_place() if self.draws_on_host else nullcontext()
        with host, self._generator(), torch.cuda.device(self.device), torch.cuda.stream(self._stream):
            yield

    @contextmanager
    def _generator(self) -> Iterator[None]:
        if not self._has_own_state:  # by value: nothing is captured then
            outside = self._default.get_state()
            self._default.set_state(self._own.get_state())
            try:
                yield
            finally:
                self._own.set_state(self._default.get_state())
                self._default.set_state(outside)
            return
        outside = self._default.graphsafe_get_state()
        self._default.graphsafe_set_state(self._own)
        try:
            yield
        finally:
            self._default.graphsafe_set_state(outside)

    def capture(self, work: Callable[[], Sequence[Tensor]]) -> tuple[Callable[[], None], Sequence[Tensor]]:
        graph = torch.cuda.CUDAGraph()
        self._stream.synchronize()
        # not torch.cuda.graph, which waits for all streams of the device and empties its cache, for other runs too.
        # thread_local: what other threads do to the device, such as copying photos there, is no part of the capture
        graph.capture_begin(capture_error_mode="thread_local")
        try:
            results = work()
        except BaseException:
            with suppress(Exception):  # the capture is broken; what broke it is told
                graph.capture_end()
            raise
        graph.capture_end()
        return graph.replay, results

    def upload(self, values: Tensor, to: Tensor) -> None:
        to.copy_(values.pin_memory(), non_blocking=True)

    def fetch(self, tensor: Tensor) -> Pending:
        return _Copy(tensor, self._stream)

    def mark(self) -> None:
        event: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(self._stream)
        self._marks.append(event)

    def is_busy(self) -> bool:
        while self._marks and self._marks[0].query():
            self._marks.pop(0)
        return len(self._marks) >= ENOUGH

    def is_idle(self) -> bool:
        return bool(self._stream.query())

    def wait(self) -> None:
        self._stream.synchronize()

    def is_broken(self) -> bool:
        try:
            torch.cuda.synchronize(self.device)
        except Exception:
            return True
        return False

    def random_state(self) -> Any:
        return self._default.get_state()

    def put_random_state(self, state: Any, *, anew: bool = False) -> None:
        if anew and self._has_own_state:  # a broken capture may leave the old one unusable
            self._own = torch.Generator(self.device)
            self._own.set_state(state)
            self._default.graphsafe_set_state(self._own)
        else:
            self._default.set_state(state)


class _There:
    """A copy that was waited for."""

    def __init__(self, tensor: Tensor) -> None:
        self._values = tensor.cpu()

    def is_there(self) -> bool:
        return True

    def values(self) -> Tensor:
        return self._values


class PlainLane:
    """The one queue of a device without streams of torch's (MPS): nothing is captured, one run at a time."""

    can_capture = False

    def __init__(self, device: torch.device) -> None:
        self.draws_on_host = True
        self.device = device
        self.beside: Callable[[], int] = nobody

    @contextmanager
    def in_place(self) -> Iterator[None]:
        yield

    def capture(self, work: Callable[[], Sequence[Tensor]]) -> tuple[Callable[[], None], Sequence[Tensor]]:
        raise NotImplementedError

    def upload(self, values: Tensor, to: Tensor) -> None:
        to.copy_(values)

    def fetch(self, tensor: Tensor) -> Pending:
        return _There(tensor)

    def mark(self) -> None:
        return

    def is_busy(self) -> bool:
        return False

    def is_idle(self) -> bool:
        return True

    def wait(self) -> None:
        if self.device.type == "mps":
            torch.mps.synchronize()

    def is_broken(self) -> bool:
        return False

    def random_state(self) -> Any:
        return torch.mps.get_rng_state() if self.device.type == "mps" else torch.get_rng_state()

    def put_random_state(self, state: Any, *, anew: bool = False) -> None:
        torch.mps.set_rng_state(state) if self.device.type == "mps" else torch.set_rng_state(state)


def lane_of(device: torch.device, *, captures: bool = True) -> Lane | None:
    """A new lane of a device; None for the CPU, whose steps are waited for anyway."""
    if device.type == "cuda":
        return CudaLane(device, captures=captures)
    return None if device.type == "cpu" else PlainLane(device)
