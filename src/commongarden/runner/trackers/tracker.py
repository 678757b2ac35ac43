"""What all trackers have in common: which figures of which runs they get, under which names."""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from commongarden.records import Epoch
from commongarden.runner.events import EpochDone, Event, Job, RunDone, RunStopped, Started, Trial, WorkerDied
from commongarden.runner.observers import Observer
from commongarden.stats import Results
from commongarden.study import Study

Handle = TypeVar("Handle")
ARTIFACTS = ("report.html", "results.json", "results.csv", "study.toml")
EPOCH = {
    "train/loss": "train_loss",
    "train/accuracy": "train_accuracy",
    "val/loss": "val_loss",
    "val/accuracy": "val_accuracy",
    "val/ema_loss": "ema_val_loss",
    "val/ema_accuracy": "ema_val_accuracy",
    "lr": "lr",
}


class Tracker(Observer, Generic[Handle]):
    """A tracker with a run of its own for each run of the study, named ARM/SEED, and one for the study's results.

    Tuning runs are left out. A run that is resumed is a new one there, which gets the epochs before from its history.
    """

    def __init__(self) -> None:
        self.study: Study | None = None
        self.folder = Path()
        self.open: dict[Job, Handle] = {}

    @abstractmethod
    def begin_run(self, name: str, arm: str, config: Mapping[str, Any]) -> Handle:
        """Begins a run there. config: recipe, architecture, seed."""

    @abstractmethod
    def log(self, handle: Handle, values: Mapping[str, float], step: int) -> None:
        """Logs figures of an epoch."""

    @abstractmethod
    def end_run(self, handle: Handle, status: str) -> None:
        """Ends a run there: "finished", "failed" or "stopped"."""

    def log_study(self, values: Mapping[str, float], verdicts: list[str], files: list[Path]) -> None:
        """Logs the results of the whole study. values: figures; files: the report and its data."""

    def begin_study(self, study: Study, folder: Path) -> None:
        self.study, self.folder = study, folder

    def take(self, event: Event) -> None:
        job = event.job
        if isinstance(job, Trial):
            return
        match event:
            case Started(epochs_before=before):
                if job in self.open:
                    self.end_run(self.open.pop(job), "stopped")
                self.open[job] = self.begin_run(f"{job.arm}/{job.seed}", job.arm, self.config(job))
                for epoch in before:
                    self.log(self.open[job], values_of(epoch), epoch.epoch)
            case EpochDone(epoch=epoch) if job in self.open:
                self.log(self.open[job], values_of(epoch), epoch.epoch)
            case RunDone(run=run) if job in self.open:
                if run.test_accuracy is not None:
                    tested = {"test/accuracy": run.test_accuracy, "test/loss": run.test_loss or math.nan}
                    self.log(self.open[job], _finite(tested), run.selected_epoch)
                self.end_run(self.open.pop(job), run.status)
            case RunStopped() | WorkerDied() if job in self.open:
                self.end_run(self.open.pop(job), "stopped")

    def close(self, error: BaseException | None) -> None:
        for job in list(self.open):
            self.end_run(self.open.pop(job), "stopped")

    def end(self, results: Results, report: Path) -> None:
        table = json.loads((report.parent / "results.json").read_bytes())
        values: dict[str, float] = {}
        for arm in results.arms:
            if (reached := arm.test_accuracy) is not None:
                values[f"test_accuracy/{arm.arm}"] = reached.value
                if reached.low is not None and reached.high is not None:
                    values |= {
                        f"test_accuracy_low/{arm.arm}": reached.low,
                        f"test_accuracy_high/{arm.arm}": reached.high,
                    }
        verdicts = [str(contrast["verdict"]) for contrast in table["contrasts"]]
        files = [path for name in ARTIFACTS if (path := report.parent / name).is_file()]
        self.log_study(_finite(values), verdicts, files)

    def config(self, job: Job) -> dict[str, Any]:
        """What is known of a run before it begins."""
        assert self.study is not None
        arm = self.study.arms[job.arm]
        recipe = msgspec.to_builtins(self.study.recipe_of(job.arm))
        return {"study": self.study.name, "arm": job.arm, "architecture": arm.arch, "seed": job.seed, **recipe}


def values_of(epoch: Epoch) -> dict[str, float]:
    """An epoch's figures by the names that trackers show."""
    found = {name: getattr(epoch, field) for name, field in EPOCH.items()}
    return _finite({name: value for name, value in found.items() if value is not None})


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if math.isfinite(value)}
