"""Tasks carried out by processes that each hold a device and many runs: the executor (executor.py) of a study on GPUs.

One worker a device. Its runs go side by side, each in a lane of its own (train/device/lanes.py); one thread feeds them
all, a few steps of each at a time. What is no run, and a run of a user's own file, has its worker to itself. Where a
worker dies, each of its runs goes on in another one, alone, so that the death of one that kills its worker is its own.
Where the device's memory is short, a run is put back and fewer go side by side from then on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from commongarden.errors import CommonGardenError
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_
from commongarden.runner import feeder, plan, processes
from commongarden.runner.events import Event, Job, Piloted, RunDone, RunStopped, Seen, Task, WorkerDied
from commongarden.runner.executor import MOST_DEATHS, TaskContext
from commongarden.runner.task_runner import give_up
from commongarden.runner.worker_monitor import WorkerMonitor
from commongarden.runner.workers import could_not_begin, failed_task
from commongarden.store import Store
from commongarden.study import origin


@dataclass(frozen=True)
class DeviceWorkers:
    """One process for each device that the context names, n runs at a time in all. known: what a run of each arm takes
    and how many go side by side, as far as that is known by then. lanes: makes the lane of a run on a device. inbox:
    asked several times a second for tasks that have come meanwhile, where whoever gives them is elsewhere."""

    context: TaskContext
    n: int
    known: Mapping[str, Piloted] = field(default_factory=dict)
    lanes: feeder.LaneFactory | None = None
    inbox: Callable[[], Sequence[Task]] | None = None

    def execute(
        self, tasks: Sequence[Task], stop: Callable[[], bool], more: Callable[[], Sequence[Task]] | None = None
    ) -> Iterator[Event | Seen]:
        """See Executor."""
        crew = _DeviceCrew(self, stop, more, list(tasks), self.context.device.split(","))
        try:
            yield from crew.events()
        finally:
            crew.dismiss()


@dataclass
class _DeviceWorker:
    """held: its tasks. most: runs that its device takes side by side. ran: the arm of a user's own file whose code it
    has executed: it is given no other one."""

    device: str
    process: BaseProcess
    connection: Connection
    watch: WorkerMonitor
    most: int
    held: list[Task] = field(default_factory=list)
    ran: str = ""
    is_ready: bool = False
    leaves: bool = False

    def send(self, message: Task | None) -> None:
        """A task, or None to end."""
        try:
            self.connection.send(message)
        except (BrokenPipeError, OSError):
            return  # it has died, which the next read of its pipe tells


@dataclass
class _DeviceCrew:
    """The workers of one call of `execute`, and the tasks that wait for them. most: by device, the runs that its memory
    has room for, where that was too few."""

    executor: DeviceWorkers
    stop: Callable[[], bool]
    more: Callable[[], Sequence[Task]] | None
    waiting: list[Task]
    devices: list[str]
    workers: list[_DeviceWorker] = field(default_factory=list)
    deaths: Counter[Job] = field(default_factory=Counter)
    most: dict[str, int] = field(default_factory=dict)
    is_sent_home: bool = False

    def __post_init__(self) -> None:
        self.store = Store(self.executor.context.root)
        study = self.store.study()
        self.precisions = {arm: study.recipe_of(arm).precision for arm in study.arms}
        arms = study.arms.items()
        self.by_users = {
            name for name, arm in arms if arm.origin is not None and not origin.is_of_library(arm.arch)
        }  # fmt: skip

    def events(self) -> Iterator[Event | Seen]:
        """Those of all tasks, until there is neither a task nor a worker."""
        while True:
            self._ask_for_more()
            self._hand_out()
            if not self.workers:
                yield from (RunStopped(job) for job in self.waiting if isinstance(job, Job))
                return
            ready = wait([worker.connection for worker in self.workers], timeout=0.2)
            for worker in [worker for worker in self.workers if worker.connection in ready]:
                yield from self._heard(worker)
            for worker in self.workers:
                worker.watch.look()
                if worker.is_ready and worker.held and all(self._is_stuck(worker, task) for task in worker.held):
                    worker.process.kill()
            if self.stop() and not self.is_sent_home:
                self.is_sent_home = True
                for worker in self.workers:
                    worker.send(None)

    def dismiss(self) -> None:
        """Ends every worker."""
        for worker in self.workers:
            worker.process.kill()
            worker.process.join()

    def _is_stuck(self, worker: _DeviceWorker, task: Task) -> bool:
        return worker.watch.is_stuck(task, self.executor.known)

    def _ask_for_more(self) -> None:
        if self.executor.inbox is not None and any(worker.held for worker in self.workers):
            self.waiting += self.executor.inbox()
        if self.more is None or self.waiting or self.stop() or any(worker.held for worker in self.workers):
            return
        self.waiting = list(self.more())
        if not self.waiting:
            self.more = None

    def _hand_out(self) -> None:
        """Gives each worker what it may hold, in the order of the tasks; starts workers for free devices, and ends
        those for which nothing is left."""
        while self.waiting and not self.stop():
            worker = self._free_worker(self.waiting[0])
            if worker is None:
                break
            task = self.waiting.pop(0)
            if task.arm in self.by_users:
                worker.ran = task.arm
            worker.held.append(task)
            worker.watch.begin()
            worker.send(task)
        for worker in self.workers:
            is_done = not self.waiting and self.more is None
            if not worker.held and not worker.leaves and (is_done or worker.ran) and not self.stop():
                worker.leaves = True
                worker.send(None)

    def _free_worker(self, task: Task) -> _DeviceWorker | None:
        if sum(len(worker.held) for worker in self.workers) >= self.executor.n:
            return None
        busy = {worker.device for worker in self.workers}
        free = [device for device in self.devices if device not in busy]
        fit = [worker for worker in self.workers if self._takes(worker, task)]
        if free and all(worker.held for worker in fit):
            self.workers.append(self._start(free[0]))
            return self.workers[-1]
        return min(fit, key=lambda worker: len(worker.held), default=None)

    def _takes(self, worker: _DeviceWorker, task: Task) -> bool:
        if worker.leaves or (worker.ran and worker.ran != task.arm):
            return False
        together = [*worker.held, task]
        if len(together) == 1:
            return True
        if not all(isinstance(one, Job) and one.arm not in self.by_users for one in together):
            return False
        if any(self.deaths[one] for one in together if isinstance(one, Job)):
            return False
        if len({self.precisions[one.arm] for one in together}) > 1:  # which holds for a whole process
            return False
        known = [self.executor.known.get(one.arm) for one in together]
        measured = [one.side_by_side for one in known if one is not None and one.side_by_side]
        return len(together) <= min([worker.most, *measured])

    def _start(self, device: str) -> _DeviceWorker:
        context = replace(self.executor.context, device=device)
        process, connection = processes.start(feeder.work, context, self.executor.lanes)
        assert process.pid is not None
        most = self.most.get(device, self.executor.n)
        return _DeviceWorker(device, process, connection, WorkerMonitor(process.pid), most)

    def _heard(self, worker: _DeviceWorker) -> Iterator[Event | Seen]:
        """What comes of one message from a worker, or of its death."""
        worker.watch.heard()
        try:
            message: Any = worker.connection.recv()
        except (EOFError, OSError):
            self.workers.remove(worker)
            yield from self._buried(worker)
            return
        if isinstance(message, CommonGardenError):
            raise message
        if message == processes.READY:
            worker.is_ready = True
            return
        task, event = message
        if event == feeder.ENDED:
            worker.held.remove(task)
        elif event == feeder.OUT_OF_MEMORY:
            worker.held.remove(task)
            worker.most = self.most[worker.device] = max(1, len(worker.held))
            self.waiting.insert(0, task)
            yield WorkerDied(task, N_("low GPU memory: fewer runs side by side"))
        else:
            yield event

    def _buried(self, worker: _DeviceWorker) -> Iterator[Event | Seen]:
        """What is reported of the tasks of a worker whose pipe has closed."""
        worker.process.join(timeout=10)
        worker.connection.close()
        batches = [plan.recipe_of(self.store.study(), job).batch_size for job in worker.held if isinstance(job, Job)]
        cause = worker.watch.cause(worker.process.exitcode, max(batches, default=None))
        if worker.held and not worker.is_ready and not self.stop():
            raise could_not_begin(cause)
        again: list[Task] = []
        for task in worker.held:
            event = self._lost(task, cause)
            if isinstance(event, WorkerDied):
                again.append(task)
            if event is not None:
                yield event
        self.waiting = [*again, *self.waiting]

    def _lost(self, task: Task, cause: Coded) -> Event | Seen | None:
        if not isinstance(task, Job):
            return None if self.stop() else failed_task(task, cause)
        kept, number = plan.kept_in(self.store, task)
        if kept.has(task.arm, number):  # it died with the run in the store, but before it could say so
            return RunDone(task, kept.run(task.arm, number))
        if self.stop():
            return RunStopped(task)
        self.deaths[task] += 1
        if self.deaths[task] < MOST_DEATHS:
            return WorkerDied(task, cause)
        return give_up(replace(self.executor.context, device=self.devices[0]), task, cause)
