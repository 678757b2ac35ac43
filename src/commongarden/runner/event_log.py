"""The observer that keeps events.jsonl, from which `commongarden view` shows a study while it runs."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from commongarden.records import event_log as lines
from commongarden.records.event_log import Logged, PlannedRun, RunName
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
from commongarden.runner.observers import Observer
from commongarden.store import event_log
from commongarden.study import Study

STEP, PREPARATION = 2.0, 1.0  # seconds between two lines of the steps of one run, or of one step of the preparation


class EventLog(Observer):
    """Appends what happens. Lines of the time before the study is there are written when it is: a folder in which no
    study came to be is left as it was."""

    name = lines.FILE

    def __init__(self, device: str) -> None:
        self._file: BinaryIO | None = None
        self._waiting: list[Logged] = [lines.Begun(time.time(), os.getpid(), socket.gethostname(), device)]
        self._told: dict[object, float] = {}

    def begin_study(self, study: Study, folder: Path) -> None:
        self._file = event_log.open_to_append(folder)
        waiting, self._waiting = self._waiting, []
        for line in waiting:
            self._keep(line)

    def prepare(self, what: str, done: int, total: int) -> None:
        if done == total or self._is_due(what, PREPARATION):
            self._keep(lines.Preparing(time.time(), what, done, total))

    def plan(self, sizes: Mapping[Job, float], epochs: Mapping[Job, int], n_workers: int) -> None:
        runs = tuple(PlannedRun(_name(job), epochs[job], size) for job, size in sizes.items())
        self._keep(lines.Planned(time.time(), runs, n_workers))

    def take(self, event: Event) -> None:
        now, run = time.time(), _name(event.job)
        match event:
            case Started(epochs_before=before, host=host):
                self._keep(lines.Started(now, run, before, host))
            case Stepped() if self._is_due(run, STEP):
                loss = event.loss if math.isfinite(event.loss) else None
                figures = (event.epoch, event.step, event.steps_per_epoch, loss, event.accuracy)
                self._keep(lines.Stepped(now, run, *figures, event.images_per_second))
            case EpochDone(epoch=epoch, images_per_second=speed):
                self._keep(lines.EpochEnded(now, run, epoch, speed))
            case RunDone(run=record):
                reason = "" if record.failure is None else record.failure.reason
                self._keep(lines.RunEnded(now, run, record.status, record.test_accuracy, reason))
            case RunStopped():
                self._keep(lines.RunStopped(now, run))
            case WorkerDied(cause=cause):
                self._keep(lines.WorkerDied(now, run, str(cause)))

    def note(self, text: str) -> None:
        self._keep(lines.Note(time.time(), text))

    def close(self, error: BaseException | None) -> None:
        if self._file is not None:
            self._keep(lines.Ended(time.time(), "" if error is None else str(error) or type(error).__name__))
            self._file.close()
            self._file = None

    def _keep(self, line: Logged) -> None:
        if self._file is None:
            self._waiting.append(line)
        else:
            event_log.append(self._file, line)

    def _is_due(self, what: object, seconds: float) -> bool:
        now = time.monotonic()
        if now - self._told.get(what, -math.inf) < seconds:
            return False
        self._told[what] = now
        return True


def _name(job: Job) -> RunName:
    if isinstance(job, Trial):
        return RunName(job.arm, job.seed, "trial", job.number)
    return RunName(job.arm, job.seed, "fold" if isinstance(job, FoldJob) else "run")
