"""The life of a process that holds a device and many runs (device_workers.py): one thread, which feeds them in turn."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from commongarden.errors import CommonGardenError
from commongarden.runner import processes
from commongarden.runner.events import Task
from commongarden.runner.executor import TaskContext
from commongarden.runner.task_runner import TaskRunner, open_tasks

if TYPE_CHECKING:  # loads torch
    from commongarden.train.device.lanes import Lane

OUT_OF_MEMORY = "out-of-memory"  # in place of a task's event: it was put back
ENDED = "ended"
SECONDS_BETWEEN_FEEDS = 0.0002  # where every run's device has enough to do
LaneFactory = Callable[[str], "Lane | None"]


@dataclass
class _Held:
    """A task under way in a worker."""

    task: Task
    events: Iterator[Any]
    lane: Lane | None

    def next(self) -> Any:
        """Its next event or turn; None at its end."""
        if self.lane is None:
            return next(self.events, None)
        with self.lane.in_place():
            return next(self.events, None)


def work(
    connection: Connection, context: TaskContext, lanes: LaneFactory | None, begun: tuple[dict[str, str], str]
) -> None:
    """A worker's life: tasks come in over the pipe, events go out with their tasks; None ends the runs under way."""
    processes.begin(*begun)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or products may depend on what runs beside them
    from commongarden.runner import audit, pilot, training  # noqa: F401 (torch is loaded before it says it is ready)

    try:
        tasks = open_tasks(context)
        connection.send(processes.READY)
        _Feeder(connection, tasks, lanes or _lane).serve()
    except CommonGardenError as error:  # such as a full disk: no run of the study could be stored
        connection.send(error)
    except (BrokenPipeError, ConnectionResetError):
        return  # the parent is gone; the last checkpoints are kept


def _lane(device: str) -> Lane | None:
    import torch

    from commongarden.train.device.lanes import lane_of

    return lane_of(torch.device(device))


@dataclass
class _Feeder:
    """The one thread of a worker."""

    connection: Connection
    tasks: TaskRunner
    lanes: LaneFactory
    held: list[_Held] = field(default_factory=list)
    is_stopping: bool = False

    def serve(self) -> None:
        """Until it is sent home, or the parent is gone."""
        while self._received():
            is_fed = False
            for one in list(self.held):
                is_fed |= self._advance(one)
            if self.held and not is_fed:
                time.sleep(SECONDS_BETWEEN_FEEDS)

    def _received(self) -> bool:
        """Takes what the parent has sent, and waits for it where there is nothing to do; whether to go on."""
        while not (self.is_stopping and not self.held) and self.connection.poll(0 if self.held else None):
            try:
                task: Task | None = self.connection.recv()
            except EOFError:  # the parent is gone
                return False
            if task is None:
                self.is_stopping = True
            else:
                lane = self._another()
                if lane is not None:
                    lane.beside = lambda: len(self.held) - 1
                events = self.tasks.carry_out(task, lambda: self.is_stopping, lane, self._another)
                self.held.append(_Held(task, events, lane))
        return bool(self.held) or not self.is_stopping

    def _another(self) -> Lane | None:
        return self.lanes(self.tasks.context.device)

    def _advance(self, one: _Held) -> bool:
        """Feeds one task; whether it had anything to do."""
        from commongarden.train.device.memory import is_out_of_memory, release
        from commongarden.train.progress import Turn

        try:
            event = one.next()
        except CommonGardenError:
            raise
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._end(one, OUT_OF_MEMORY)
            release(error)
            return True
        if isinstance(event, Turn):
            return event is Turn.FED
        if event is None:
            self._end(one, ENDED)
            release()
        else:
            self.connection.send((one.task, event))
        return True

    def _end(self, one: _Held, how: str) -> None:
        self.held.remove(one)
        self.connection.send((one.task, how))
        if one.lane is not None and one.lane.is_broken():
            raise RuntimeError("the device is lost to this process")
