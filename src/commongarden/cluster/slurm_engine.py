"""Workers in jobs of SLURM, whose messages lie in mailboxes on a disk that all machines see.

A job is submitted once and never requeued: where it ends early, or vanishes from the queue, the crew asks for another
worker (crew.py). The mailboxes outlive the process that holds the study, so that the next one finds its jobs.
"""

from __future__ import annotations

import pickle
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from commongarden.cluster import slurm_host
from commongarden.cluster.crew import FINAL, task_of
from commongarden.cluster.engine import Seat
from commongarden.cluster.mailbox import Handed, Leave, Log, Mailbox, Sent, Stop, WithFiles
from commongarden.cluster.messages import Arrived, Assignment, Failed, Files, Left, Lost, Message, Saved, Told, Wanted
from commongarden.cluster.slurm_queue import SlurmQueue
from commongarden.errors import RunnerError
from commongarden.i18n.language import N_, _
from commongarden.io import disk
from commongarden.runner.events import Job, Piloted, RunStopped, Task

SECONDS_BETWEEN_SIGNS = 5.0  # of life, for workers
SECONDS_SILENT = 120.0  # of a worker, after which it is lost
SECONDS_TO_READ = 2.0  # what a job that has ended has still written
MOST_FAILED_STARTS = 3  # of jobs one after another, without a worker that arrived


@dataclass(eq=False)
class _Worker:
    """A worker as the engine has it. job: the number of its job; "" before it is submitted. spoke: when it said
    something last, once it has arrived. ended: when its job was first seen to have ended. is_stopping: whether it was
    told to stop."""

    mailbox: Mailbox
    job: str = ""
    spoke: float = 0.0
    ended: float = 0.0
    has_left: bool = False
    is_stopping: bool = False


@dataclass
class SlurmEngine:
    """The jobs of a study. folder: of their mailboxes."""

    queue: SlurmQueue
    folder: Path
    runs_per_job: int
    seats: dict[Seat, _Worker] = field(default_factory=dict)
    stored: dict[str, Path] = field(default_factory=dict)  # assignments, by their hash
    copied: dict[Wanted, str] = field(default_factory=dict)
    n_failed_starts: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.watch = threading.Thread(target=self._watch, daemon=True)
        self.watch.start()

    def _watch(self) -> None:
        """Tells workers that this process is alive, and looks at the queue."""
        looked = 0.0
        while not self.over.is_set():
            now = time.monotonic()
            with suppress(OSError):
                (self.folder / slurm_host.SIGN).write_text(f"{time.time()}")
            if now - looked > self.queue.seconds_between_looks:
                self.queue.look()
                looked = now
            self.over.wait(min(SECONDS_BETWEEN_SIGNS, self.queue.seconds_between_looks))

    def close(self) -> None:
        """After the last task."""
        self.over.set()
        self.end(list(self.seats))
        self.queue.close()
        self.watch.join()
        if any(self.folder.glob("worker-*/job")):  # they hold tasks of a later call
            return
        for path in self.folder.iterdir():
            if path != self.queue.folder:
                path.unlink(missing_ok=True) if path.is_file() else shutil.rmtree(path, ignore_errors=True)
        if self.n_failed_starts < MOST_FAILED_STARTS:  # otherwise an error names the log
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, assignment: Assignment) -> Seat:
        """See Engine."""
        worker = _Worker(Mailbox(self.folder / f"worker-{secrets.token_hex(6)}"))
        worker.mailbox.create(self._stored(assignment))
        seat = Seat(worker)
        self.seats[seat] = worker
        return seat

    def _stored(self, assignment: Assignment) -> Path:
        data = pickle.dumps(assignment)
        path = self.folder / f"assignment-{sha256(data).hexdigest()}"
        if not path.is_file():
            with disk.replacing(path) as file:
                disk.write(file, data)
        return path

    def resume(self, assignment: Assignment, tasks: Sequence[Task], is_made: Callable[[Task], bool]) -> list[Seat]:
        """The workers that an earlier process has left, with those of the tasks that they hold; what they have said is
        heard again. Those with other tasks are left alone; those of another assignment are ended. is_made: whether a
        task's result is kept."""
        found = []
        for path in sorted(self.folder.glob("worker-*")):
            if any(worker.mailbox.folder == path for worker in self.seats.values()):
                continue
            worker = _Worker(Mailbox(path))
            try:
                worker.job = worker.mailbox.job()
                handed, open_ = _handed(worker.mailbox)
                theirs = worker.mailbox.assigned()
            except Exception:
                self._end([worker])
                continue
            if not worker.job or not _is_same(theirs, assignment):
                self._end([worker])
            elif all(task in tasks or is_made(task) for task in handed if task in open_ or isinstance(task, Job)):
                seat = Seat(worker, held=[task for task in handed if task in tasks])
                self.seats[seat] = worker
                found.append(seat)
        return found

    def send(self, seat: Seat, lacks: Sequence[Wanted]) -> None:
        """See Engine."""
        sent = []
        for wanted in lacks:
            if wanted not in self.copied:
                path = self.folder / f"sent-{secrets.token_hex(8)}"
                shutil.copyfile(wanted.path, path)
                self.copied[wanted] = str(path)
            sent.append((wanted, self.copied[wanted]))
        self._tell(seat, Sent(tuple(sent)))

    def hand(self, seat: Seat, task: Task, files: Files, known: Piloted | None) -> None:
        """See Engine."""
        with suppress(FileNotFoundError):
            self._tell(seat, Handed(task, known, self.seats[seat].mailbox.keep(files)))

    def leave(self, seat: Seat) -> None:
        """See Engine."""
        self._tell(seat, Leave())

    def stop(self, seat: Seat) -> None:
        """See Engine."""
        self.seats[seat].is_stopping = True
        self._tell(seat, Stop())

    def _tell(self, seat: Seat, message: object) -> None:
        with suppress(FileNotFoundError):  # of one that is gone: `wait` tells
            self.seats[seat].mailbox.to_worker.append([message])

    def end(self, seats: Sequence[Seat]) -> None:
        """See Engine."""
        self._end([self.seats.pop(seat) for seat in seats if seat in self.seats])

    def _end(self, workers: Sequence[_Worker]) -> None:
        """Ends workers by removing their mailboxes, and jobs that have no other worker."""
        used = {worker.job for worker in self.seats.values()}
        self.queue.cancel({worker.job for worker in workers if not worker.has_left} - used)
        for worker in workers:
            shutil.rmtree(worker.mailbox.folder, ignore_errors=True)

    def wait(self, seconds: float) -> Iterator[tuple[Seat, Message]]:
        """See Engine."""
        self._submit()
        end, n = time.monotonic() + seconds, 0
        while not n:
            for seat, worker in list(self.seats.items()):
                for message in self._new(seat, worker):
                    n += 1
                    yield seat, message
            if time.monotonic() > end:
                return
            time.sleep(min(seconds, max(0.01, 0.002 * len(self.seats))))  # each look is a request to the file server

    def _submit(self) -> None:
        """Jobs for the workers that have none."""
        new = [worker for worker in self.seats.values() if not worker.job]
        groups = [new[at : at + self.runs_per_job] for at in range(0, len(new), self.runs_per_job)]
        if not groups:
            return
        folders = [[str(worker.mailbox.folder) for worker in group] for group in groups]
        for number, group in zip(self.queue.submit(slurm_host.work, folders), groups, strict=True):
            for worker in group:
                worker.job = number
                worker.mailbox.job_file.write_text(number, encoding="utf-8")

    def _new(self, seat: Seat, worker: _Worker) -> Iterator[Message]:
        """What a worker has said, or that it is gone."""
        try:
            for message in worker.mailbox.heard():
                worker.spoke = time.monotonic()
                if seat not in self.seats:
                    return
                if isinstance(message, Arrived):
                    self.n_failed_starts = 0
                if isinstance(message, Told) and isinstance(message.event, RunStopped) and not worker.is_stopping:
                    message = Saved(message.event.job, message.files)  # as an earlier process wanted it
                worker.has_left |= isinstance(message, Left | Failed | Lost)
                if isinstance(message, Message):
                    yield message
                if isinstance(message, Lost):
                    self.end([seat])
        except FileNotFoundError:
            worker.ended = worker.ended or time.monotonic() - SECONDS_TO_READ
        except OSError:  # of a file server: if that lasts, the worker is silent
            pass
        if seat in self.seats and not worker.has_left and (lost := self._loss(worker)) is not None:
            self.end([seat])
            yield lost

    def _loss(self, worker: _Worker) -> Message | None:
        """That a worker is lost, once that is certain."""
        now, state = time.monotonic(), self.queue.has_ended(worker.job)
        if not worker.ended and (state or (worker.spoke and now - worker.spoke > SECONDS_SILENT)):
            worker.ended = now
        if not worker.ended or now - worker.ended < SECONDS_TO_READ:
            return None
        if worker.spoke:
            if not state:
                return Lost(N_("the worker in job {job} does not answer").format(job=worker.job))
            return Lost(N_("the worker in job {job} was lost ({state})").format(job=worker.job, state=state))
        self.n_failed_starts += 1
        if self.n_failed_starts >= MOST_FAILED_STARTS:
            found = _("job {job} ended before its worker started ({state}). {log}")
            log = self.queue.log(worker.job) or _("It wrote no log: do all machines see {folder}?").format(
                folder=self.folder
            )
            return Failed(RunnerError(found.format(job=worker.job, state=state, log=log)))
        return Lost(N_("job {job} ended before its worker started ({state})").format(job=worker.job, state=state))

    def room(self) -> str:
        """See Engine."""
        return self.queue.waiting({worker.job for worker in self.seats.values()})


def _handed(mailbox: Mailbox) -> tuple[list[Task], list[Task]]:
    """The tasks of a worker, and those of them that have had no final event."""
    handed = [message.task for message in Log(mailbox.to_worker.path).read() if isinstance(message, Handed)]
    open_ = list(handed)
    for said in Log(mailbox.from_worker.path).read():
        told = said.message if isinstance(said, WithFiles) else said
        if isinstance(told, Told) and isinstance(told.event, FINAL) and (task := task_of(told.event, open_)):
            open_.remove(task)
    return handed, open_


def _is_same(one: Assignment, other: Assignment) -> bool:
    """Whether a worker of one does the same as one of the other, wherever the command was given."""
    same: dict[str, Any] = {"environment": {}, "language": "", "folder": ""}
    return all(
        getattr(a, name) == getattr(b, name)
        for a, b in [(replace(one, **same), replace(other, **same))]
        for name in ("study", "wanted", "photos", "shared")
    ) and replace(one.context, git=None) == replace(other.context, git=None)
