"""The workers of a study on other machines, and the tasks that wait for them: who gets which task, what happens if a
worker is lost, and what is written of what they send. It knows no engine (engine.py).

The process that holds the study alone writes it. A machine that is lost is no fault of the run that was on it: the run
goes on from the last checkpoint that arrived, on an idle worker. What a lost worker still says is not heard.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from commongarden import store as stores
from commongarden.cluster.arriving import kind_of_machine
from commongarden.cluster.engine import Engine, Seat
from commongarden.cluster.host import read_folder
from commongarden.cluster.messages import Arrived, Assignment, Failed, Files, Left, Lost, Message, Saved, Told
from commongarden.errors import RunnerError
from commongarden.i18n.coded import NOTHING, Coded
from commongarden.i18n.language import N_, _
from commongarden.runner import plan
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
    Started,
    Task,
    WorkerDied,
)
from commongarden.runner.task_runner import give_up
from commongarden.runner.workers import failed_task
from commongarden.store import Store

MOST_LOSSES = 5  # of machines at one task without a new checkpoint, after which it has failed: it may be the cause
SECONDS_TO_ARRIVE = 30.0  # in which a worker of the right kind may still come for a run with a checkpoint
SECONDS_BETWEEN_NOTES = 60.0  # of what is waited for
FIRST_NOTE = 10.0
FINAL = (RunDone, RunStopped, Audited, Piloted, Attributed)  # the last event of a task
ELSEWHERE = N_("its checkpoint is from another kind of machine, where the numbers may differ; restarting")


@dataclass
class Crew:
    """The workers of one call of `execute`. n: tasks at a time. most_seats: workers at a time. tell: hears what is
    waited for. known: what a run of each arm takes."""

    engine: Engine
    assignment: Assignment
    n: int
    most_seats: int
    known: Mapping[str, Piloted]
    stop: Callable[[], bool]
    more: Callable[[], Sequence[Task]] | None
    tell: Callable[[str], None]
    waiting: deque[Task] = field(default_factory=deque)
    seats: list[Seat] = field(default_factory=list)
    losses: Counter[Task] = field(default_factory=Counter)
    notes: dict[Job, Coded] = field(default_factory=dict)  # for the Started of a run that begins again
    is_stopping: bool = False
    since: float = field(default_factory=time.monotonic)
    noted: float = 0.0

    @cached_property
    def store(self) -> Store:
        """The study."""
        return Store(self.assignment.context.root)

    def events(self) -> Iterator[Event | Seen]:
        """Those of all tasks, until there is neither a task nor a worker."""
        self.noted = time.monotonic() + FIRST_NOTE - SECONDS_BETWEEN_NOTES
        while True:
            self._ask_for_more()
            self._hand_out()
            if self.stop() and not self.is_stopping:
                self._send_home()
            if not self.seats:
                yield from (RunStopped(job) for job in self.waiting if isinstance(job, Job))
                return
            for seat, message in self.engine.wait(0.2):
                if seat in self.seats:
                    yield from self._heard(seat, message)
            self._note()

    def dismiss(self) -> None:
        """Ends every worker."""
        self.engine.end(self.seats)

    def _ask_for_more(self) -> None:
        if self.more is None or self.waiting or self.stop() or any(seat.held for seat in self.seats):
            return
        self.waiting.extend(self.more())
        if not self.waiting:
            self.more = None

    def _hand_out(self) -> None:
        """Gives idle workers what they may take, asks for workers where more are wanted, and sends those home for whom
        nothing is left."""
        if self.stop():
            return
        for seat in [seat for seat in self.seats if seat.is_open and not seat.leaves]:
            while self.waiting and len(seat.held) < self._slots(seat):
                if sum(len(one.held) for one in self.seats) >= self.n or not self._hand(seat):
                    break
        n_free = sum(not seat.held for seat in self.seats)
        while len(self.seats) < self.most_seats and n_free < len(self.waiting):
            self.seats.append(self.engine.start(self.assignment))
            n_free += 1
        if self.more is None and not self.waiting:
            for seat in [seat for seat in self.seats if not seat.held and not seat.leaves]:
                if not seat.is_open and not any(one.held for one in self.seats):
                    self._dismiss(seat)  # it may never find room
                elif seat.is_open:
                    seat.leaves = True
                    self.engine.leave(seat)

    def _slots(self, seat: Seat) -> int:
        """Tasks that a worker holds at a time: several runs on a GPU, as many as their pilots have found to be
        fastest."""
        together = [*seat.held, self.waiting[0]]
        if self.assignment.context.device == "cpu" or not all(isinstance(task, Job) for task in together):
            return 1
        known = [self.known.get(task.arm) for task in together]
        return min((one.side_by_side for one in known if one is not None and one.side_by_side), default=1)

    def _hand(self, seat: Seat) -> bool:
        """Gives a worker the first task that it may take; whether there was one."""
        task = next((task for task in self.waiting if self._fits(task, seat)), None)
        if task is None:
            return False
        self.waiting.remove(task)
        seat.held.append(task)
        self.engine.hand(seat, task, self._files_for(task, seat), self.known.get(task.arm))
        return True

    def _fits(self, task: Task, seat: Seat) -> bool:
        """Whether a run goes on from its checkpoint there, or there is no worker where it could."""
        kind = self._kind_of_checkpoint(task)
        if not kind or seat.about is None or seat.about.kind == kind:
            return True
        if any(one.about is not None and one.about.kind == kind for one in self.seats):
            return False
        may_come = any(one.about is None for one in self.seats)
        return not (may_come and time.monotonic() - self.since < SECONDS_TO_ARRIVE)

    def _kind_of_checkpoint(self, task: Task) -> str:
        """The kind of machine that made the checkpoint of a run; "" where there is none."""
        if not isinstance(task, Job):
            return ""
        kept, number = plan.kept_in(self.store, task)
        partial = kept.partial(task.arm, number)
        if not (partial / stores.CHECKPOINT).is_file():
            return ""
        try:
            return (partial / stores.KIND).read_text(encoding="utf-8")
        except OSError:
            return kind_of_machine()  # it was made here, without a cluster

    def _files_for(self, task: Task, seat: Seat) -> Files:
        """What a task goes on from: a run's checkpoint, or the finished run whose attention is drawn."""
        if isinstance(task, AttributionTask):
            return read_folder(self.store.directory(task.arm, task.seed), self.store.root)
        if not isinstance(task, Job) or not (kind := self._kind_of_checkpoint(task)):
            return {}
        kept, number = plan.kept_in(self.store, task)
        path = kept.partial(task.arm, number) / stores.CHECKPOINT
        if seat.about is not None and seat.about.kind != kind:
            self.notes[task] = ELSEWHERE
            with stores.changing(path):
                path.unlink()
            return {}
        with stores.changing(path):
            return {path.relative_to(self.store.root).as_posix(): path.read_bytes()}

    def _send_home(self) -> None:
        """All workers, once the study is stopped."""
        self.is_stopping = True
        for seat in list(self.seats):
            if seat.is_open:
                self.engine.stop(seat)
            else:
                self._dismiss(seat)

    def _dismiss(self, seat: Seat) -> None:
        self.seats.remove(seat)
        self.engine.end([seat])

    def _heard(self, seat: Seat, message: Message) -> Iterator[Event | Seen]:
        """What comes of one message."""
        match message:
            case Arrived():
                self._arrived(seat, message)
            case Told():
                yield from self._told(seat, message)
            case Saved():
                if message.job in seat.held and message.files:
                    self._keep_checkpoint(message.job, message.files, seat)
            case Failed():
                raise message.error
            case Left():
                self.seats.remove(seat)
                self.engine.end([seat])
                yield from self._lost(seat, N_("the worker on {host} ended early").format(host=_host(seat)))
            case Lost():
                self.seats.remove(seat)
                yield from self._lost(seat, message.cause)

    def _arrived(self, seat: Seat, about: Arrived) -> None:
        if seat.about is None:
            self._check(about)
        elif about.lacks:
            text = _("{host}: {path} was sent and is not there; is the disk full?")
            raise RunnerError(text.format(host=about.host, path=about.lacks[0].path))
        seat.about = about
        seat.is_open = not about.lacks
        if about.lacks:
            if self.assignment.shared:
                text = _("{host}: {path} is not there; accepted: shared = false in [files], which sends files")
                raise RunnerError(text.format(host=about.host, path=about.lacks[0].path))
            self.engine.send(seat, about.lacks)

    def _check(self, about: Arrived) -> None:
        """Raises RunnerError for a machine on which a run would not be the same, or could not be made."""
        here = plan.machine().packages
        different = [name for name in here if about.packages.get(name) != here[name]]
        if different:
            name = different[0]
            text = _("{host}: {name} is {found} there and {here} here; accepted: the same version on all machines")
            found = about.packages.get(name) or _("not installed")
            raise RunnerError(text.format(host=about.host, name=name, found=found, here=here[name]))
        if about.lacks_photos:
            text = _(
                "{host}: {path} cannot be read there, or is another file. This study reads the original images while "
                "it trains (random-resized-crop, or images that do not fit the cache); accepted: the folder of images "
                "under the same path on all machines"
            )
            raise RunnerError(text.format(host=about.host, path=about.lacks_photos))

    def _told(self, seat: Seat, told: Told) -> Iterator[Event | Seen]:
        event, task = told.event, task_of(told.event, seat.held)
        if task is None:
            return
        if isinstance(event, RunDone):
            kept, number = plan.kept_in(self.store, event.job)
            files = {name.rpartition("/")[2]: data for name, data in told.files.items()}
            stores.adopt_run(kept, event.job.arm, number, files)
        elif isinstance(task, Job) and told.files:
            self._keep_checkpoint(task, told.files, seat)
        if isinstance(event, Started):
            note = self.notes.pop(event.job, NOTHING) or event.note
            event = dataclasses.replace(event, note=note, host="" if seat.about is None else seat.about.host)
        if isinstance(event, FINAL):
            seat.held.remove(task)
        yield event

    def _keep_checkpoint(self, job: Job, files: Files, seat: Seat) -> None:
        kept, number = plan.kept_in(self.store, job)
        partial = kept.partial(job.arm, number)
        stores.make_folder(partial)
        (data,) = files.values()
        assert seat.about is not None, "a worker that has not arrived tells nothing"
        stores.write_atomically(partial / stores.KIND, seat.about.kind.encode())
        stores.write_atomically(partial / stores.CHECKPOINT, data)
        self.losses.pop(job, None)

    def _lost(self, seat: Seat, cause: Coded) -> Iterator[Event | Seen]:
        """What is reported of the tasks of a worker that is lost; they go on before those that wait."""
        again: list[Task] = []
        for task in seat.held:
            if self.stop():
                if isinstance(task, Job):
                    yield RunStopped(task)
                continue
            self.losses[task] += 1
            if self.losses[task] < MOST_LOSSES:
                again.append(task)
                if isinstance(task, Job):
                    yield WorkerDied(task, cause)
            elif isinstance(task, Job):
                yield give_up(self.assignment.context, task, cause, MOST_LOSSES)
            else:
                yield failed_task(task, cause)
        self.waiting.extendleft(reversed(again))

    def _note(self) -> None:
        """Says what is waited for, where there is no room for the workers that are wanted."""
        now = time.monotonic()
        if now - self.noted < SECONDS_BETWEEN_NOTES or self.is_stopping:
            return
        n_coming = sum(seat.about is None for seat in self.seats)
        if n_coming and self.waiting:
            self.noted = now
            text = _("waiting for room: {n} of {wanted} workers have started; {room}")
            n_here = len(self.seats) - n_coming
            self.tell(text.format(n=n_here, wanted=len(self.seats), room=self.engine.room()))


def task_of(event: Event | Seen, held: Sequence[Task]) -> Task | None:
    """The one of a worker's tasks that an event is of."""
    if not isinstance(event, Audited | Piloted | Attributed):
        return event.job if event.job in held else None
    kind = {Audited: AuditTask, Piloted: Pilot, Attributed: AttributionTask}[type(event)]
    return next((task for task in held if isinstance(task, kind) and task.arm == event.arm), None)


def _host(seat: Seat) -> str:
    return "?" if seat.about is None else seat.about.host
