"""A worker that holds a device and many runs, where something goes wrong: too little memory, a device that is lost."""

import dataclasses
import os
import shutil
from pathlib import Path

import pytest
import torch

from commongarden import store as stores
from commongarden.runner import plan as plans
from commongarden.runner.device_pilot import precision_rates
from commongarden.runner.device_workers import DeviceWorkers
from commongarden.runner.events import Job, Piloted, RunDone, Started, WorkerDied
from commongarden.runner.executor import TaskContext
from commongarden.runner.pilot import pilot
from commongarden.runner.prepared_data import prepare_data, reopen
from commongarden.runner.run_setup import set_up
from commongarden.study import Arm, Study, origin
from commongarden.study.recipe import Recipe
from commongarden.train.measure import network_by_others
from executor_conformance import bits, planted  # noqa: F401 (a fixture)
from stand_in_device import StandInLane

JOBS = [Job(arm, seed) for seed in (0, 1) for arm in ("plain", "wide")]
LOST = "LOST_DEVICE"  # a variable with the path of a file


class Narrow(StandInLane):
    """Of a device with room for two runs."""

    def upload(self, values, to):
        if self.beside() > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        super().upload(values, to)


class Tiny(StandInLane):
    """Of a device with no room for a run."""

    def upload(self, values, to):
        raise torch.OutOfMemoryError("CUDA out of memory")


class Fragile(StandInLane):
    """Of a device that is lost to its process at once, for all runs that share it, as long as there is a file."""

    def is_broken(self):
        return Path(os.environ[LOST]).exists()

    def fetch(self, tensor):
        if self.is_broken():
            if not self.beside():
                Path(os.environ[LOST]).unlink()  # broken no more, as the process that has it now ends
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return super().fetch(tensor)


def narrow(device):
    return Narrow()


def tiny(device):
    return Tiny()


def fragile(device):
    return Fragile()


@pytest.fixture
def run(planted, tmp_path):  # noqa: F811
    root = shutil.copytree(planted.folder / "empty", tmp_path / "out")

    def execute(jobs, lanes, n=4, known=None):
        executor = DeviceWorkers(TaskContext(root, planted.cache, "cpu"), n, known or {}, lanes)
        return list(executor.execute(jobs, lambda: False)), stores.Store(root)

    return execute


def test_where_memory_is_short_fewer_runs_go_side_by_side_and_end_with_the_same_bits(run, planted):  # noqa: F811
    events, store = run(JOBS, narrow)
    assert bits(store) == {(job.arm, job.seed): planted.bits[job.arm, job.seed] for job in JOBS}
    put_back = [event for event in events if isinstance(event, WorkerDied)]
    assert put_back
    assert all("low GPU memory" in event.cause for event in put_back)
    assert sum(isinstance(event, RunDone) for event in events) == len(JOBS)


def test_a_run_that_does_not_fit_alone_fails_with_what_would_fit(run):
    events, store = run(JOBS[:1], tiny)
    (done,) = [event for event in events if isinstance(event, RunDone)]
    assert done.run.failure.reason == "out of GPU memory with batch_size 8; 4 fits"
    assert store.run("plain", 0).status == "failed"


def test_as_many_runs_go_side_by_side_as_a_pilot_has_found(run):
    known = {arm: Piloted(arm, 1.0, side_by_side=2) for arm in ("plain", "wide")}
    events, _store = run(JOBS, None, known=known)
    under_way, most = set(), 0
    for event in events:
        if isinstance(event, Started):
            under_way.add(event.job)
        elif isinstance(event, RunDone):
            under_way.discard(event.job)
        most = max(most, len(under_way))
    assert most <= 2


@pytest.mark.soak
def test_a_lost_device_fails_the_run_that_loses_it_alone(run, planted, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv(LOST, str(tmp_path / "lost"))
    (tmp_path / "lost").touch()
    events, store = run(JOBS, fragile)
    assert {event.job for event in events if isinstance(event, WorkerDied)} == set(JOBS)
    (failed,) = [run for run in store.runs() if run.status == "failed"]
    assert "illegal memory access" in failed.failure.reason
    whole = {}
    for made in store.runs():
        if made.status == "finished":
            weights = (store.directory(made.arm, made.seed) / "model.safetensors").read_bytes()
            whole[made.arm, made.seed] = weights
            assert weights == planted.bits[made.arm, made.seed][0]
    assert len(whole) == len(JOBS) - 1


def test_a_pilot_finds_how_many_runs_go_side_by_side_and_what_other_precisions_bring(planted):  # noqa: F811
    store = stores.Store(planted.folder / "empty")
    study, prepared = store.study(), reopen(store, planted.cache)
    plan = plans.first_run(study, prepared, "plain", "cpu")
    piloted = pilot(stores.Store(planted.folder / "whole"), prepared, plan, StandInLane, 4)
    assert not piloted.cause
    assert piloted.seconds > 0
    assert piloted.side_by_side in (1, 2, 4)
    assert piloted.faster == ()  # which is for CUDA devices
    setup, cpu = set_up(prepared, plan), torch.device("cpu")
    rates = precision_rates(setup, setup.batches(cpu), cpu, StandInLane, ("bfloat16", "half"))
    assert list(rates) == ["bfloat16"]
    assert rates["bfloat16"] > 0


SLOW_BELOW = """
import time
import torch
from torch import nn

class Slow(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        time.sleep(0.05)
        return gradient

class Network(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, n_classes)

    def forward(self, x):
        return self.head(Slow.apply(self.body(x).mean((2, 3))))

def network(n_classes):
    return Network(n_classes)
"""
SLOW_SECONDS = 0.05  # of a step, where not the head alone learns


@pytest.mark.parametrize("lanes", [None, lambda: StandInLane(captures=False)])
def test_a_pilot_times_the_epochs_of_the_head_alone_and_those_of_all_layers(lanes, photos, cache_folder, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW_BELOW)
    arm = Arm(f"{tmp_path / 'slow.py'}:network")
    found = dataclasses.replace(network_by_others(arm, 3, (16, 16, 3)), preflight=origin.PREFLIGHT)
    recipe = Recipe(resolution=16, epochs=30, batch_size=8)
    seconds = {}
    for head_epochs in (30, 10):
        own = dataclasses.replace(recipe, head_epochs=head_epochs)
        study = Study("slow", str(photos), {"slow": dataclasses.replace(arm, origin=found)}, own, (0,))
        store, prepared = prepare_data(study, tmp_path / str(head_epochs), cache_folder)
        plan = plans.first_run(study, prepared, "slow", "cpu")
        piloted = pilot(store, prepared, plan, lanes)
        assert not piloted.cause
        seconds[head_epochs] = piloted.seconds
    slow = 20 * set_up(prepared, plan).steps_per_epoch * SLOW_SECONDS
    assert seconds[30] < slow <= seconds[10]
