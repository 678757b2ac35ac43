"""The processes that train: what they begin with, wherever and whenever the fork server began."""

import os
import signal

import pytest

import commongarden as cg
from commongarden import language
from commongarden.runner import processes
from commongarden.study import read
from test_runner import numbers


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


@pytest.mark.soak
@pytest.mark.skipif(not processes.HAS_SERVER, reason="this system has fresh processes only")
def test_fresh_processes_give_the_same_bits(finished, study_file, cache_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "HAS_SERVER", False)
    cg.run(read(str(study_file)), tmp_path / "out", cache_dir=cache_folder)
    assert numbers(tmp_path / "out") == numbers(finished)
