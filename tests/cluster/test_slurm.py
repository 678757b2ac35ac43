"""The executor of SLURM with submitit's processes of this machine in place of jobs, and what it says of mistakes."""

import dataclasses
import os
import shutil

import pytest

from commongarden import store as stores
from commongarden.cluster import SlurmSettings, Where, slurm_place
from commongarden.cluster.mailbox import Alive, Log, Mailbox, Stop, own_folder
from commongarden.cluster.messages import Told
from commongarden.cluster.slurm_workers import SlurmWorkers
from commongarden.errors import RunnerError
from commongarden.runner.events import Job, RunDone, Stepped
from commongarden.runner.executor import TaskContext
from executor_conformance import bits, planted  # noqa: F401 (a fixture)


def test_runs_of_a_job_have_the_same_bits_and_leave_nothing(planted, tmp_path):  # noqa: F811
    pytest.importorskip("submitit", reason="submitit is not installed (the extra [slurm])")
    from local_jobs import LocalJobs

    jobs = [Job("plain", 0), Job("wide", 0)]
    context = TaskContext(shutil.copytree(planted.folder / "empty", tmp_path / "out"), planted.cache, "cpu")
    where = Where(slurm=SlurmSettings(folder=str(tmp_path / "messages")))
    events = list(SlurmWorkers(context, 1, {}, where, queues=LocalJobs).execute(jobs, lambda: False))
    assert [event.job for event in events if isinstance(event, RunDone)] == jobs
    store = stores.Store(context.root)
    assert bits(store) == {(job.arm, job.seed): planted.bits[job.arm, job.seed] for job in jobs}
    assert not stores.verify(store).found
    assert not list((tmp_path / "messages").glob("slurm/*"))


@pytest.fixture
def mailbox(tmp_path):
    (tmp_path / "given").write_bytes(b"")
    made = Mailbox(tmp_path / "worker")
    made.create(tmp_path / "given")
    return made


def test_a_message_that_has_not_arrived_whole_is_read_later(mailbox):
    path = mailbox.to_worker.path
    mailbox.to_worker.append([Stop(), Alive()])
    whole, reader, read = path.read_bytes(), Log(path), []
    for end in [*range(0, len(whole), 9), len(whole) - 1]:
        for shown in (whole[:end], whole[:end].ljust(len(whole), b"\0")):  # as a file server may show it
            path.write_bytes(shown)
            read += reader.read()
            assert len(read) == (end >= reader.read_to > 0)
    path.write_bytes(whole)
    assert [*read, *reader.read()] == [Stop(), Alive()]
    assert [*reader.read()] == []


def test_files_are_removed_once_the_next_message_is_asked_for(mailbox):
    told = Told(Stepped(Job("plain", 0), 1, 2, 3, 0.5, 0.5, 9.0), {"a": b"1"})
    mailbox.say([told, Alive()])
    heard = mailbox.heard()
    assert next(heard) == told
    assert len(list(mailbox.folder.glob("files-*"))) == 1
    assert next(heard) == Alive()
    assert not list(mailbox.folder.glob("files-*"))
    assert next(Mailbox(mailbox.folder).heard()) == dataclasses.replace(told, files={})


def test_a_folder_in_which_others_can_write_is_refused(tmp_path):
    os.chmod(tmp_path, 0o777)
    with pytest.raises(RunnerError, match="other users can write there"):
        own_folder(tmp_path)
    assert own_folder(tmp_path / "new").stat().st_mode & 0o777 == 0o700


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr("commongarden.cluster.slurm_queue.check_installed", lambda: None)


@pytest.mark.parametrize(
    ("where", "device", "said"),
    [
        (Where(shared=False), "auto", r"shared = false in \[files\]: not possible with --on slurm"),
        (Where(), "cuda:1", "found cuda:1, accepted with --on slurm: auto, cpu, cuda"),
        (Where(slurm=SlurmSettings(gres="gpu:1", runs_per_job=2)), "auto", "runs_per_job: found 2, accepted with GPUs"),
    ],
)
def test_what_cannot_be_is_refused(installed, where, device, said):
    with pytest.raises(RunnerError, match=said):
        slurm_place(where, device)


def test_the_number_of_tasks_at_a_time(installed):
    settings = SlurmSettings(array_parallelism=3, runs_per_job=4)
    place = slurm_place(Where(slurm=settings))
    assert (place.device, place.n_tasks) == ("cpu", 12)
    assert slurm_place(Where(slurm=settings), n_workers=5).n_tasks == 5
    assert slurm_place(Where(slurm=SlurmSettings(gres="gpu:a100:1"))).device == "cuda"


def test_what_is_missing_is_said(monkeypatch):
    from commongarden.cluster import slurm_queue

    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    with pytest.raises(RunnerError, match="sbatch and squeue are not found"):
        slurm_queue.check_installed()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunnerError, match=r"pip install 'commongarden\[slurm\]'"):
        slurm_queue.check_installed()
