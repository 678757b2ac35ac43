"""A study of the real runner, timed from outside by the events that its display is given."""

from __future__ import annotations

import dataclasses
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from commongarden.errors import RunnerError
from commongarden.i18n.language import _
from commongarden.records import Epoch
from commongarden.records.benchmark import OURS, Case, Trained
from commongarden.runner import limits, plan
from commongarden.runner.callbacks import Callbacks
from commongarden.runner.events import EpochDone, Event, Job, RunDone, Started, Stepped
from commongarden.runner.options import RunOptions
from commongarden.runner.run_study import run_study
from commongarden.study import Study
from commongarden.study import arm as arms
from commongarden.study.recipe import Recipe

if TYPE_CHECKING:
    from commongarden.profiling.energy import Counter


@dataclass
class Listener:
    """A display that shows nothing and writes down when things happened, in seconds of `time.perf_counter`."""

    started: dict[Job, float] = field(default_factory=dict)
    first_step: dict[Job, float] = field(default_factory=dict)
    last_epoch: dict[Job, float] = field(default_factory=dict)
    done: dict[Job, float] = field(default_factory=dict)
    epochs: dict[Job, list[Epoch]] = field(default_factory=lambda: defaultdict(list))
    failed: list[RunDone] = field(default_factory=list)
    skipped: dict[Job, int] = field(default_factory=dict)  # steps before the first that was shown, and it
    peaks: list[int | None] = field(default_factory=list)
    n_workers: int = 1
    counter: Counter | None = None  # of joules
    joules: list[float] = field(default_factory=list)  # at the first step and after each epoch

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def prepare(self, what: str, done: int, total: int) -> None:
        return None

    def note(self, text: str) -> None:
        return None

    def begin(self, jobs: Mapping[Job, float], epochs: Mapping[Job, int], n_workers: int) -> None:
        self.n_workers = n_workers

    def show(self, event: Event) -> None:
        now = time.perf_counter()
        match event:
            case Started(job=job):
                self.started[job] = now
            case Stepped(job=job, step=step):
                self._count(is_first=not self.first_step)
                self.skipped.setdefault(job, step)
                self.first_step.setdefault(job, now)
            case EpochDone(job, epoch):
                self.last_epoch[job] = now
                self.epochs[job].append(epoch)
                self._count()
            case RunDone(job, run):
                self.done[job] = now
                self.peaks.append(getattr(run, "peak_memory_bytes", None))
                if run.status == "failed":
                    self.failed.append(event)

    def _count(self, *, is_first: bool = True) -> None:
        if self.counter is not None and is_first:
            self.joules.append(self.counter())


class Ours:
    """A study of one case, made longer by a few seeds each time that it is timed, as a user would."""

    def __init__(
        self, case: Case, place: int, photos: Path, folder: Path, workers: int | None = None, device: str | None = None
    ) -> None:
        """photos: what is trained on. folder: for the study and its decoded images. workers: [the runner's own].
        device: None for the processor."""
        self.device = device
        self.case, self.place, self.folder, self.wanted = case, place, folder, workers
        name, arm = arms.from_text(case.arm)
        recipe = Recipe(
            resolution=case.resolution, epochs=case.epochs, batch_size=case.batch_size, optimizer="adam", lr=1e-3
        )
        self.study = Study("bench", str(photos), {name: arm}, recipe, seeds=(0,))
        self.n_seeds = 0

    def at_once(self) -> int:
        """How many runs the runner makes at a time on this machine, if there are enough."""
        return plan.n_workers(self.study, self._most(), self.case.folder.n_classes, self.device or "cpu", self.wanted)

    def _most(self) -> int:
        return limits.cores() if self.device is None else plan.MOST_SIDE_BY_SIDE * len(plan.devices(self.device))

    def train(self, number: int, runs: int, *, busy: bool = False) -> Trained:
        """Adds so many runs to the study and makes them.

        Raises RunnerError where a run fails, and CommonGardenError.
        """
        self.n_seeds += runs
        study = dataclasses.replace(self.study, seeds=tuple(range(self.n_seeds)))
        listener, workers = Listener(), min(runs, self.at_once())
        asked = self.wanted  # on a device, the runner measures how many go side by side
        if self.device is None:
            asked = workers
        else:
            import torch

            from commongarden.profiling import energy

            listener.counter = energy.source(torch.device(self.device)).counter
        begun = time.perf_counter()
        options = RunOptions(cache_dir=self.folder / "cache", n_workers=asked, device=self.device or "cpu", maps=False)
        outcome = run_study(study, self.folder / "study", options, Callbacks(listener))
        workers = workers if self.device is None else min(listener.n_workers, runs)
        if outcome.interrupted:
            raise KeyboardInterrupt
        for failed in listener.failed:
            raise RunnerError(_("{arm}: a run failed: {reason}").format(arm=self.case.arm, reason=failed.run.failure))
        split = outcome.store.split()
        parts = len(split.train), len(split.val)
        on_device = self.device is not None
        return timed(listener, self.case, self.place, number, workers, parts, begun, busy, on_device=on_device)


def timed(
    heard: Listener,
    case: Case,
    place: int,
    number: int,
    workers: int,
    parts: tuple[int, int],
    begun: float,
    busy: bool = False,
    *,
    on_device: bool = False,
) -> Trained:
    """What the events say. A run's time of training goes from its start, or where it begins at once from the end of its
    first step, to its last epoch, without validation; that of the machine is the runs' sum, shared by the workers. So
    what counts is how much is trained while all workers train, as in a study of many runs; for how much of this one's
    time a worker had no run any more is told beside it. The first step of a run that begins at once counts nowhere: it
    is start-up, as in the scripts.

    On a device, where runs are validated while others train, validation counts as training.

    parts: photos in the train and in the val part. begun: when the study was called.
    """
    runs, (n_train, n_val) = len(heard.done), parts
    at_once = sorted(heard.started, key=heard.started.__getitem__)[:workers]
    first = min(heard.first_step.values())
    begins = {job: heard.first_step[job] if job in at_once else heard.started[job] for job in heard.done}
    training = sum(heard.last_epoch[job] - begins[job] for job in heard.done)
    whole = workers * (max(heard.last_epoch.values()) - first)
    afterwards = sum(heard.done[job] - heard.last_epoch[job] for job in heard.done)
    validation = sum(epoch.seconds_val for epochs in heard.epochs.values() for epoch in epochs)
    wall = sum(heard.last_epoch[job] - heard.started[job] for job in heard.done)
    recorded = sum(epoch.seconds for epochs in heard.epochs.values() for epoch in epochs)
    skipped = sum(heard.skipped[job] for job in at_once) * case.batch_size
    taken = training if on_device else training - validation
    peaks = [peak for peak in heard.peaks if peak is not None]
    return Trained(
        place,
        OURS,
        number,
        busy,
        runs,
        workers,
        1,
        images=runs * case.epochs * n_train - skipped,
        seconds=taken / workers,
        startup=first - begun,
        validation=validation / runs,
        validated=case.epochs * n_val,
        afterwards=afterwards / runs,
        unrecorded=1 - recorded / wall,
        idle=1 - training / whole,
        joules=heard.joules[-1] - heard.joules[0] if heard.joules else None,
        peak_bytes=max(peaks) if on_device and len(peaks) == len(heard.peaks) else None,
    )
