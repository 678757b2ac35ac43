"""One set of options from the command line and from Python to the runner."""

import dataclasses

import pytest

import commongarden as cg
from commongarden import store as stores
from commongarden import study as studies
from commongarden import workflow
from commongarden.runner.callbacks import Callbacks
from commongarden.runner.events import Attributed, Audited, Piloted
from commongarden.runner.record import StudyRecorder
from commongarden.runner.worker_monitor import WorkerMonitor

OLD = {
    "cache_dir": "cache",
    "n_workers": 3,
    "device": "cpu",
    "keep_going": True,
    "retry": True,
    "tensorboard": True,
    "argv": ["a", "b"],
    "until": "resolved",
    "budget": "40runs",
    "most_seeds": 7,
    "stop_hopeless": True,
    "maps": False,
    "cache_budget": 10,
}


@pytest.fixture
def taken(monkeypatch):
    """The options that the runner is given; nothing is made."""
    found = []

    def caught(study, root, options, callbacks, listed=None, place=None):
        found.append(options)
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "run_study", caught)

    def call(*arguments, **keywords):
        with pytest.raises(KeyboardInterrupt):
            cg.run(studies.read("demo"), "out", *arguments, **keywords)
        return found[-1]

    return call


def test_the_keywords_of_earlier_versions_are_options(taken):
    new = {**OLD, "argv": ("a", "b"), "stop_at_futility": True}
    del new["stop_hopeless"]
    assert taken(**OLD) == taken(cg.RunOptions(**new)) == taken(options=cg.RunOptions(**new))
    assert {*new, "log_to"} == {field.name for field in dataclasses.fields(cg.RunOptions)}
    assert taken() == cg.RunOptions()
    assert taken(cg.RunOptions(device="cuda", retry=True), device="cpu") == cg.RunOptions(device="cpu", retry=True)
    with pytest.raises(TypeError, match="worker"):
        cg.run(studies.read("demo"), "out", worker=2)


def test_a_race_has_as_many_seeds_as_the_study_or_twenty():
    assert cg.RunOptions().spending(3) is None
    assert [cg.RunOptions(until="resolved").spending(n).most for n in (3, 30)] == [20, 30]
    assert cg.RunOptions(budget="2runs", most_seeds=5).spending(30).most == 5
    with pytest.raises(cg.CommonGardenError, match=r"until: found 'soon'"):
        cg.RunOptions(until="soon").spending(3)


@pytest.mark.parametrize("kind", [Audited, Piloted, Attributed])
def test_the_cause_of_a_death_is_told_in_korean_wherever_it_comes(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("COMMONGARDEN_LANG", "ko")
    cause, told = WorkerMonitor(1).cause(-11, None), []
    assert cause == "the worker was killed by signal 11 (SIGSEGV)"
    display = type("Display", (), {"note": staticmethod(told.append)})
    StudyRecorder(stores.Store(tmp_path), Callbacks(display)).take(kind("plain", None, cause=cause))
    (line,) = told
    assert "11(SIGSEGV)" in line.replace(" ", "")
    assert "worker" not in line
    assert "signal" not in line
