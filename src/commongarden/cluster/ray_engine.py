"""Workers on a Ray cluster: each is an actor that Ray starts where there is room, and whose messages come as a stream.

Nothing is restarted or repeated by Ray: what a loss means is the crew's affair (crew.py). Files go through Ray's object
store, from which each machine fetches them once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commongarden.cluster.engine import Seat
from commongarden.cluster.host import Host
from commongarden.cluster.messages import Arrived, Assignment, Failed, Files, Lost, Message, Wanted
from commongarden.errors import RunnerError
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_, _
from commongarden.runner.events import Piloted, Task

PART = 64_000_000  # bytes of a file that are sent at a time
SECONDS_TO_GET = 120.0  # a message whose large part does not arrive
SECONDS_TO_CLOSE = 3.0
THREADS = 4  # of an actor: one for its events, one for a file that arrives, two for what else it is told


class RayHost(Host):
    """A worker as an actor of Ray."""

    def __init__(self, assignment: Assignment) -> None:
        # processes that train import the main script again, which here is Ray's own and loads all of Ray
        vars(sys.modules["__main__"]).pop("__file__", None)
        super().__init__(assignment)

    def receive_all(self, sent: list[tuple[Wanted, list[Any]]]) -> Arrived:
        """Keeps the missing files, whose parts lie in the object store, and looks once more."""
        import ray

        for wanted, parts in sent:
            self.receive(wanted, (ray.get(part) for part in parts))
        return self.begin()


@dataclass(eq=False)
class _Actor:
    """stream: of its messages, once it has all files."""

    actor: Any
    stream: Any = None


@dataclass
class RayEngine:
    """cpus, gpus: that each worker takes."""

    cpus: float
    gpus: float
    actors: dict[Any, Seat] = field(default_factory=dict)  # by what is waited for
    parts: dict[Wanted, list[Any]] = field(default_factory=dict)
    sent: dict[int, Any] = field(default_factory=dict)  # assignments, by their identity

    def start(self, assignment: Assignment) -> Seat:
        """See Engine."""
        import ray

        if id(assignment) not in self.sent:
            self.sent[id(assignment)] = ray.put(assignment)
        options = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_restarts": 0, "max_task_retries": 0}
        made = ray.remote(RayHost).options(**options, max_concurrency=THREADS).remote(self.sent[id(assignment)])
        seat = Seat(_Actor(made))
        self.actors[made.begin.remote()] = seat
        return seat

    def send(self, seat: Seat, lacks: Sequence[Wanted]) -> None:
        """See Engine."""
        import ray

        for wanted in lacks:
            if wanted not in self.parts:
                with Path(wanted.path).open("rb") as file:
                    self.parts[wanted] = [ray.put(part) for part in iter(lambda: file.read(PART), b"")]
        sent = [(wanted, self.parts[wanted]) for wanted in lacks]
        self.actors[seat.handle.actor.receive_all.remote(sent)] = seat

    def hand(self, seat: Seat, task: Task, files: Files, known: Piloted | None) -> None:
        """See Engine."""
        self._open(seat)
        seat.handle.actor.hand.remote(task, files, known)

    def leave(self, seat: Seat) -> None:
        """See Engine."""
        self._open(seat)
        seat.handle.actor.leave.remote()

    def stop(self, seat: Seat) -> None:
        """See Engine."""
        self._open(seat)
        seat.handle.actor.stop.remote()

    def end(self, seats: Sequence[Seat]) -> None:
        """See Engine."""
        import ray

        for key in [key for key, seat in self.actors.items() if seat in seats]:
            del self.actors[key]
        with suppress(Exception):  # of a cluster that is gone
            closing = [seat.handle.actor.close.remote() for seat in seats if seat.about is not None]
            if closing:
                ray.wait(closing, num_returns=len(closing), timeout=SECONDS_TO_CLOSE)
        for seat in seats:
            with suppress(Exception):
                ray.kill(seat.handle.actor)

    def wait(self, seconds: float) -> Iterator[tuple[Seat, Message]]:
        """See Engine."""
        import ray

        refs = list(self.actors)
        ready, _left = ray.wait(refs, num_returns=1, timeout=seconds)
        if ready and len(refs) > 1:
            ready, _left = ray.wait(refs, num_returns=len(refs), timeout=0)
        for ref in ready:
            if (seat := self.actors.get(ref)) is not None:
                message = self._got(ref, seat)
                if message is not None:
                    yield seat, message

    def room(self) -> str:
        """See Engine."""
        import ray

        total, free = ray.cluster_resources(), ray.available_resources()
        text = _("each needs {cpus:g} CPUs and {gpus:g} GPUs; free in the cluster: {free:g} of {all:g} CPUs, "
                 "{free_gpus:g} of {all_gpus:g} GPUs")  # fmt: skip
        return text.format(
            cpus=self.cpus, gpus=self.gpus, free=free.get("CPU", 0), all=total.get("CPU", 0),
            free_gpus=free.get("GPU", 0), all_gpus=total.get("GPU", 0),
        )  # fmt: skip

    def _open(self, seat: Seat) -> None:
        """Begins to hear a worker that has all files."""
        if seat.handle.stream is None:
            seat.handle.stream = seat.handle.actor.events.options(num_returns="streaming").remote()
            self.actors[seat.handle.stream] = seat

    def _got(self, ref: Any, seat: Seat) -> Message | None:
        """What has come; None at the end of a stream."""
        import ray

        is_stream = ref is seat.handle.stream
        if not is_stream:
            del self.actors[ref]
        try:
            message: Message = ray.get(next(ref) if is_stream else ref, timeout=SECONDS_TO_GET)
        except StopIteration:
            self.actors.pop(ref, None)
            return None
        except ray.exceptions.RayError as error:
            self.actors.pop(ref, None)
            with suppress(Exception):
                ray.kill(seat.handle.actor)  # it may be alive behind a network that is cut, and is not heard again
            return _lost(error, seat)
        return message


def _lost(error: Any, seat: Seat) -> Message:
    """Why a worker does not answer, as an English sentence; an error of its own first step ends the study."""
    import ray

    host = "?" if seat.about is None else seat.about.host
    if isinstance(error, ray.exceptions.RayTaskError):
        lines = str(error).strip().splitlines()
        text = _("a worker cannot start: {reason}")
        return Failed(RunnerError(text.format(reason=lines[-1] if lines else type(error).__name__)))
    return Lost(_cause(error, host))


def _cause(error: Any, host: str) -> Coded:
    import ray

    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return N_("the worker on {host} was ended by Ray for want of memory").format(host=host)
    if isinstance(error, ray.exceptions.ActorUnavailableError):
        return N_("the worker on {host} cannot be reached").format(host=host)
    return N_("the worker on {host} was lost").format(host=host)
