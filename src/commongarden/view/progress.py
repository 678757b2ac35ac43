"""What the lines of a study's events.jsonl come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from commongarden.records import Epoch
from commongarden.records.event_log import (
    Begun,
    Decided,
    Ended,
    EpochEnded,
    Logged,
    Note,
    Planned,
    PlannedRun,
    Preparing,
    RunEnded,
    RunName,
    RunStopped,
    Started,
    Stepped,
    WorkerDied,
)
from commongarden.runner import events
from commongarden.runner.display import TimeLeft
from commongarden.runner.events import FoldJob, Job, Trial

MOST_NOTES = 50


@dataclass
class UnderWay:
    """A run that is being made. latest: of its steps or epochs; n_before: epochs of an earlier process; host: of
    a cluster, "" for this machine."""

    run: RunName
    n_before: int = 0
    host: str = ""
    latest: Stepped | EpochEnded | None = None


@dataclass
class Progress:
    """The state of a study as far as its lines go. begun: of the last process; ended: of the same, None while it works
    or where it was killed. seconds_worked: of all processes.
    epochs: of each run that the lines tell of, tuning: of each tuning run."""

    now: float = 0.0
    seconds_worked: float = 0.0
    n_sessions: int = 0
    begun: Begun | None = None
    ended: Ended | None = None
    preparing: Preparing | None = None
    planned: tuple[PlannedRun, ...] = ()
    n_workers: int = 0
    under_way: dict[RunName, UnderWay] = field(default_factory=dict)
    done: dict[RunName, RunEnded] = field(default_factory=dict)
    epochs: dict[RunName, list[Epoch]] = field(default_factory=dict)
    tuning: dict[RunName, list[Epoch]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    decided: list[Decided] = field(default_factory=list)
    left: TimeLeft | None = None

    def take(self, lines: Sequence[Logged]) -> None:
        """Takes in lines, in their order."""
        for line in lines:
            if not isinstance(line, Begun):
                self.seconds_worked += max(line.time - self.now, 0.0)
            self.now = line.time
            self._take(line)

    @property
    def epochs_of(self) -> dict[RunName, int]:
        """The epochs of each planned run."""
        return {one.run: one.epochs for one in self.planned}

    def seconds_left(self) -> float | None:
        """Until all planned runs are made, counted from the last line; None while it cannot be estimated."""
        return None if self.left is None or not self.under_way else self.left.seconds()

    def _take(self, line: Logged) -> None:
        match line:
            case Begun():
                self.n_sessions += 1
                self.begun, self.ended, self.preparing, self.left = line, None, None, None
                self.planned, self.n_workers = (), 0
                self.under_way.clear()
                self.notes.clear()
            case Preparing():
                self.preparing = line
            case Planned(runs=runs, n_workers=n_workers):
                self.planned, self.n_workers, self.preparing = runs, n_workers, None
                sizes = {job_of(one.run): one.size for one in runs}
                self.left = TimeLeft(sizes, {job_of(one.run): one.epochs for one in runs}, lambda: self.now)
            case Note(text=text):
                self.notes = [*self.notes, text][-MOST_NOTES:]
            case Decided():
                self.decided = [*self.decided, line][-MOST_NOTES:]
            case Ended():
                self.ended = line
                self.under_way.clear()
            case _:
                self._take_run(line)

    def _take_run(self, line: Started | Stepped | EpochEnded | RunEnded | RunStopped | WorkerDied) -> None:
        run = line.run
        epochs = self.tuning if run.kind == "trial" else self.epochs
        match line:
            case Started(epochs=before, host=host):
                self.under_way[run] = UnderWay(run, len(before), host)
                self.done.pop(run, None)
                epochs[run] = list(before)
                self._count(events.Started(job_of(run), before))
            case Stepped(epoch=epoch, step=step, steps=steps):
                self._under_way(run).latest = line
                self._count(events.Stepped(job_of(run), epoch, step, steps, 0.0, 0.0, 0.0))
            case EpochEnded(epoch=epoch):
                self._under_way(run).latest = line
                known = epochs.setdefault(run, [])
                known[:] = [*(one for one in known if one.epoch < epoch.epoch), epoch]
                self._count(events.EpochDone(job_of(run), epoch, 0.0))
            case RunEnded():
                self.under_way.pop(run, None)
                self.done[run] = line
                if self.left is not None and job_of(run) in self.left.share:
                    self.left.share[job_of(run)] = 1.0
            case RunStopped() | WorkerDied():
                self.under_way.pop(run, None)

    def _under_way(self, run: RunName) -> UnderWay:
        return self.under_way.setdefault(run, UnderWay(run))

    def _count(self, event: events.Started | events.Stepped | events.EpochDone) -> None:
        if self.left is not None and event.job in self.left.share:
            self.left.update(event)


def job_of(run: RunName) -> Job:
    """The runner's name of a run."""
    if run.kind == "trial":
        return Trial(run.arm, run.seed, run.number)
    return FoldJob(run.arm, run.seed) if run.kind == "fold" else Job(run.arm, run.seed)
