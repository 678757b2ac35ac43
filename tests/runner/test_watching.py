"""Workers that die, run out of memory or are stuck, in a study made through the public door."""

import dataclasses
import re
import shutil

import pytest

import commongarden as cg
from commongarden import store as stores
from commongarden.errors import StoreError
from commongarden.runner import forecast, limits, worker_monitor
from commongarden.runner.display import PlainDisplay
from commongarden.runner.events import Job, Piloted
from commongarden.runner.forecast import Forecast
from commongarden.runner.worker_monitor import WorkerMonitor

BAD = """
import os, time
import torch
from torch import nn

class Bad(nn.Module):
    def __init__(self, n_classes, how):
        super().__init__()
        self.layer, self.how, self.n = nn.Linear(3, n_classes), how, 0

    def forward(self, x):
        self.n += self.training
        if os.path.exists("under way") and self.training and self.n > 2:
            if self.how == "dies":
                os.kill(os.getpid(), 9)
            time.sleep(3600)
        return self.layer(x.mean((2, 3)))

def dies(n_classes): return Bad(n_classes, "dies")
def hangs(n_classes): return Bad(n_classes, "hangs")
"""


@pytest.mark.soak
def test_a_worker_that_dies_and_one_that_is_stuck_cost_their_own_runs_and_no_others(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.py").write_text(BAD)
    monkeypatch.setattr(worker_monitor, "LEAST_PATIENCE", 2.0)
    monkeypatch.setattr(worker_monitor, "GAPS", 1.0)
    monkeypatch.setattr(worker_monitor, "UNKNOWN_PATIENCE", 60.0)
    study = cg.Study(
        "bad",
        str(photos),
        {"dies": cg.Arm("bad.py:dies"), "hangs": cg.Arm("bad.py:hangs"), "good": cg.Arm("plain_flower")},
        cg.Recipe(resolution=16, epochs=1, batch_size=8),
        (0,),
    )
    told = []

    def confirmed(text):
        told.append(text)
        if text.startswith("plan: "):  # audits and pilots are over
            (tmp_path / "under way").write_text("")

    _, conducted = cg.run(study, tmp_path / "out", n_workers=1, display=PlainDisplay(confirmed))
    assert (conducted.n_finished, conducted.n_failed, conducted.n_missing) == (1, 2, 0)
    reasons = {run.arm: run.failure.reason for run in conducted.store.runs() if run.failure}
    assert re.fullmatch(
        r"2 times: the worker was killed by signal 9 \(SIGKILL\): peak 0\.\d of \d+\.\d GiB", reasons["dies"]
    )
    assert re.fullmatch(
        "2 times: the worker hung: no response for \\d+ s \\(longest before: \\d+ s\\)", reasons["hangs"]
    )
    retries = [text for text in told if "resuming from the last checkpoint in another worker" in text]
    assert [text.partition(",")[0] for text in retries] == ["dies", "hangs"]
    assert stores.verify(conducted.store).wrong == ()


def dead_of(monkeypatch, *, peak, limit, n_killed, batch=32, code=-9):
    monkeypatch.setattr(limits, "n_killed_for_memory", lambda: 0)
    watch = WorkerMonitor(1)
    monkeypatch.setattr(limits, "n_killed_for_memory", lambda: n_killed)
    monkeypatch.setattr(limits, "memory", lambda: limit)
    watch.peak = peak
    return watch.cause(code, batch)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"peak": 3.1, "n_killed": 1}, "killed, probably out of memory: peak 3.1 of 4.0 GiB; try batch 16"),
        ({"peak": 0.9, "n_killed": 1}, "killed, probably out of memory: peak 0.9 of 4.0 GiB; try batch 16"),
        ({"peak": 3.1, "n_killed": 0}, "killed, probably out of memory: peak 3.1 of 4.0 GiB; try batch 16"),
        ({"peak": 3.1, "n_killed": 0, "batch": 1},
         "killed, probably out of memory: peak 3.1 of 4.0 GiB; try fewer workers"),
        ({"peak": 0.4, "n_killed": 0}, "the worker was killed by signal 9 (SIGKILL): peak 0.4 of 4.0 GiB"),
        ({"peak": 3.1, "n_killed": 0, "code": -11}, "the worker was killed by signal 11 (SIGSEGV)"),
        ({"peak": 3.1, "n_killed": 0, "code": 3}, "the worker ended with exit code 3"),
    ],
)  # fmt: skip
def test_the_cause_of_a_death_is_told_by_signal_and_memory(monkeypatch, found, said):
    peak = int(found.pop("peak") * 2**30)
    assert dead_of(monkeypatch, peak=peak, limit=4 * 2**30, **found) == said


def test_kills_for_want_of_memory_are_counted_by_the_kernel(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "memory.events").write_text("low 0\noom 5\noom_kill 3\n")
    (tmp_path / "inner" / "memory.max").write_text("4294967296\n")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "membership").write_text("0::/inner\n")
    monkeypatch.setattr(limits, "CGROUPS", tmp_path)
    monkeypatch.setattr(limits, "MEMBERSHIP", tmp_path / "membership")
    assert limits.n_killed_for_memory() == 3
    assert limits.memory() == 2**32


def test_patience_is_scaled_to_the_work_and_sleep_is_not_counted(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(worker_monitor.time, "monotonic", lambda: clock[0])
    watch, job = WorkerMonitor(1), Job("slow", 0)
    watch.last = 0.0
    known = {"slow": Piloted("slow", 1000.0), "quick": Piloted("quick", 1.0)}
    watch.begin()
    for _ in range(100):
        clock[0] += 1.9
        watch.look()
    assert watch.is_stuck(Job("quick", 0), known)
    assert not watch.is_stuck(job, known)
    assert not watch.is_stuck(Job("new", 0), known)
    assert not watch.is_stuck(None, known)
    watch.heard()
    assert watch.patience(known["quick"]) == worker_monitor.GAPS * watch.longest > 3000
    watch.begin()
    clock[0] += 100_000  # this process was stopped, or the machine slept
    watch.look()
    assert watch.silent == worker_monitor.AWAKE


def test_a_study_that_its_disk_has_no_room_for_is_not_begun(tmp_path, monkeypatch):
    store, usage = stores.Store(tmp_path), shutil.disk_usage(tmp_path)
    plan = Forecast(10, 2, 5, 2, 60.0, None, 100_000_000)
    monkeypatch.setattr(forecast.shutil, "disk_usage", lambda path: usage._replace(free=259_000_000))
    with pytest.raises(StoreError, match=r"10 runs and their checkpoints need 260 MB, 259 MB are free"):
        forecast.check_space(store, plan)
    monkeypatch.setattr(forecast.shutil, "disk_usage", lambda path: usage._replace(free=260_000_000))
    forecast.check_space(store, plan)
    race = dataclasses.replace(plan, at_most=True)  # three seeds of two arms are sure to be made
    monkeypatch.setattr(forecast.shutil, "disk_usage", lambda path: usage._replace(free=219_000_000))
    with pytest.raises(StoreError, match=r"6 runs and their checkpoints need 220 MB"):
        forecast.check_space(store, race)
