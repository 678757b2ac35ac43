"""TensorBoard's event files: one folder a run under DIR/tensorboard, and one of the study's results."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commongarden.runner.trackers.tracker import Tracker

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

RESULTS = "results"


class TensorBoard(Tracker["SummaryWriter"]):
    """Writes every epoch's losses, accuracies and learning rate, the test accuracy at the end, the verdicts as text.
    Raises ImportError where tensorboard is not installed."""

    name = "tensorboard"

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        super().__init__()
        self.writer, self.target = SummaryWriter, folder

    def begin_run(self, name: str, arm: str, config: Mapping[str, Any]) -> SummaryWriter:
        directory = self.target / name
        shutil.rmtree(directory, ignore_errors=True)  # a run that goes on is written again from its history
        return self.writer(str(directory))

    def log(self, handle: SummaryWriter, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            handle.add_scalar(name, value, step)
        handle.flush()

    def end_run(self, handle: SummaryWriter, status: str) -> None:
        handle.close()

    def log_study(self, values: Mapping[str, float], verdicts: list[str], files: list[Path]) -> None:
        shutil.rmtree(self.target / RESULTS, ignore_errors=True)
        with self.writer(str(self.target / RESULTS)) as writer:
            for name, value in values.items():
                writer.add_scalar(name, value)
            for number, verdict in enumerate(verdicts):
                writer.add_text("verdicts", verdict, number)
