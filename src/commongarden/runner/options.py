"""How the runs of a study are made: one set of options, from the command line down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from commongarden.runner import budget as budgets
from commongarden.runner.budget import Spending


@dataclass(frozen=True)
class RunOptions:
    """How the runs of a study are made; what is trained is the study's own.

    Args:
        cache_dir: Folder of decoded images and cached results. None for the default folder of this machine.
        n_workers: Runs at a time. None for as many as the physical cores and the memory allow; on GPUs, as many as a
            short measurement finds to be fastest.
        device: "auto", "cpu", "cuda" (all GPUs), "cuda:1", "cuda:0,cuda:2" or "mps".
        keep_going: Continue even if more than 5 % of the images cannot be read.
        retry: Make failed runs again.
        tensorboard: Write event files to OUT/tensorboard, as "tensorboard" in log_to does.
        log_to: Trackers that the study is logged to: some of "tensorboard", "mlflow", "wandb", "trackio".
        until: "resolved" races the study (docs/racing.md); None does not.
        budget: Race within "30m" (of run time) or "40runs". None for no limit.
        most_seeds: The largest number of seeds of an arm in a race. None for 20, or the study's number if it is higher.
        stop_at_futility: End a run at half its epochs if its validation accuracy never exceeded the majority class
            (futility.py). The run is tested as it is then, and counts.
        maps: Draw attribution maps of the finished networks. It takes seconds and changes no run.
        cache_budget: Bytes that all decoded images in cache_dir may take. None for what the disk has. Images that do
            not fit are decoded on the fly, to the same bits.
        argv: The command, stored as command.json.
    """

    cache_dir: str | Path | None = None
    n_workers: int | None = None
    device: str = "auto"
    keep_going: bool = False
    retry: bool = False
    tensorboard: bool = False
    log_to: tuple[str, ...] = ()
    until: str | None = None
    budget: str | None = None
    most_seeds: int | None = None
    stop_at_futility: bool = False
    maps: bool = True
    cache_budget: int | None = None
    argv: tuple[str, ...] = ()

    @property
    def cache_folder(self) -> Path:
        """The folder of decoded images and cached results."""
        from commongarden.data import cache  # loads NumPy

        return cache.default_folder() if self.cache_dir is None else Path(self.cache_dir)

    def spending(self, n_seeds: int) -> Spending | None:
        """How a study of so many seeds is raced; None if it is not. Raises StudyError."""
        most = self.most_seeds or max(budgets.MOST_SEEDS, n_seeds)
        return budgets.spending(self.until, self.budget, most)
