"""Trackio: a project of the study's name, a run for each of its runs grouped by arm, and one with the results.

Where runs are kept is Trackio's own setting (TRACKIO_DIR, TRACKIO_SPACE_ID, TRACKIO_SERVER_URL).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commongarden.runner.trackers.tracker import Tracker

if TYPE_CHECKING:
    from trackio import Run


class Trackio(Tracker["Run"]):
    """Raises ImportError where trackio is not installed."""

    name = "trackio"

    def __init__(self) -> None:
        import trackio

        super().__init__()
        self.trackio = trackio

    def begin_run(self, name: str, arm: str, config: Mapping[str, Any]) -> Run:
        return self._init(name, arm, dict(config))

    def log(self, handle: Run, values: Mapping[str, float], step: int) -> None:
        handle.log(dict(values), step=step)

    def end_run(self, handle: Run, status: str) -> None:
        with contextlib.redirect_stdout(sys.stderr):
            handle.finish()
        current = self.trackio.context_vars.current_run
        if current.get() is handle:
            current.set(None)  # or it is finished once more at the end of the process, which says so on the output

    def log_study(self, values: Mapping[str, float], verdicts: list[str], files: list[Path]) -> None:
        handle = self._init("results", "results", {"verdicts": verdicts})
        handle.log(dict(values), step=0)
        artifact = self.trackio.Artifact("report", type="report")
        for path in files:
            artifact.add_file(str(path))
        handle.log_artifact(artifact)
        self.end_run(handle, "finished")

    def _init(self, name: str, group: str, config: dict[str, Any]) -> Run:
        assert self.study is not None
        with contextlib.redirect_stdout(sys.stderr):  # it says how its dashboard is opened; ours is for results
            return self.trackio.init(
                self.study.name, name, group, config=config, embed=False, auto_log_gpu=False, auto_log_cpu=False
            )
