"""A Ray cluster of two nodes with nothing shared, one of which is killed in the middle of its run."""

import dataclasses
import os
import shutil
import time

import pytest

from commongarden import store as stores
from commongarden.cluster.ray_workers import RayWorkers
from commongarden.cluster.where_file import RaySettings, Where
from commongarden.runner.events import EpochDone, Job, RunDone, Started, WorkerDied
from commongarden.runner.executor import TaskContext
from commongarden.runner.prepared_data import prepare_data
from commongarden.runner.task_runner import TaskRunner
from commongarden.study import Arm, SplitPlan, Study
from commongarden.study.recipe import Recipe
from executor_conformance import bits

JOBS = [Job("plain", 0), Job("plain", 1)]


@pytest.fixture(scope="module")
def long_runs(photos, cache_folder, tmp_path_factory):
    """A study whose runs take some seconds, without runs, and their bits as one process makes them."""
    folder = tmp_path_factory.mktemp("long")
    study = Study(
        "long",
        str(photos),
        {"plain": Arm("plain_flower")},
        Recipe(resolution=16, epochs=60, batch_size=8, augment=("flip",)),
        (0, 1),
        split=SplitPlan(0.6, 0.2),
    )
    store, prepared = prepare_data(study, folder / "empty", cache_folder)
    whole = stores.Store(shutil.copytree(store.root, folder / "whole"))
    one_by_one = TaskRunner(TaskContext(whole.root, cache_folder, "cpu"), whole, whole.study(), prepared)
    for job in JOBS:
        list(one_by_one.carry_out(job, lambda: False))
    return TaskContext(store.root, cache_folder, "cpu"), bits(whole)


def on_ray(cluster, context, shared=False):
    where = Where(RaySettings(cluster.address, str(cluster.token)), shared)
    return RayWorkers(context, 2, {}, where)


def test_the_run_of_a_node_that_is_killed_goes_on_elsewhere_with_the_same_bits(cluster, long_runs, tmp_path):
    context, expected = long_runs
    context = dataclasses.replace(context, root=shutil.copytree(context.root, tmp_path / "out"))
    epochs, events, killed, seen = {}, [], 0.0, 0.0
    for event in on_ray(cluster, context).execute(JOBS, lambda: False):
        events.append(event)
        if isinstance(event, EpochDone):
            epochs[event.job] = event.epoch.epoch
            if not killed and len(epochs) == len(JOBS):
                killed = time.monotonic()
                cluster.kill(cluster.node)
        if isinstance(event, WorkerDied):
            seen = time.monotonic()
    (death,) = [event for event in events if isinstance(event, WorkerDied)]
    host = os.uname().nodename
    assert death.cause in (f"the worker on {host} was lost", f"the worker on {host} cannot be reached")
    after = [event for event in events[events.index(death) :] if isinstance(event, Started) and event.job == death.job]
    assert [len(event.epochs_before) > 0 for event in after] == [True]
    assert sorted(event.job.seed for event in events if isinstance(event, RunDone)) == [0, 1]
    assert seen - killed < 20
    store = stores.Store(context.root)
    assert bits(store) == expected
    assert not stores.verify(store).found
