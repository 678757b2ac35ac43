"""The executor of SLURM beside the contract, on Debian's SLURM with two nodes on this machine."""

import pytest

from commongarden.cluster.slurm_workers import SlurmWorkers
from commongarden.cluster.where_file import SlurmSettings, Where
from executor_conformance import ExecutorConformance, planted  # noqa: F401 (a fixture)

pytestmark = pytest.mark.soak


class OnSlurm(ExecutorConformance):
    n, pause = 2, 0.3
    runs_per_job = 1

    @pytest.fixture(autouse=True)
    def _place(self, slurm, tmp_path):
        settings = SlurmSettings(folder=str(tmp_path / "messages"), time="10", runs_per_job=self.runs_per_job)
        self.executors = lambda context, n, known: SlurmWorkers(context, n, known, Where(slurm=settings))
        yield
        slurm.until_empty()


class TestSlurm(OnSlurm):
    pass


class TestSlurmWithTwoRunsInAJob(OnSlurm):
    runs_per_job = 2
