"""What may happen to jobs of SLURM: they vanish, their time is over, they are preempted, the command is killed."""

import dataclasses
import pickle
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

from commongarden import store as stores
from commongarden.cluster.slurm_workers import SlurmWorkers
from commongarden.cluster.where_file import SlurmSettings, Where
from commongarden.errors import RunnerError
from commongarden.runner.events import EpochDone, Job, RunDone, RunStopped, Started, WorkerDied
from commongarden.runner.executor import TaskContext
from commongarden.runner.prepared_data import prepare_data
from commongarden.runner.task_runner import TaskRunner
from commongarden.study import Arm, SplitPlan, Study
from commongarden.study.recipe import Recipe
from executor_conformance import bits

pytestmark = pytest.mark.soak
JOBS = [Job("plain", 0), Job("plain", 1)]


@pytest.fixture(scope="module")
def long_runs(photos, cache_folder, tmp_path_factory):
    """A study whose runs take many seconds, without runs, and their bits as one process makes them."""
    folder = tmp_path_factory.mktemp("long")
    study = Study(
        "long",
        str(photos),
        {"plain": Arm("plain_flower")},
        Recipe(resolution=16, epochs=150, batch_size=8, augment=("flip",)),
        (0, 1),
        split=SplitPlan(0.6, 0.2),
    )
    store, prepared = prepare_data(study, folder / "empty", cache_folder)
    whole = stores.Store(shutil.copytree(store.root, folder / "whole"))
    one_by_one = TaskRunner(TaskContext(whole.root, cache_folder, "cpu"), whole, whole.study(), prepared)
    for job in JOBS:
        list(one_by_one.carry_out(job, lambda: False))
    return TaskContext(store.root, cache_folder, "cpu"), bits(whole)


@pytest.fixture
def here(slurm, long_runs, tmp_path):
    """A copy of the study, and what makes its runs with these settings of jobs."""
    context, expected = long_runs
    context = dataclasses.replace(context, root=shutil.copytree(context.root, tmp_path / "out"))

    def workers(n=2, **settings):
        where = Where(slurm=SlurmSettings(folder=str(tmp_path / "messages"), **{"time": "10", **settings}))
        return SlurmWorkers(context, n, {}, where)

    workers.store, workers.bits, workers.folder = stores.Store(context.root), expected, tmp_path
    yield workers
    slurm.until_empty()


def whole(here, events):
    """The deaths of a study that is whole, whose runs were made once and have their bits."""
    assert sorted(event.job.seed for event in events if isinstance(event, RunDone)) == [0, 1]
    assert bits(here.store) == here.bits
    assert not stores.verify(here.store).found
    return [event for event in events if isinstance(event, WorkerDied)]


def with_a_blow(here, blow, workers):
    """The events of both runs, where the blow falls once both have some epochs; after a death they go on from them."""
    events, epochs = [], {}
    for event in workers.execute(JOBS, lambda: False):
        events.append(event)
        if isinstance(event, EpochDone) and blow is not None:
            epochs[event.job] = event.epoch.epoch
            if len(epochs) == len(JOBS) and min(epochs.values()) > 3:
                blow()
                blow = None
    deaths = whole(here, events)
    for death in deaths:
        after = [event for event in events[events.index(death) :] if isinstance(event, Started)]
        assert all(event.epochs_before for event in after if event.job == death.job)
    return deaths


def running(slurm):
    return slurm.ask("squeue", "-h", "-r", "-t", "RUNNING", "-o", "%i").split()


def test_jobs_that_are_cancelled_save_their_runs_which_go_on_in_others(here, slurm):
    deaths = with_a_blow(here, lambda: slurm.ask("scancel", *running(slurm)), here())
    assert len(deaths) == 2
    assert all("reached its time limit, or was preempted" in death.cause for death in deaths)


def test_a_job_that_vanishes_is_found_and_its_run_goes_on_in_another(here, slurm):
    def blow():
        killed_job = running(slurm)[0]
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                environment = process.environ()
                number = environment.get("SLURM_JOB_ID")
                if "SLURM_ARRAY_TASK_ID" in environment:
                    number = f"{environment['SLURM_ARRAY_JOB_ID']}_{environment['SLURM_ARRAY_TASK_ID']}"
                if number == killed_job:
                    process.kill()

    (death,) = with_a_blow(here, blow, here())
    assert "was lost (" in death.cause


def test_the_signal_before_a_time_limit_ends_with_a_checkpoint(here, slurm):
    """That of `--signal=USR2@90`. SLURM itself sends it a minute after a start at the earliest."""
    deaths = with_a_blow(here, lambda: slurm.ask("scancel", "--signal=USR2", *running(slurm)), here())
    assert len(deaths) == 2
    assert all("reached its time limit" in death.cause for death in deaths)


def test_a_job_that_is_preempted_saves_its_run(here, slurm):
    def blow():
        slurm.ask("sbatch", "-p", "high", "-n4", "-N2", "-t1", "-o", "/dev/null", "--wrap", "sleep 8")

    deaths = with_a_blow(here, blow, here(partition="low"))
    assert len(deaths) == 2
    assert all("preempted" in death.cause for death in deaths)


def test_a_stop_saves_and_leaves_no_job(here, slurm):
    epochs, stopping = [], []
    events = []
    for event in here().execute(JOBS, lambda: bool(stopping)):
        events.append(event)
        if isinstance(event, EpochDone):
            epochs.append(event.job)
            if set(epochs) == set(JOBS):
                stopping.append(1)
    assert {event.job for event in events if isinstance(event, RunStopped)} == set(JOBS)
    slurm.until_empty()
    assert not list((here.folder / "messages").glob("slurm/*"))
    again = list(here().execute(JOBS, lambda: False))
    assert all(event.epochs_before for event in again if isinstance(event, Started))
    assert not whole(here, again)


DRIVER = """
import pickle, sys
from commongarden.runner.events import EpochDone
workers, jobs = pickle.load(open(sys.argv[1], "rb"))
for event in workers.execute(jobs, lambda: False):
    if isinstance(event, EpochDone):
        print(event.job.seed, event.epoch.epoch, flush=True)
"""


def killed(here, workers, ends):
    """Executes the runs in a process of its own, which is killed once that is wanted of its lines."""
    (here.folder / "driver.py").write_text(DRIVER)
    (here.folder / "workers").write_bytes(pickle.dumps((dataclasses.replace(workers, tell=print), JOBS)))
    line = [sys.executable, str(here.folder / "driver.py"), str(here.folder / "workers")]
    lines = []
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as driver:
        for text in driver.stdout:
            lines.append(tuple(map(int, text.split())))
            if ends(lines):
                driver.send_signal(signal.SIGKILL)
                break
    return lines


def test_the_command_that_follows_one_that_was_killed_finds_its_jobs(here, slurm):
    killed(here, here(), lambda lines: {seed for seed, epoch in lines if epoch > 3} == {0, 1})
    before = set(running(slurm))
    assert len(before) == 2
    events = list(here().execute(JOBS, lambda: False))
    assert not whole(here, events)
    assert slurm.ask("squeue", "-h", "-r", "--states=all", "-o", "%i").split()[-1] in before  # and no further one
    assert all(len(event.epochs_before) == 0 for event in events if isinstance(event, Started))  # as they were begun


def test_runs_that_end_while_nobody_listens_are_not_repeated(here, slurm):
    killed(here, here(), lambda lines: {seed for seed, epoch in lines if epoch > 3} == {0, 1})
    end = time.monotonic() + 240
    while running(slurm) and time.monotonic() < end:
        time.sleep(1)
    assert not running(slurm)  # workers that are left alone go home
    begun = time.monotonic()
    events = list(here().execute(JOBS, lambda: False))
    assert time.monotonic() - begun < 20
    assert sum(isinstance(event, Started) for event in events) == 2
    assert not whole(here, events)


def test_what_sbatch_refuses_is_said(here):
    with pytest.raises(RunnerError, match=r"sbatch: .*Invalid partition"):
        list(here(partition="nowhere").execute(JOBS, lambda: False))


def test_jobs_that_cannot_start_end_the_study_with_their_log(here):
    with pytest.raises(RunnerError, match=r"ended before its worker started .*ghostly"):
        list(here(setup=("ghostly-module load cuda 1>&2; exit 3",)).execute(JOBS, lambda: False))


def test_files_that_a_machine_lacks_are_sent(here, monkeypatch):
    """Jobs with an image cache of their own, which look at nothing of this machine's."""
    monkeypatch.setattr("commongarden.cluster.slurm_workers.check_shared", lambda where: None)
    monkeypatch.setenv("COMMONGARDEN_CACHE", str(here.folder / "cache"))
    workers = here(n=1)
    workers = dataclasses.replace(workers, where=dataclasses.replace(workers.where, shared=False))
    (done,) = [event for event in workers.execute(JOBS[:1], lambda: False) if isinstance(event, RunDone)]
    assert done.run.status == "finished"
    assert bits(here.store).items() <= here.bits.items()
    assert sum(path.stat().st_size for path in (here.folder / "cache").rglob("*.npy")) > 0
