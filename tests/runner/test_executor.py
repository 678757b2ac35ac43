"""Executors beside their contract: processes of this machine, and one process that holds one run or four at once."""

import subprocess
import sys

from commongarden.runner.workers import LocalWorkers
from executor_conformance import ExecutorConformance, planted  # noqa: F401 (a fixture)
from interleaved import Interleaved


class TestLocalWorkers(ExecutorConformance):
    executors = LocalWorkers
    n = 2


class TestOneRunAtATime(ExecutorConformance):
    executors = Interleaved
    dies_by = "raise"


class TestFourRunsInOneProcess(ExecutorConformance):
    executors = Interleaved
    n, dies_by = 4, "raise"


def test_the_contract_imports_no_code_of_workers():
    loads = (
        "import sys, commongarden.runner.executor; "
        "sys.exit(bool({'torch', 'multiprocessing.connection', 'commongarden.runner.workers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", loads]).returncode == 0
