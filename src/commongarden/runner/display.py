"""How a study looks while it runs: live lines in a terminal, plain lines elsewhere, or the log of the original
experiment. A display is fed events and may forget them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from commongarden.i18n.coded import Coded
from commongarden.i18n.durations import duration
from commongarden.i18n.language import _, ngettext, translate
from commongarden.io import fitted
from commongarden.records import Epoch, Run
from commongarden.records.classic_log import classic_log
from commongarden.runner.events import (
    EpochDone,
    Event,
    FoldJob,
    Job,
    RunDone,
    RunStopped,
    Started,
    Stepped,
    Trial,
    WorkerDied,
)


class Display(Protocol):
    """Shows a study's preparation and its events."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def prepare(self, what: str, done: int, total: int) -> None: ...

    def note(self, text: str) -> None: ...

    def begin(self, jobs: Mapping[Job, float], epochs: Mapping[Job, int], n_workers: int) -> None:
        """Starts the display. jobs: the size of each run, in any unit; epochs: of each run."""
        ...

    def show(self, event: Event) -> None: ...


SHARE_TO_ESTIMATE, SECONDS_TO_ESTIMATE = 0.03, 20.0  # of the work, and of time; what is reached first


class TimeLeft:
    """Seconds left for the whole study, from the work done since the first run began and the time it took. clock: says
    when an event happened, in seconds."""

    def __init__(
        self, sizes: Mapping[Job, float], epochs: Mapping[Job, int], clock: Callable[[], float] | None = None
    ) -> None:
        self.sizes, self.epochs, self.clock = sizes, epochs, clock or (lambda: time.monotonic())
        self.share = dict.fromkeys(sizes, 0.0)
        self.at_start = 0.0
        self.start: float | None = None

    def update(self, event: Event) -> None:
        """Takes in what an event says of its run's progress."""
        match event:
            case Started(job, before):
                self.start = self.clock() if self.start is None else self.start
                self.share[job] = len(before) / self.epochs[job]
                self.at_start += self.sizes[job] * self.share[job]
            case Stepped(job, epoch, step, steps):
                self.share[job] = (epoch - 1 + step / steps) / self.epochs[job]
            case EpochDone(job, epoch):
                self.share[job] = epoch.epoch / self.epochs[job]
            case RunDone(job):
                self.share[job] = 1.0

    def seconds(self) -> float | None:
        """None while there is too little to estimate it from."""
        done = sum(self.sizes[job] * share for job, share in self.share.items())
        gained = done - self.at_start
        whole, elapsed = sum(self.sizes.values()), self.clock() - (self.start or 0.0)
        if gained <= 0 or (gained < SHARE_TO_ESTIMATE * whole and elapsed < SECONDS_TO_ESTIMATE):
            return None
        return (whole - done) / gained * elapsed


def left(seconds: float | None) -> str:
    """The time left for the whole study."""
    if seconds is None:
        return _("estimating the remaining time")
    return _("{duration} left").format(duration=duration(seconds))


def planned(n_runs: int, n_workers: int) -> str:
    """Said before the first run."""
    runs = ngettext("{n} run", "{n} runs", n_runs).format(n=n_runs)
    return _("{runs}, {n} at a time").format(runs=runs, n=n_workers)


def name_of(job: Job) -> str:
    """What a run is called while it is made."""
    if isinstance(job, Trial):
        return _("{arm}, tuning run {number}").format(arm=job.arm, number=job.number + 1)
    if isinstance(job, FoldJob):
        return _("{arm}, fold {fold}").format(arm=job.arm, fold=job.seed)
    return _("{arm}, seed {seed}").format(arm=job.arm, seed=job.seed)


def placed(run: str, host: str) -> str:
    """A run's name with the machine of a cluster that it is on."""
    return _("{run} on {host}").format(run=run, host=host) if host else run


def died(job: Job, cause: Coded) -> str:
    """Said where a run loses its worker."""
    text = _("{run}: {cause}; resuming from the last checkpoint in another worker")
    return text.format(run=name_of(job), cause=translate(cause))


def outcome(run: Run) -> str:
    """One line's end for a run that is in the store."""
    if run.failure is not None:
        return _("failed: {reason}").format(reason=run.failure)
    if run.test_accuracy is None:
        return _("done, with learning rate {lr:g}").format(lr=run.recipe.lr)
    return _("test accuracy {accuracy:.1%}, loss {loss:.3f}").format(accuracy=run.test_accuracy, loss=run.test_loss)


class LiveDisplay:
    """A line for each run under way, one for each finished one, and the time left."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.preparing = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self.tasks: dict[str, object] = {}
        self.running: dict[Job, Stepped | EpochDone | Started] = {}
        self.hosts: dict[Job, str] = {}
        self.left: TimeLeft | None = None
        self.n_done = 0
        self.live = Live(self.preparing, console=console, refresh_per_second=4, transient=False)

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.live.stop()

    def prepare(self, what: str, done: int, total: int) -> None:
        if what not in self.tasks:
            self.tasks[what] = self.preparing.add_task(what, total=total)
        self.preparing.update(self.tasks[what], completed=done, total=total)  # type: ignore[arg-type]

    def note(self, text: str) -> None:
        self.console.print(Text(text, "yellow"))

    def begin(self, jobs: Mapping[Job, float], epochs: Mapping[Job, int], n_workers: int) -> None:
        self.left, self.n_done = TimeLeft(jobs, epochs), 0
        self.console.print(planned(len(jobs), n_workers))
        self.live.update(self._picture())

    def show(self, event: Event) -> None:
        assert self.left is not None
        self.left.update(event)
        match event:
            case RunDone(job, run):
                self.running.pop(job, None)
                self.n_done += 1
                self.console.print(Text(f"{name_of(job)}: {outcome(run)}", "red" if run.failure else ""))
            case RunStopped(job):
                self.running.pop(job, None)
            case WorkerDied(job, cause):
                self.running.pop(job, None)
                self.note(died(job, cause))
            case _:
                self.running[event.job] = event
                if isinstance(event, Started):
                    self.hosts[event.job] = event.host
                if isinstance(event, Started) and event.note:
                    self.note(f"{name_of(event.job)}: {translate(event.note)}")
        self.live.update(self._picture())

    def _picture(self) -> Group:
        assert self.left is not None
        table = fitted.columns([_("run")], [_("epoch"), _("loss"), _("accuracy"), _("images/s")])
        for job, event in self.running.items():
            name, of = placed(name_of(job), self.hosts.get(job, "")), self.left.epochs[job]
            match event:
                case Started():
                    table.add_row(name, _("starting"), "", "", "")
                case Stepped(_job, epoch, step, steps, loss, accuracy, speed):
                    figures = f"{loss:.3f}", f"{accuracy:.1%}", f"{speed:.0f}"
                    table.add_row(name, f"{epoch - 1 + step / steps:.1f}/{of}", *figures)
                case EpochDone(epoch=epoch, images_per_second=speed):
                    figures = f"{epoch.train_loss:.3f}", f"{epoch.train_accuracy:.1%}", f"{speed:.0f}"
                    table.add_row(name, f"{epoch.epoch}/{of}", *figures)
        done = _("{n} of {total} runs done").format(n=self.n_done, total=len(self.left.sizes))
        return Group(fitted.Fitted(table), Text(f"{done}; {left(self.left.seconds())}", "bold"))


class PlainDisplay:
    """A line for each epoch and run, for logs and pipes."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self.line = line
        self.left: TimeLeft | None = None
        self.told: dict[str, float] = {}
        self.begun: set[object] = set()  # jobs, of which a stop is worth a line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def prepare(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self.told.get(what, 0.0) > 10:
            self.told[what] = now
            self.line(_("{what}: {done} of {total}").format(what=what, done=done, total=total))

    def note(self, text: str) -> None:
        self.line(text)

    def begin(self, jobs: Mapping[Job, float], epochs: Mapping[Job, int], n_workers: int) -> None:
        self.left = TimeLeft(jobs, epochs)
        self.line(planned(len(jobs), n_workers))

    def show(self, event: Event) -> None:
        assert self.left is not None
        self.left.update(event)
        name = name_of(event.job)
        if isinstance(event, Started):
            self.begun.add(event.job)
        match event:
            case Started(note=note, host=host) if note:
                self.line(f"{placed(name, host)}: {translate(note)}")
            case Started(epochs_before=before, host=host) if before:
                name = placed(name, host)
                self.line(_("{run}: resumed after epoch {epoch}").format(run=name, epoch=len(before)))
            case Started(host=host) if host:
                self.line(_("{run}: starting").format(run=placed(name, host)))
            case EpochDone(job, epoch, speed):
                seconds = self.left.seconds()
                said = _(
                    "{run}: epoch {epoch}/{epochs}, loss {cost:.3f}, accuracy {train:.3f}, validation {val:.3f}, "
                    "{speed:.0f} images/s"
                ).format(
                    run=name,
                    epoch=epoch.epoch,
                    epochs=self.left.epochs[job],
                    cost=epoch.train_loss,
                    train=epoch.train_accuracy,
                    val=epoch.val_accuracy,
                    speed=speed,
                )
                self.line(said if seconds is None else f"{said}; {left(seconds)}")
            case WorkerDied(job, cause):
                self.line(died(job, cause))
            case RunDone(run=run):
                self.line(f"{name}: {outcome(run)}")
            case RunStopped(job) if job in self.begun:
                self.line(_("{run}: stopped, its epochs are saved").format(run=name))


class ClassicDisplay(PlainDisplay):
    """The log of the original experiment, line for line. Where several runs go on at a time, the lines of each come
    together when it is done.

    log: takes the log's lines; line: what the original had not, such as the photos being read. Accuracies are
    training/validation; seconds are those of the interval and those since the start. Where a study has several seeds,
    the seed stands behind the model's name.
    """

    def __init__(self, log: Callable[[str], None], line: Callable[[str], None], n_seeds: int) -> None:
        super().__init__(line)
        self.log = log
        self.n_seeds = n_seeds
        self.n_epochs: Mapping[Job, int] = {}
        self.one_at_a_time = False
        self.epochs: dict[Job, list[Epoch]] = defaultdict(list)
        self.n_told: dict[Job, int] = defaultdict(int)

    def begin(self, jobs: Mapping[Job, float], epochs: Mapping[Job, int], n_workers: int) -> None:
        super().begin(jobs, epochs, n_workers)
        self.n_epochs, self.one_at_a_time = epochs, n_workers == 1

    def show(self, event: Event) -> None:
        if isinstance(event.job, Trial):  # the original tuned by hand
            super().show(event)
            return
        match event:
            case Started(job, before):
                self.epochs[job] = list(before)
                self._tell(job, None)
            case EpochDone(job, epoch):
                self.epochs[job].append(epoch)
                self._tell(job, None)
            case RunDone(job, run):
                self._tell(job, run)
            case WorkerDied(job, cause):
                self.line(died(job, cause))

    def _tell(self, job: Job, run: Run | None) -> None:
        if run is None and not self.one_at_a_time:
            return
        name = f"{job.arm}" if self.n_seeds == 1 else f"{job.arm}/{job.seed}"
        lines = classic_log(name, self.n_epochs[job], self.epochs[job], run)
        for text in lines[self.n_told[job] :]:
            self.log(text)
        self.n_told[job] = len(lines)
