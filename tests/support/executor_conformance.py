"""What every executor must do (runner/executor.py). A test module makes a subclass for its own:

    class TestMine(ExecutorConformance):
        executors = staticmethod(MyExecutor)  # called with (context, n, known)
        n = 4

and imports the fixture `planted`. Networks of the study die by SIGKILL; set `dies_by` to "raise" for an executor whose
workers live in this process.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from types import SimpleNamespace

import pytest

from commongarden import store as stores
from commongarden.errors import CommonGardenError
from commongarden.runner.events import (
    Attributed,
    Audited,
    AuditTask,
    EpochDone,
    Job,
    Pilot,
    Piloted,
    RunDone,
    RunStopped,
    Started,
    Stepped,
    WorkerDied,
)
from commongarden.runner.executor import TaskContext
from commongarden.runner.prepared_data import prepare_data
from commongarden.runner.task_runner import TaskRunner
from commongarden.study import Arm, SplitPlan, Study, origin
from commongarden.study.recipe import Recipe
from commongarden.train.measure import network_by_others

LAYERS = [
    ["conv", {"ksize": 3, "chn": 4, "stride": 2, "actions": "LAB"}],
    ["avg", {"stride": 4}],
    ["dropout", {"keep_prob": 0.8}],  # draws from the generator of the whole process
]
MORTAL = '''
import os, signal, time
from pathlib import Path
from torch import nn

HERE = Path("FOLDER")  # not that of this file, which may be a copy on another machine

class Death(BaseException):
    """That of a worker which lives in the process of a test."""

class Mortal(nn.Module):
    """Dies in training for each file death* in that folder; where that names a checkpoint, behind it."""

    def __init__(self, n_classes):
        super().__init__()
        self.drop, self.layer = nn.Dropout(0.2), nn.Linear(3, n_classes)

    def forward(self, x):
        for death in sorted(HERE.glob("death*"))[:1] if self.training else ():
            behind, how, pause = death.read_text().split("|")
            if not behind or Path(behind).exists():
                death.unlink()
                if how == "raise":
                    raise Death
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(float(pause))
        return self.layer(self.drop(x.mean((2, 3))))

def mortal(n_classes):
    return Mortal(n_classes)
'''
JOBS = [Job(arm, seed) for seed in (0, 1) for arm in ("plain", "wide", "mortal")]
FINAL = (RunDone, RunStopped, Audited, Piloted, Attributed)


@pytest.fixture(scope="session")
def planted(photos, cache_folder, tmp_path_factory):
    """A study that is prepared, and the bits of its runs, made one after another."""
    folder = tmp_path_factory.mktemp("conformance")
    (folder / "plain.json").write_text(json.dumps({"model": LAYERS}))
    (folder / "wide.json").write_text(json.dumps({"model": [["conv", {**LAYERS[0][1], "chn": 8}], *LAYERS[1:]]}))
    (folder / "mortal.py").write_text(MORTAL.replace("FOLDER", str(folder)))
    arms = {name: Arm(str(folder / f"{name}.json")) for name in ("plain", "wide")}
    mortal = Arm(f"{folder / 'mortal.py'}:mortal")
    found = dataclasses.replace(network_by_others(mortal, 3, (16, 16, 3)), preflight=origin.PREFLIGHT)
    study = Study(
        "conformance",
        str(photos),
        {**arms, "mortal": dataclasses.replace(mortal, origin=found)},
        Recipe(resolution=16, epochs=2, batch_size=8, augment=("flip",)),
        (0, 1),
        split=SplitPlan(0.6, 0.2),
    )
    store, prepared = prepare_data(study, folder / "empty", cache_folder)
    shutil.copytree(store.root, folder / "whole")
    context = TaskContext(folder / "whole", cache_folder, "cpu")
    whole = stores.Store(context.root)
    one_by_one = TaskRunner(context, whole, whole.study(), prepared)
    for job in JOBS:
        list(one_by_one.carry_out(job, lambda: False))
    return SimpleNamespace(folder=folder, cache=cache_folder, bits=bits(whole))


def bits(store):
    """All of the finished runs that must not depend on where, beside what, and in how many lives they were made."""
    found = {}
    for run in store.runs():
        directory = store.directory(run.arm, run.seed)
        losses = [(epoch.train_loss, epoch.val_loss) for epoch in store.history(run.arm, run.seed)]
        weights = (directory / "model.safetensors").read_bytes()
        found[run.arm, run.seed] = (weights, losses, store.predictions(run.arm, run.seed).probabilities.tobytes())
    return found


class ExecutorConformance:
    """executors: called with (context, n, known). n: tasks at a time. dies_by: "kill" or "raise". pause: seconds of a
    step that waits for its death, where a checkpoint is slow to arrive."""

    executors = None
    n = 1
    dies_by = "kill"
    pause = 0.0

    @pytest.fixture
    def here(self, planted, tmp_path):
        """A copy of the study without runs, and what executes tasks in it."""
        root = shutil.copytree(planted.folder / "empty", tmp_path / "out")
        context, store = TaskContext(root, planted.cache, "cpu"), stores.Store(root)

        def execute(tasks, stop=lambda: False, more=None):
            return self.executors(context, self.n, {}).execute(tasks, stop, more)

        def dies(times, behind=""):
            for number in range(times):
                (planted.folder / f"death{number}").write_text(f"{behind}|{self.dies_by}|{self.pause}")

        yield SimpleNamespace(store=store, context=context, execute=execute, dies=dies, bits=planted.bits)
        for left in planted.folder.glob("death*"):
            left.unlink()

    def test_every_task_ends_once_in_order_with_the_same_bits(self, here):
        first = [AuditTask("plain"), AuditTask("mortal"), Pilot("wide"), Pilot("plain")]
        names = {path.name for path in here.store.root.iterdir()}
        events = list(here.execute([*first, *JOBS]))
        assert ended(events) == sorted(map(str, [*first, *JOBS]))
        assert all(event.audit is not None for event in events if isinstance(event, Audited))
        assert all(event.seconds > 0 for event in events if isinstance(event, Piloted))
        began = [event.job for event in events if isinstance(event, Started)]
        assert sorted(began, key=JOBS.index) == JOBS
        for number, job in enumerate(began):  # those before it are begun, or held by another worker
            assert len(set(JOBS[: JOBS.index(job)]) - set(began[:number])) < self.n
        for job in JOBS:
            mine = [event for event in events if getattr(event, "job", None) == job]
            assert [type(event) for event in mine if not isinstance(event, Stepped)] == [
                Started, EpochDone, EpochDone, RunDone
            ]  # fmt: skip
            assert [event.epoch.epoch for event in mine if isinstance(event, EpochDone)] == [1, 2]
            assert mine[-1].run == here.store.run(job.arm, job.seed)
        assert bits(here.store) == here.bits
        assert not [path for path in here.store.root.rglob("*") if path.name.endswith((".tmp", ".partial"))]
        assert not stores.verify(here.store).found
        assert {path.name for path in here.store.root.iterdir()} - names <= {"runs"}

    def test_a_stop_ends_every_task_once_and_the_next_call_goes_on(self, here):
        jobs, stopping, stopped, asked = JOBS[:4], [], [], []
        for event in here.execute(jobs, lambda: bool(stopping), lambda: asked.append(1) or []):
            stopped.append(event)
            if isinstance(event, EpochDone):
                stopping.append(1)
                assert not asked
        assert ended(stopped) == sorted(map(str, jobs))
        assert not asked
        made = {event.job for event in stopped if isinstance(event, RunDone)}
        assert made == {job for job in jobs if here.store.has(job.arm, job.seed)}
        assert len(made) < len(jobs)
        left = [job for job in jobs if job not in made]
        halfway = {event.job for event in stopped if isinstance(event, EpochDone)} - made
        began = [event for event in here.execute(left) if isinstance(event, Started)]
        assert {event.job for event in began if event.epochs_before} == halfway  # these go on from their checkpoints
        assert bits(here.store) == {(job.arm, job.seed): here.bits[job.arm, job.seed] for job in jobs}

    def test_a_stop_from_the_beginning_begins_nothing(self, here):
        events = list(here.execute([AuditTask("plain"), *JOBS], lambda: True, pytest.fail))
        assert [event for event in events if isinstance(event, RunStopped)] == [RunStopped(job) for job in JOBS]
        assert not any(isinstance(event, Started) for event in events)
        assert not (here.store.root / "runs").exists()

    def test_what_is_not_read_to_its_end_loses_no_checkpoint(self, here):
        job = JOBS[0]
        events = here.execute([job])
        assert any(isinstance(event, EpochDone) for event in events)  # and no further
        events.close()
        list(here.execute([] if here.store.has(job.arm, job.seed) else [job]))
        assert bits(here.store) == {("plain", 0): here.bits["plain", 0]}

    def test_a_run_whose_worker_dies_goes_on_from_its_checkpoint(self, here):
        job = Job("mortal", 0)
        here.dies(1, here.store.partial("mortal", 0) / "checkpoint.pt")
        events = [event for event in here.execute([job, Job("plain", 0)]) if not isinstance(event, Stepped)]
        assert ended(events) == sorted(map(str, [job, Job("plain", 0)]))
        mine = [event for event in events if event.job == job]
        (death,) = [event for event in mine if isinstance(event, WorkerDied)]
        assert death.cause.startswith("the worker ")
        before, after = mine[: mine.index(death)], mine[mine.index(death) + 1 :]
        assert isinstance(before[0], Started)
        assert [len(event.epochs_before) for event in after if isinstance(event, Started)] == [1]
        assert isinstance(after[-1], RunDone)
        assert bits(here.store).items() <= here.bits.items()
        assert len(bits(here.store)) == 2

    def test_two_deaths_fail_the_run_alone_and_it_is_repeated_only_once_forgotten(self, here):
        job, other = Job("mortal", 1), Job("wide", 1)
        here.dies(2, here.store.partial("mortal", 1) / "checkpoint.pt")
        events = list(here.execute([job, other]))
        assert ended(events) == sorted(map(str, [job, other]))
        assert sum(isinstance(event, WorkerDied) and event.job == job for event in events) == 1
        (failed,) = [event.run for event in events if isinstance(event, RunDone) and event.job == job]
        assert failed == here.store.run("mortal", 1)
        assert failed.status == "failed"
        assert failed.failure.reason.startswith("2 times: the worker ")
        assert here.store.run("wide", 1).status == "finished"
        stores.forget_run(here.store, "mortal", 1)
        (done,) = [event for event in here.execute([job]) if isinstance(event, RunDone)]
        assert done.run.status == "finished"
        assert bits(here.store)["mortal", 1] == here.bits["mortal", 1]

    def test_a_death_outside_of_a_run_costs_that_task_alone(self, here):
        here.dies(1)
        events = list(here.execute([Pilot("mortal"), Job("plain", 0)]))
        assert ended(events) == sorted(map(str, [Pilot("mortal"), Job("plain", 0)]))
        (piloted,) = [event for event in events if isinstance(event, Piloted)]
        assert piloted.seconds is None
        assert piloted.cause.startswith("the worker ")

    def test_more_tasks_are_asked_for_once_all_before_them_are_done(self, here):
        rounds, events, asked = [JOBS[:2], JOBS[2:3], []], [], []

        def more():
            asked.append(len(asked))
            assert len(ended(events)) == sum(map(len, [[0], *rounds][: len(asked)]))
            assert all(here.store.has(job.arm, job.seed) for made in rounds[: len(asked) - 1] for job in made)
            return rounds[asked[-1]]

        for event in here.execute([AuditTask("plain")], more=more):
            events.append(event)  # noqa: PERF402 (one at a time, since `more` looks at them)
        assert asked == [0, 1, 2]
        assert ended(events) == sorted(map(str, [AuditTask("plain"), *JOBS[:3]]))
        assert bits(here.store).items() <= here.bits.items()
        assert len(bits(here.store)) == 3

    def test_what_concerns_the_whole_study_ends_it_in_one_error(self, here):
        (here.store.root / "split.json").write_text("{")
        with pytest.raises(CommonGardenError, match=r"split\.json"):
            list(here.execute(JOBS))
        assert not (here.store.root / "runs").exists()


def ended(events):
    """The tasks that had a final event, as text in order of the alphabet."""
    found = []
    for event in events:
        if isinstance(event, Audited):
            found.append(AuditTask(event.arm))
        elif isinstance(event, Piloted):
            found.append(Pilot(event.arm))
        elif isinstance(event, FINAL):
            found.append(event.job)
    return sorted(map(str, found))
