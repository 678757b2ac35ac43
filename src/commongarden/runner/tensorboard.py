"""TensorBoard's event files, on request: one folder a run under DIR/tensorboard, written by the parent process."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from commongarden.errors import RunnerError
from commongarden.i18n.language import _
from commongarden.records import Epoch
from commongarden.runner.events import EpochDone, Event, Job, RunDone, Started

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class EventFiles:
    """Writes every epoch's losses, accuracies and learning rate, and the test accuracy at the end."""

    def __init__(self, folder: Path) -> None:
        """Raises RunnerError where tensorboard is not installed."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            text = _("--tensorboard needs {name}; install it in commongarden's folder: pip install '.[tensorboard]'")
            raise RunnerError(text.format(name=error.name or "tensorboard")) from None
        self.open = SummaryWriter
        self.folder = folder
        self.writers: dict[Job, SummaryWriter] = {}

    def show(self, event: Event) -> None:
        """Takes in one event."""
        match event:
            case Started(job, before):
                directory = self.folder / job.arm / str(job.seed)
                shutil.rmtree(directory, ignore_errors=True)  # a run that goes on is written anew from its history
                self.writers[job] = self.open(str(directory))
                for epoch in before:
                    self._write(job, epoch)
            case EpochDone(job, epoch):
                self._write(job, epoch)
            case RunDone(job, run) if job in self.writers:
                if run.test_accuracy is not None:
                    self.writers[job].add_scalar("test/accuracy", run.test_accuracy, run.selected_epoch)
                self.writers.pop(job).close()

    def close(self) -> None:
        """Flushes what is still open."""
        for writer in self.writers.values():
            writer.close()

    def _write(self, job: Job, epoch: Epoch) -> None:
        for name, value in (
            ("train/loss", epoch.train_loss),
            ("train/accuracy", epoch.train_accuracy),
            ("val/loss", epoch.val_loss),
            ("val/accuracy", epoch.val_accuracy),
            ("lr", epoch.lr),
        ):
            self.writers[job].add_scalar(name, value, epoch.epoch)
