"""A node in a network namespace of its own, whose network is cut in the middle of a run. Needs root and iproute2."""

import dataclasses
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from commongarden import store as stores
from commongarden.cluster.ray_workers import RayWorkers
from commongarden.cluster.where_file import RaySettings, Where
from commongarden.runner.events import EpochDone, Job, RunDone, WorkerDied
from commongarden.runner.executor import TaskContext
from commongarden.runner.prepared_data import prepare_data
from commongarden.runner.task_runner import TaskRunner
from commongarden.study import Arm, SplitPlan, Study
from commongarden.study.recipe import Recipe
from executor_conformance import bits
from ray_cluster import MARK, Cluster

JOBS = [Job("plain", 0), Job("plain", 1)]
NAME, OUTSIDE, INSIDE = "cg-node", "10.77.31.1", "10.77.31.2"
SEEN_WITHIN = 20  # seconds


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def network():
    """A cable to a namespace; gives its name, whose end here can be pulled out."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need root and iproute2")
    try:
        ip("netns", "add", NAME)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces: {error.stderr.decode().strip()}")
    try:
        ip("link", "add", "cg0", "type", "veth", "peer", "name", "cg1", "netns", NAME)
        ip("addr", "add", f"{OUTSIDE}/24", "dev", "cg0")
        ip("link", "set", "cg0", "up")
        ip("-n", NAME, "addr", "add", f"{INSIDE}/24", "dev", "cg1")
        ip("-n", NAME, "link", "set", "cg1", "up")
        ip("-n", NAME, "link", "set", "lo", "up")
        yield "cg0"
    finally:
        ip("netns", "del", NAME)


@contextmanager
def two_machines():
    """A head here and a node in the namespace, with one processor each."""
    cluster = Cluster(cpus=1, host=OUTSIDE)
    try:
        own = cluster.folder / "inside"
        own.mkdir()
        environment = {**os.environ, MARK: "inside", "TMPDIR": str(own), "COMMONGARDEN_CACHE": str(own / "cache")}
        join = [sys.executable, "-m", "commongarden.cli", "cluster", "join", cluster.address]
        room = ["--token-path", str(cluster.token), "--cpus", "1", "--gpus", "0"]
        in_there = ["ip", "netns", "exec", NAME]
        subprocess.run([*in_there, *join, *room], env=environment, check=True, capture_output=True)
        cluster.nodes.append("inside")
        yield cluster
    finally:
        cluster.stop()


@pytest.mark.soak
def test_a_run_goes_on_elsewhere_when_the_network_of_its_node_is_cut(network, photos, cache_folder, tmp_path):
    study = Study(
        "long",
        str(photos),
        {"plain": Arm("plain_flower")},
        Recipe(resolution=16, epochs=60, batch_size=8, augment=("flip",)),
        (0, 1),
        split=SplitPlan(0.6, 0.2),
    )
    store, prepared = prepare_data(study, tmp_path / "empty", cache_folder)
    whole = stores.Store(shutil.copytree(store.root, tmp_path / "whole"))
    alone = TaskRunner(TaskContext(whole.root, cache_folder, "cpu"), whole, whole.study(), prepared)
    for job in JOBS:
        list(alone.carry_out(job, lambda: False))
    context = dataclasses.replace(
        TaskContext(store.root, cache_folder, "cpu"), root=shutil.copytree(store.root, tmp_path / "out")
    )
    with two_machines() as cluster:
        where = Where(RaySettings(cluster.address, str(cluster.token)), shared=False)
        events, epochs, cut, seen = [], set(), 0.0, 0.0
        for event in RayWorkers(context, 2, {}, where).execute(JOBS, lambda: False):
            events.append(event)
            if isinstance(event, EpochDone):
                epochs.add(event.job)
                if not cut and len(epochs) == len(JOBS):
                    cut = time.monotonic()
                    ip("link", "set", network, "down")
            if isinstance(event, WorkerDied):
                seen = time.monotonic()
    print(f"the cut was seen after {seen - cut:.1f} s")
    assert [type(event) for event in events].count(WorkerDied) == 1
    assert 0 < seen - cut < SEEN_WITHIN
    assert sorted(event.job.seed for event in events if isinstance(event, RunDone)) == [0, 1]
    assert bits(stores.Store(context.root)) == bits(whole)
    assert not stores.verify(stores.Store(context.root)).found
