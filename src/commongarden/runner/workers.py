"""Tasks carried out by processes of this machine: the executor (executor.py) that a study has by default.

Each worker is a process of its own (processes.py) that carries out one task after another. The parent loads no torch. A
worker that finds its parent gone ends by itself. Where one dies, its run goes on in another from the last checkpoint; a
run at which two die is stored as failed, with the cause. One that has been silent for longer than its work can explain
(worker_monitor.py) is ended, and counts as dead. Before the machine swaps, the worker that began last goes home; its
run goes on in another one from its last checkpoint.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from commongarden.errors import CommonGardenError, RunnerError
from commongarden.i18n.coded import NOTHING, Coded
from commongarden.i18n.language import N_, _, translate
from commongarden.runner import allocator, limits, plan, processes
from commongarden.runner.events import (
    Attributed,
    AttributionTask,
    Audited,
    AuditTask,
    Event,
    Job,
    Piloted,
    RunDone,
    RunStopped,
    Seen,
    Task,
    WorkerDied,
)
from commongarden.runner.executor import MOST_DEATHS, TaskContext
from commongarden.runner.task_runner import give_up, open_tasks
from commongarden.runner.worker_monitor import WorkerMonitor
from commongarden.store import Store
from commongarden.study import origin

SHORT = 0.03  # of the memory: with less left than this, fewer runs go on at a time
SECONDS_BETWEEN_LOOKS = 2.0  # at the memory


@dataclass
class _Worker:
    """ran: the arm whose network the user's own code makes, once it has worked on one. That code may change what holds
    for a whole process (torch's default type, the current folder), so that no other arm is given to it then. leaves: it
    was sent home while others go on."""

    process: BaseProcess
    connection: Connection
    watch: WorkerMonitor
    job: Task | None = None
    is_ready: bool = False
    was_stuck: Coded = NOTHING
    goes: bool = False
    ran: str = ""
    leaves: bool = False

    def send(self, message: Task | None) -> None:
        """A task, or None to go home."""
        try:
            self.connection.send(message)
        except (BrokenPipeError, OSError):
            return  # it has died, which the next read of its pipe tells


@dataclass(frozen=True)
class LocalWorkers:
    """Processes on this machine, n at the most. known: what a run of each arm takes, as far as that is known by then;
    patience with a silent worker is measured by it."""

    context: TaskContext
    n: int
    known: Mapping[str, Piloted] = field(default_factory=dict)

    def execute(
        self, tasks: Sequence[Task], stop: Callable[[], bool], more: Callable[[], Sequence[Task]] | None = None
    ) -> Iterator[Event | Seen]:
        """See Executor."""
        crew = _Crew(self.context, self.n, self.known, stop, more, list(tasks))
        try:
            yield from crew.events()
        finally:
            crew.dismiss()


@dataclass
class _Crew:
    """The workers of one call of `execute`, and the tasks that wait for them."""

    context: TaskContext
    n: int
    known: Mapping[str, Piloted]
    stop: Callable[[], bool]
    more: Callable[[], Sequence[Task]] | None
    waiting: list[Task] = field(default_factory=list)
    workers: list[_Worker] = field(default_factory=list)
    deaths: Counter[Job] = field(default_factory=Counter)
    looked: float = 0.0  # when the memory was
    is_sent_home: bool = False

    @cached_property
    def store(self) -> Store:
        """Where the runs are."""
        return Store(self.context.root)

    @cached_property
    def by_users(self) -> frozenset[str]:
        """Arms whose networks a user's own file makes."""
        arms = self.store.study().arms.items()
        return frozenset(name for name, arm in arms if arm.origin is not None and not origin.is_of_library(arm.arch))

    def events(self) -> Iterator[Event | Seen]:
        """Those of all tasks, until there is neither a task nor a worker."""
        while True:
            self._ask_for_more()
            while self.waiting and len(self.workers) < self.n and not self.stop():
                self.workers.append(self.start())
                self._hand(self.workers[-1])
            if not self.workers:
                yield from (RunStopped(job) for job in self.waiting if isinstance(job, Job))
                return
            for worker in self._ready():
                yield from self._heard(worker)
            self._watch()
            if self.stop() and not self.is_sent_home:
                self.is_sent_home = True
                for worker in self.workers:
                    worker.send(None)

    def dismiss(self) -> None:
        """Ends every worker."""
        for worker in self.workers:
            worker.process.kill()
            worker.process.join()

    def _ask_for_more(self) -> None:
        if self.more is None or self.waiting or self.stop() or any(worker.job is not None for worker in self.workers):
            return
        self.waiting = list(self.more())
        if not self.waiting:
            self.more = None
        for worker in self.workers:
            self._next(worker)

    def _heard(self, worker: _Worker) -> Iterator[Event | Seen]:
        """What comes of one message from a worker, or of its death."""
        worker.watch.heard()
        try:
            message: Event | Seen | CommonGardenError | str | None = worker.connection.recv()
        except (EOFError, OSError):
            self.workers.remove(worker)
            event = self.buried(worker)
            if event is not None:
                yield event
            if isinstance(event, WorkerDied):
                self.waiting.insert(0, event.job)
            return
        if isinstance(message, CommonGardenError):
            raise message
        if isinstance(message, str):
            worker.is_ready = True
        elif isinstance(message, RunStopped) and worker.goes and not self.stop():
            self.waiting.insert(0, message.job)
            yield WorkerDied(message.job, N_("low memory: one run fewer at a time"))
        elif message is not None:
            yield message
        elif worker.goes:
            worker.job = None
        else:
            self._next(worker)

    def _watch(self) -> None:
        """Ends workers that are stuck, and sends one home where memory runs short."""
        for worker in self.workers:
            worker.watch.look()
            if worker.is_ready and not worker.was_stuck and worker.watch.is_stuck(worker.job, self.known):
                worker.was_stuck = worker.watch.stuck()
                worker.process.kill()  # its pipe closes, which the next turn of the loop finds
        if time.monotonic() - self.looked > SECONDS_BETWEEN_LOOKS:
            self.looked = time.monotonic()
            if _one_goes(self.workers):
                self.n -= 1

    def _next(self, worker: _Worker) -> None:
        """The next task for a worker that has none; without one it waits, or goes home."""
        if worker.leaves:
            return
        waiting = [] if self.stop() else self.waiting
        if waiting and worker.ran in ("", waiting[0].arm):
            self._hand(worker)
            return
        worker.job = None
        worker.leaves = bool(waiting)
        if waiting or self.more is None or self.stop():
            worker.send(None)

    def start(self) -> _Worker:
        """A new worker, which opens the study's data."""
        process, connection = processes.start(_work, self.context)
        assert process.pid is not None
        return _Worker(process, connection, WorkerMonitor(process.pid))

    def _hand(self, worker: _Worker) -> None:
        worker.job = self.waiting.pop(0)
        if worker.job.arm in self.by_users:
            worker.ran = worker.job.arm
        worker.watch.begin()
        worker.send(worker.job)

    def _ready(self) -> list[_Worker]:
        # the time-out lets `stop` be looked at while every worker is deep in a step
        ready = wait([worker.connection for worker in self.workers], timeout=0.2)
        return [worker for worker in self.workers if worker.connection in ready]

    def buried(self, worker: _Worker) -> Event | Seen | None:
        """What is reported of a worker whose pipe has closed: nothing if it was sent home."""
        worker.process.join(timeout=10)
        worker.connection.close()
        job = worker.job
        cause = worker.was_stuck or worker.watch.cause(worker.process.exitcode, self._batch_size(job))
        if job is None or (not isinstance(job, Job) and self.stop()):
            return None
        if not isinstance(job, Job):
            if not worker.is_ready:
                raise could_not_begin(cause)
            return failed_task(job, cause)
        kept, number = plan.kept_in(self.store, job)
        if kept.has(job.arm, number):  # it died with the run in the store, but before it could say so
            return RunDone(job, kept.run(job.arm, number))
        if self.stop():
            return RunStopped(job)
        if not worker.is_ready:
            raise could_not_begin(cause)
        self.deaths[job] += 1
        return WorkerDied(job, cause) if self.deaths[job] < MOST_DEATHS else give_up(self.context, job, cause)

    def _batch_size(self, job: Task | None) -> int | None:
        return plan.recipe_of(self.store.study(), job).batch_size if isinstance(job, Job) else None


def _one_goes(workers: Sequence[_Worker]) -> bool:
    """Sends the worker that began its run last home where memory runs short and others go on; whether it did."""
    making = [worker for worker in workers if isinstance(worker.job, Job) and not worker.goes]
    if len(making) < 2 or limits.free_memory() >= SHORT * limits.memory():
        return False
    making[-1].goes = True
    making[-1].send(None)
    return True


def failed_task(task: Task, cause: Coded) -> Seen:
    """The final event of a task that is no run and failed for this cause."""
    if isinstance(task, AttributionTask):
        return Attributed(task.arm, None, cause)
    return Audited(task.arm, None, cause) if isinstance(task, AuditTask) else Piloted(task.arm, None, cause=cause)


def could_not_begin(cause: Coded) -> RunnerError:
    """The error where no worker can begin."""
    text = _(
        "a worker process could not start: {cause}. See its output for the reason. A script that "
        'runs a study must be a file, with the call under `if __name__ == "__main__":`, because '
        "workers import it."
    )
    return RunnerError(text.format(cause=translate(cause)))


def _work(connection: Connection, context: TaskContext, begun: tuple[dict[str, str], str]) -> None:
    """A worker's life: tasks come in over the pipe, events go out, None from either side ends a run or the worker."""
    processes.begin(*begun)
    from commongarden.runner import audit, pilot, training  # noqa: F401 (torch is loaded before it says it is ready)

    try:
        tasks = open_tasks(context)
        connection.send(processes.READY)
        while (task := _received(connection)) is not None:
            for event in tasks.carry_out(task, connection.poll):
                connection.send(event)
            allocator.release()
            connection.send(None)
    except CommonGardenError as error:  # such as a full disk: no run of the study could be stored
        connection.send(error)
    except (BrokenPipeError, ConnectionResetError):
        return  # the parent is gone; the last checkpoint is kept


def _received(connection: Connection) -> Task | None:
    try:
        job: Task | None = connection.recv()
    except EOFError:  # the parent is gone
        return None
    return job
