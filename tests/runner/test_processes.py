"""The processes that train: what they begin with, wherever and whenever the fork server began."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

import commongarden as cg
from commongarden import store as stores
from commongarden.i18n import language
from commongarden.runner import limits, processes, workers
from commongarden.runner.events import Job, RunDone, RunStopped, WorkerDied
from commongarden.runner.executor import TaskContext
from commongarden.study import read
from running import numbers


def _told(connection, begun):
    processes.begin(*begun)
    import sys

    loaded = "torch" in sys.modules
    connection.send((dict(os.environ), language.current(), signal.getsignal(signal.SIGINT), loaded))


def begun_with(environment, spoken):
    context = processes.context()
    here, there = context.Pipe()
    process = context.Process(target=_told, args=(there, (environment, spoken)))
    with processes.quiet_start():
        process.start()
    there.close()
    assert here.poll(120)
    found = here.recv()
    here.close()
    process.join()
    assert process.exitcode == 0
    process.close()
    return found


def test_a_process_has_the_environment_of_its_parent_as_it_is_now(monkeypatch):
    processes.prepare()  # with what the environment holds here
    before = dict(os.environ)
    monkeypatch.setenv("ADDED_SINCE", "yes")
    monkeypatch.delenv("COMMONGARDEN_LANG")
    found, spoken, on_interrupt, loaded = begun_with(dict(os.environ), "ko")
    assert {**found, **processes.ONE_THREAD} == {**os.environ, **processes.ONE_THREAD}
    assert found["OMP_NUM_THREADS"] == "1"
    assert "COMMONGARDEN_LANG" in before
    assert spoken == "ko"
    assert on_interrupt == signal.SIG_IGN  # a terminal sends Ctrl-C to all; it is the parent's to act on
    assert loaded == processes.HAS_SERVER


def test_starting_one_leaves_the_parent_as_it_was():
    before, handler = dict(os.environ), signal.getsignal(signal.SIGINT)
    with pytest.raises(cg.CommonGardenError, match="cannot be started: no more processes"), processes.quiet_start():
        raise OSError("no more processes")
    assert dict(os.environ) == before
    assert signal.getsignal(signal.SIGINT) == handler


@pytest.mark.skipif(not processes.HAS_SERVER, reason="a fresh process takes over which signals are ignored")
def test_a_stop_while_a_worker_is_started_is_not_lost(monkeypatch):
    """The start waits for the fork server's imports, which take seconds."""
    received = []
    before = signal.signal(signal.SIGTERM, lambda *_signal: received.append("SIGTERM"))
    context = processes.context()
    start = context.Process.start

    def stopped(process):
        os.kill(os.getpid(), signal.SIGTERM)
        start(process)

    monkeypatch.setattr(context.Process, "start", stopped)
    try:
        process, connection = processes.start(_told)
        assert received == ["SIGTERM"]
        assert connection.poll(120)
        process.join()
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.soak
@pytest.mark.skipif(not processes.HAS_SERVER, reason="this system has fresh processes only")
def test_fresh_processes_give_the_same_bits(finished, study_file, cache_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "HAS_SERVER", False)
    cg.run(read(str(study_file)), tmp_path / "out", cache_dir=cache_folder)
    assert numbers(tmp_path / "out") == numbers(finished)


def test_where_memory_runs_short_one_run_fewer_goes_on_and_no_bit_changes(
    finished, cache_folder, tmp_path, monkeypatch
):
    store = stores.Store(shutil.copytree(finished, tmp_path / "out"))
    jobs = [Job("plain", 0), Job("residual", 0), Job("plain", 1)]
    for job in jobs:
        shutil.rmtree(store.directory(job.arm, job.seed))
    looked = []
    monkeypatch.setattr(limits, "free_memory", lambda: looked.append(1) or 0)
    monkeypatch.setattr(workers, "SECONDS_BETWEEN_LOOKS", 0.0)
    started = []
    start = workers._Crew.start
    monkeypatch.setattr(workers._Crew, "start", lambda self: started.append(1) or start(self))
    executor = workers.LocalWorkers(TaskContext(store.root, cache_folder, "cpu"), 2)
    events = list(executor.execute(jobs, lambda: False))
    cut = [event for event in events if isinstance(event, WorkerDied)]
    assert [(event.job, event.cause) for event in cut] == [(Job("residual", 0), "low memory: one run fewer at a time")]
    assert not any(isinstance(event, RunStopped) for event in events)
    assert sorted((event.job.arm, event.job.seed) for event in events if isinstance(event, RunDone)) == sorted(
        (job.arm, job.seed) for job in jobs
    )
    assert len(started) == 2  # none in place of the one that went
    assert looked
    assert numbers(store.root) == numbers(finished)


def test_the_last_run_goes_on_with_any_memory(monkeypatch):
    class Worker:
        job, goes = Job("plain", 0), False

    monkeypatch.setattr(limits, "free_memory", lambda: 0)
    assert not workers._one_goes([Worker()])
    one, two = Worker(), Worker()
    two.job = None
    assert not workers._one_goes([one, two])
    monkeypatch.setattr(limits, "free_memory", lambda: 10**15)
    two.job = Job("plain", 1)
    assert not workers._one_goes([one, two])
    assert (one.goes, two.goes) == (False, False)


def test_what_opens_the_soil_loads_no_statistics():
    """Every worker pays for it, and the fork server before them."""
    loads = (
        "import sys, commongarden.runner.prepared_data; "
        "sys.exit(bool({'scipy', 'sklearn', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", loads]).returncode == 0
