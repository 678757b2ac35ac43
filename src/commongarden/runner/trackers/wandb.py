"""Weights & Biases: a project of the study's name, a run for each of its runs grouped by arm, and one with the results.

Where runs are kept, and whether they are uploaded, is W&B's own setting (WANDB_MODE, WANDB_DIR, WANDB_ENTITY).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commongarden.errors import RunnerError
from commongarden.i18n.language import _
from commongarden.runner.trackers.tracker import Tracker

if TYPE_CHECKING:
    from wandb import Run

ENDS = {"finished": 0, "failed": 1, "stopped": 255}
NOT_IN_NAMES = re.compile(r"[/\\#?%:]")  # of projects


class WandB(Tracker["Run"]):
    """Raises ImportError where wandb is not installed, and RunnerError where it would ask for a key."""

    name = "wandb"

    def __init__(self) -> None:
        import wandb

        super().__init__()
        self.wandb = wandb
        is_online = os.environ.get("WANDB_MODE", "online") in ("online", "run", "shared")
        if is_online and not wandb.login(prompt=False, verify=False):  # it would ask in the middle of a run
            raise RunnerError(
                _("--log-to wandb: no API key found; accepted: `wandb login` first, or WANDB_MODE=offline")
            )

    def begin_run(self, name: str, arm: str, config: Mapping[str, Any]) -> Run:
        return self._init(name, arm, dict(config))

    def log(self, handle: Run, values: Mapping[str, float], step: int) -> None:
        if any(name.startswith("test/") for name in values):
            handle.summary.update(dict(values))  # of an epoch before the last one, which wandb takes no more figures of
        else:
            handle.log(dict(values), step=step)

    def end_run(self, handle: Run, status: str) -> None:
        handle.finish(exit_code=ENDS[status])

    def log_study(self, values: Mapping[str, float], verdicts: list[str], files: list[Path]) -> None:
        handle = self._init("results", "results", {})
        handle.summary.update(dict(values) | {"verdicts": verdicts})
        artifact = self.wandb.Artifact("report", type="report")
        for path in files:
            artifact.add_file(str(path))
        handle.log_artifact(artifact)
        handle.finish()

    def _init(self, name: str, group: str, config: dict[str, Any]) -> Run:
        assert self.study is not None
        project = NOT_IN_NAMES.sub("-", self.study.name)[:128]
        settings = self.wandb.Settings(silent=True, console="off")
        return self.wandb.init(
            project=project, name=name, group=group, config=config, reinit="create_new", settings=settings
        )
