"""Locks of studies and of the cache: held by one process at a time, however many come and go."""

import multiprocessing
import os
import shutil
import time
from contextlib import suppress

import filelock
import pytest
from click.testing import CliRunner

from commongarden import store as stores
from commongarden.cli import main
from commongarden.data import cache
from commongarden.errors import StoreError

N_PROCESSES, SECONDS = 6, 2.0
KEY = "a" * 64


def alone(mark):
    """Fails where another process is at the same place."""
    descriptor = os.open(mark, os.O_CREAT | os.O_EXCL)
    time.sleep(0.003)
    os.close(descriptor)
    os.unlink(mark)


def hold_studies(root, mark, counts):
    until, n = time.monotonic() + SECONDS, 0
    release = filelock.FileLock.release

    def slow(self, *arguments, **options):
        release(self, *arguments, **options)
        time.sleep(0.002)  # as where the system lets another process run at this place

    filelock.FileLock.release = slow
    while time.monotonic() < until:
        with suppress(StoreError), stores.lock(root):
            alone(mark)
            n += 1
    counts.put(n)


def hold_and_clear_caches(root, mark, counts):
    until, n = time.monotonic() + SECONDS, 0
    while time.monotonic() < until:
        with cache._locked(root / f"{KEY}.lock"):
            alone(mark)
            n += 1
        cache.clear(root)
    counts.put(n)


def together(work, root, mark):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("processes that share what is loaded need fork")
    context = multiprocessing.get_context("fork")
    counts = context.Queue()
    others = [context.Process(target=work, args=(root, mark, counts)) for _ in range(N_PROCESSES)]
    for process in others:
        process.start()
    held = [counts.get(timeout=60) for _ in others]
    for process in others:
        process.join(60)
    assert [process.exitcode for process in others] == [0] * N_PROCESSES
    return sum(held)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_many_processes_hold_a_study_that_does_not_come_to_be_one_at_a_time(tmp_path):
    """Each removes the folder that it made, while others come."""
    assert together(hold_studies, tmp_path / "above" / "study", tmp_path / "mark") > N_PROCESSES
    with stores.lock(tmp_path / "above" / "study"):
        pass
    assert not (tmp_path / "above" / "study").exists() or not any((tmp_path / "above" / "study").glob("*.toml"))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_many_processes_hold_and_clear_a_cache_one_at_a_time(tmp_path):
    (tmp_path / "cache").mkdir()
    assert together(hold_and_clear_caches, tmp_path / "cache", tmp_path / "mark") > N_PROCESSES


def test_a_lock_stays_where_it_is(tmp_path):
    (tmp_path / "study.toml").write_text("")
    for _ in range(2):
        with stores.lock(tmp_path):
            assert (tmp_path / ".lock").exists()
        assert (tmp_path / ".lock").exists()


@pytest.mark.parametrize("name", [".lock", ".lock.soft", ".holder"])
def test_what_a_killed_process_left_is_no_complaint(finished, tmp_path, name):
    shutil.copytree(finished, tmp_path / "s")
    (tmp_path / "s" / name).write_bytes(b"" if name != ".holder" else b"torn")
    result = CliRunner().invoke(main, ["verify", str(tmp_path / "s")])
    assert (result.exit_code, result.output.count("\n")) == (0, 1), result.output
    listed = CliRunner().invoke(main, ["status", str(tmp_path / "s")])
    assert listed.exit_code == 0
    assert "lock" not in listed.output
    assert (tmp_path / "s" / name).exists()
