"""Where runs are made. `Executor` is the small interface; local processes stand behind it here, a cluster could.

Each worker is a process of its own (processes.py) that makes one run after another. The parent loads no torch. A worker
that finds its parent gone ends by itself. Where one dies, its run goes on in another from the last checkpoint; a run at
which two die is stored as failed, with the cause. One that has been silent for longer than its work can explain
(watching.py) is ended, and counts as dead. Before the machine swaps, the worker that began last goes home; its run goes
on in another one from its last checkpoint.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

from commongarden import store as store_files
from commongarden.errors import CommonGardenError, RunnerError
from commongarden.i18n.coded import NOTHING, Coded
from commongarden.i18n.language import N_, _, current, translate
from commongarden.records import Failure
from commongarden.runner import allocator, limits, plan, prepared_data, processes
from commongarden.runner.events import (
    Attributed,
    AttributionTask,
    Audited,
    AuditTask,
    Event,
    Job,
    Pilot,
    Piloted,
    RunDone,
    RunStopped,
    Seen,
    Task,
    WorkerDied,
)
from commongarden.runner.worker_monitor import WorkerMonitor
from commongarden.store import Store
from commongarden.study import origin

READY = "ready"
SHORT = 0.03  # of the memory: with less left than this, fewer runs go on at a time
SECONDS_BETWEEN_LOOKS = 2.0  # at the memory
DEATHS = 2  # of workers at one run, after which it is given up


class Executor(Protocol):
    """Makes runs somewhere and tells how they go; every job ends in one RunDone or RunStopped, every look in Audited,
    every pilot in Piloted, every sighting in Sighted, unless it is stopped."""

    def execute(
        self, tasks: Sequence[Task], stop: Callable[[], bool], more: Callable[[], Sequence[Task]] | None = None
    ) -> Iterator[Event | Seen]:
        """Events of all tasks as they come. Once `stop()` is true, runs under way stop at their next step.

        more: asked for further tasks each time that all are done, until it gives none; workers wait meanwhile.
        """
        ...


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


@dataclass(frozen=True)
class LocalWorkers:
    """Processes on this machine. known: what a run of each arm takes, as far as that is known by then."""

    store: Store
    prepared: prepared_data.PreparedData
    n: int
    device: str
    stop_hopeless: bool = False
    known: Mapping[str, Piloted] = field(default_factory=dict)

    def execute(
        self, tasks: Sequence[Task], stop: Callable[[], bool], more: Callable[[], Sequence[Task]] | None = None
    ) -> Iterator[Event | Seen]:
        """See Executor. Raises RunnerError where a worker cannot even begin."""
        waiting = list(tasks)
        workers: list[_Worker] = []
        deaths: Counter[Job] = Counter()
        n, looked, sent_home = self.n, 0.0, False
        try:
            while True:
                if more is not None and not waiting and not stop() and all(worker.job is None for worker in workers):
                    waiting = list(more())
                    if not waiting:
                        more = None
                    for worker in workers:
                        self._next(worker, waiting, more is not None)
                while waiting and len(workers) < n and not stop():
                    workers.append(self._start())
                    self._hand(workers[-1], waiting)
                if not workers:
                    yield from (RunStopped(job) for job in waiting if isinstance(job, Job))
                    return
                for worker in self._ready(workers):
                    worker.watch.heard()
                    try:
                        message: Event | Seen | CommonGardenError | str | None = worker.connection.recv()
                    except (EOFError, OSError):
                        workers.remove(worker)
                        event = self._buried(worker, deaths, stop())
                        if event is not None:
                            yield event
                        if isinstance(event, WorkerDied):
                            waiting.insert(0, event.job)
                        continue
                    if isinstance(message, CommonGardenError):
                        raise message
                    if isinstance(message, str):
                        worker.is_ready = True
                    elif isinstance(message, RunStopped) and worker.goes and not stop():
                        waiting.insert(0, message.job)
                        yield WorkerDied(message.job, N_("little memory is left, so one run fewer goes on at a time"))
                    elif message is not None:
                        yield message
                    elif worker.goes:
                        worker.job = None
                    else:
                        self._next(worker, [] if stop() else waiting, more is not None and not stop())
                for worker in workers:
                    worker.watch.look()
                    if worker.is_ready and not worker.was_stuck and worker.watch.is_stuck(worker.job, self.known):
                        worker.was_stuck = worker.watch.stuck()
                        worker.process.kill()  # its pipe closes, which the next turn of this loop finds
                if time.monotonic() - looked > SECONDS_BETWEEN_LOOKS:
                    looked = time.monotonic()
                    if _one_goes(workers):
                        n -= 1
                if stop() and not sent_home:
                    sent_home = True
                    for worker in workers:
                        _send(worker, None)
        finally:
            for worker in workers:
                worker.process.terminate()
                worker.process.join()

    def _next(self, worker: _Worker, waiting: list[Task], stays: bool) -> None:
        """The next task for a worker that has none; without one it waits, or goes home."""
        if worker.leaves:
            return
        if waiting and worker.ran in ("", waiting[0].arm):
            self._hand(worker, waiting)
            return
        worker.job = None
        worker.leaves = bool(waiting)
        if waiting or not stays:
            _send(worker, None)

    def _start(self) -> _Worker:
        context = processes.context()
        here, there = context.Pipe()
        begun = (dict(os.environ), current())
        process = context.Process(  # type: ignore[attr-defined]
            target=_work,
            args=(there, self.store.root, self._ground(), self.device, self.stop_hopeless, begun),
            daemon=True,
        )
        with processes.quiet_start():
            process.start()
        there.close()
        assert process.pid is not None
        return _Worker(process, here, WorkerMonitor(process.pid))

    def _ground(self) -> tuple[Path, Mapping[int, int], int]:
        """What a worker reopens the data with."""
        return self.prepared.cache_folder, self.prepared.direct, plan.n_decoding(self.store.study(), self.n)

    def _hand(self, worker: _Worker, waiting: list[Task]) -> None:
        worker.job = waiting.pop(0)
        arm = self.store.study().arms.get(worker.job.arm)
        if arm is not None and arm.origin is not None and not origin.is_of_library(arm.arch):
            worker.ran = worker.job.arm
        worker.watch.begin()
        _send(worker, worker.job)

    def _ready(self, workers: list[_Worker]) -> list[_Worker]:
        # the time-out lets `stop` be looked at while every worker is deep in a step
        ready = wait([worker.connection for worker in workers], timeout=0.2)
        return [worker for worker in workers if worker.connection in ready]

    def _buried(self, worker: _Worker, deaths: Counter[Job], stopping: bool) -> Event | Seen | None:
        """What is told of a worker whose pipe has closed: nothing if it was sent home."""
        worker.process.join(timeout=10)
        worker.connection.close()
        job = worker.job
        recipe = plan.recipe_of(self.store.study(), job) if isinstance(job, Job) else None
        cause = worker.was_stuck or worker.watch.cause(worker.process.exitcode, recipe.batch_size if recipe else None)
        if job is None or (not isinstance(job, Job) and stopping):
            return None
        if not isinstance(job, Job):
            if not worker.is_ready:
                raise _could_not_begin(cause)
            if isinstance(job, AttributionTask):
                return Attributed(job.arm, None, cause)
            return Audited(job.arm, None, cause) if isinstance(job, AuditTask) else Piloted(job.arm, None, cause=cause)
        kept, number = plan.kept_in(self.store, job)
        if kept.has(job.arm, number):  # it died with the run in the store, but before it could say so
            return RunDone(job, kept.run(job.arm, number))
        if stopping:
            return RunStopped(job)
        if not worker.is_ready:
            raise _could_not_begin(cause)
        deaths[job] += 1
        if deaths[job] < DEATHS:
            return WorkerDied(job, cause)
        record = plan.record(self.store.study(), self.prepared, job, self.device)
        failed = dataclasses.replace(
            record, failure=Failure(N_("{n} times: {cause}").format(n=DEATHS, cause=cause)), ended=plan.now()
        )
        store_files.write_run(kept, failed, [], None, None)
        return RunDone(job, failed)


def _one_goes(workers: Sequence[_Worker]) -> bool:
    """Sends the worker that began its run last home where memory runs short and others go on; whether it did."""
    making = [worker for worker in workers if isinstance(worker.job, Job) and not worker.goes]
    if len(making) < 2 or limits.free_memory() >= SHORT * limits.memory():
        return False
    making[-1].goes = True
    _send(making[-1], None)
    return True


def _could_not_begin(cause: Coded) -> RunnerError:
    return RunnerError(
        _(
            "a worker process could not begin: {cause}. What it printed says why. A script that runs a study "
            'must be a file, with the call under `if __name__ == "__main__":`, because workers import it.'
        ).format(cause=translate(cause))
    )


def _send(worker: _Worker, message: Task | None) -> None:
    try:
        worker.connection.send(message)
    except (BrokenPipeError, OSError):
        return  # it has died, which the next read of its pipe tells


def _work(
    connection: Connection,
    root: Path,
    ground_of: tuple[Path, Mapping[int, int], int],
    device: str,
    stop_hopeless: bool,
    begun: tuple[dict[str, str], str],
) -> None:
    """A worker's life: jobs come in over the pipe, events go out, None from either side ends a run or the worker."""
    processes.begin(*begun)
    from commongarden.runner.attribution_tasks import attribute
    from commongarden.runner.audit import look
    from commongarden.runner.pilot import pilot
    from commongarden.runner.training import train_run  # loads torch, in this process only

    store = Store(root)
    try:
        study, ground = store.study(), prepared_data.reopen(store, *ground_of)
        connection.send(READY)
        while (job := _received(connection)) is not None:
            if isinstance(job, AuditTask):
                connection.send(look(study, ground, job.arm))
            elif isinstance(job, Pilot):
                connection.send(pilot(store, study, ground, job.arm, device))
            elif isinstance(job, AttributionTask):
                connection.send(attribute(store, ground, job, device))
            else:
                for event in train_run(
                    store, study, ground, job, device, stop=connection.poll, stop_hopeless=stop_hopeless
                ):
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
