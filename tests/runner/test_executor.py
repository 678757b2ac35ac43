"""Executors beside their contract: processes of this machine, one process that holds a device and four runs (the CPU
stands in for the device), and one in this process that holds one run or four."""

import subprocess
import sys

import pytest

from commongarden.runner.device_workers import DeviceWorkers
from commongarden.runner.workers import LocalWorkers
from executor_conformance import ExecutorConformance, planted  # noqa: F401 (a fixture)
from interleaved import Interleaved
from stand_in_device import stand_in_lane


class TestLocalWorkers(ExecutorConformance):
    executors = LocalWorkers
    n = 2


class OfOneDevice(ExecutorConformance):
    n = 4

    @staticmethod
    def executors(context, n, known):
        return DeviceWorkers(context, n, known, stand_in_lane)


@pytest.mark.soak
class TestFourRunsOfOneDevice(OfOneDevice):
    pass


class TestFourRunsOfOneDeviceInShort(OfOneDevice):
    test_a_stop_from_the_beginning_begins_nothing = test_a_stop_ends_every_task_once_and_the_next_call_goes_on = None
    test_what_is_not_read_to_its_end_loses_no_checkpoint = test_a_death_outside_of_a_run_costs_that_task_alone = None
    test_a_run_whose_worker_dies_goes_on_from_its_checkpoint = None
    test_more_tasks_are_asked_for_once_all_before_them_are_done = None
    test_what_concerns_the_whole_study_ends_it_in_one_error = None


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
