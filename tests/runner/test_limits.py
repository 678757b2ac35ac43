"""How many runs at a time: physical cores, affinity, cgroups of both versions, memory."""

import dataclasses
import os

import psutil
import pytest

from commongarden import study as studies
from commongarden.runner import limits, plan


def test_workers_follow_cores_threads_and_memory(monkeypatch, study_file):
    study = studies.read(study_file)
    monkeypatch.setattr(limits, "cores", lambda: 8)
    monkeypatch.setattr(limits, "free_memory", lambda: 10**12)
    assert plan.n_workers(study, 99, 3, "cpu") == 8
    assert plan.n_workers(study, 3, 3, "cpu") == 3
    assert plan.n_workers(study, 99, 3, "cuda") == plan.MOST_SIDE_BY_SIDE
    assert plan.n_workers(study, 99, 3, "cpu", wanted=5) == 5
    two_threads = dataclasses.replace(study, recipe=dataclasses.replace(study.recipe, threads=2))
    assert plan.n_workers(two_threads, 99, 3, "cpu") == 4
    monkeypatch.setattr(limits, "free_memory", lambda: int(3.1 * plan.WORKER_BYTES))
    assert plan.n_workers(study, 99, 3, "cpu") == 2
    monkeypatch.setattr(limits, "free_memory", lambda: 1)
    assert plan.n_workers(study, 99, 3, "cpu") == 1


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of 8 physical and 16 logical cores with 100 bytes free; gives the folder of its cgroups."""
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 16 if logical else 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 100}))
    monkeypatch.setattr(limits, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(limits, "MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(limits, "PROCESSORS", tmp_path / "cpu")
    return tmp_path


def put(root, **files):
    for name, text in files.items():
        path = root / "cgroup" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name.replace("_", ".", 1)).write_text(text)


def test_without_cgroups_the_machine_counts(machine, monkeypatch):
    assert (limits.cores(), limits.free_memory()) == (8, 100)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    assert limits.cores() == 2  # four logical cores are two physical ones
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
    assert limits.cores() == 1


def test_the_tightest_group_around_the_process_counts(machine):
    (machine / "membership").write_text("0::/slice/service\n")
    put(machine, slice__service__cpu_max="max 100000", slice__cpu_max="350000 100000")
    put(machine, slice__memory_max="90", slice__memory_current="50", slice__service__memory_max="max")
    assert (limits.cores(), limits.free_memory()) == (3, 40)


def test_a_quota_below_one_core_still_leaves_one(machine):
    (machine / "membership").write_text("0::/\n")
    put(machine, cpu_max="50000 100000", memory_max="10", memory_current="30")
    assert (limits.cores(), limits.free_memory()) == (1, 0)


def test_version_one_seen_from_inside_a_container(machine):
    (machine / "membership").write_text("5:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n2:name=systemd:/\n")
    put(machine, cpu__cpu_cfs_quota_us="200000", cpu__cpu_cfs_period_us="100000")
    put(machine, memory__memory_limit_in_bytes="80", memory__memory_usage_in_bytes="20")
    assert (limits.cores(), limits.free_memory()) == (2, 60)
    put(machine, cpu__cpu_cfs_quota_us="-1")
    assert limits.cores() == 8


def test_allowed_threads_on_other_cores_are_whole_cores(machine, monkeypatch):
    """Most machines number the second threads of all cores behind the first ones, so a half of the numbers is no half
    of the cores."""
    for number in range(16):
        path = machine / "cpu" / f"cpu{number}" / "topology" / "thread_siblings_list"
        path.parent.mkdir(parents=True)
        path.write_text(f"{number % 8},{number % 8 + 8}\n")
    for allowed, cores in (({0, 1, 2, 3}, 4), ({0, 8}, 1), ({0, 8, 1}, 2), (set(range(16)), 8)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, allowed=allowed: allowed, raising=False)
        assert limits.cores() == cores


def test_pages_of_files_are_given_back_and_count_as_free(machine):
    (machine / "membership").write_text("0::/\n")
    put(machine, memory_max="100", memory_current="95", memory_stat="anon 20\ninactive_file 30\nactive_file 40\n")
    assert limits.free_memory() == 75
    put(machine, memory_high="50")
    assert limits.free_memory() == 25
    put(machine, memory_stat="anon 20\n")
    assert limits.free_memory() == 0


def test_pages_of_files_in_version_one(machine):
    (machine / "membership").write_text("5:memory:/\n")
    rows = "inactive_file 1\nactive_file 2\ntotal_inactive_file 10\ntotal_active_file 20\n"
    put(machine, memory__memory_limit_in_bytes="80", memory__memory_usage_in_bytes="75", memory__memory_stat=rows)
    assert limits.free_memory() == 35


def test_quotas_of_a_few_cores_with_a_share_of_one(machine):
    """Rounded down: two and a half cores' worth of time holds two runs without either waiting."""
    (machine / "membership").write_text("0::/\n")
    put(machine, cpu_max="250000 100000")
    assert limits.cores() == 2
