"""MLflow: an experiment of the study's name, a run for each of its runs, and one with the results and the report.

Where runs are kept is MLflow's own setting (MLFLOW_TRACKING_URI).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from commongarden.runner.trackers.tracker import Tracker

ENDS = {"finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}
LONGEST = 500  # letters of a parameter


class MLflow(Tracker[str]):
    """A handle is the id of a run. Raises ImportError where mlflow is not installed."""

    name = "mlflow"

    def __init__(self) -> None:
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.tracking import MlflowClient

        super().__init__()
        self.client, self.metric, self.param, self.tag = MlflowClient(), Metric, Param, RunTag
        self.experiment = ""

    def begin_run(self, name: str, arm: str, config: Mapping[str, Any]) -> str:
        handle = self._create(name)
        params = [self.param(key, str(value)[:LONGEST]) for key, value in config.items()]
        self.client.log_batch(handle, params=params, tags=[self.tag("arm", arm)])
        return handle

    def log(self, handle: str, values: Mapping[str, float], step: int) -> None:
        now = int(1000 * time.time())
        self.client.log_batch(handle, metrics=[self.metric(name, value, now, step) for name, value in values.items()])

    def end_run(self, handle: str, status: str) -> None:
        self.client.set_terminated(handle, ENDS[status])

    def log_study(self, values: Mapping[str, float], verdicts: list[str], files: list[Path]) -> None:
        handle = self._create("results")
        self.log(handle, values, 0)
        self.client.log_text(handle, "\n".join(verdicts), "verdicts.txt")
        for path in files:
            self.client.log_artifact(handle, str(path))
        self.end_run(handle, "finished")

    def _create(self, name: str) -> str:
        if not self.experiment:
            assert self.study is not None
            found = self.client.get_experiment_by_name(self.study.name)
            made = self.client.create_experiment(self.study.name) if found is None else found.experiment_id
            self.experiment = str(made)
        return str(self.client.create_run(self.experiment, run_name=name).info.run_id)
