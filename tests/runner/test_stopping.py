"""A stop (Ctrl-C, SIGTERM) loses no epoch that was printed as finished."""

import io
import os
import re
import signal
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
import torch
from conftest import STUDY

from command import environment, workers
from commongarden.runner import checkpoint_schedule
from commongarden.runner.checkpoint_schedule import SHARE, CheckpointSchedule
from running import wait_for

EPOCH = re.compile(r"^(\w+), seed (\d+): epoch (\d+)/", re.MULTILINE)


def printed(errors):
    """The last epoch line of each run."""
    found = {}
    for arm, seed, epoch in EPOCH.findall(errors):
        found[arm, int(seed)] = max(int(epoch), found.get((arm, int(seed)), 0))
    return found


def stored(out):
    """The epochs in the checkpoint of each run in progress."""
    found = {}
    for path in out.glob("runs/*/*.partial/checkpoint.pt"):
        state = torch.load(io.BytesIO(path.read_bytes().partition(b"\n")[2]), weights_only=True)
        found[path.parent.parent.name, int(path.parent.name.removesuffix(".partial"))] = len(state["history"])
    return found


def stopped(study, out, cache_folder, n_workers, stop):
    """Starts the command and stops it once every worker's run has printed seven epochs; what it printed."""
    log = out.with_suffix(".log")
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "commongarden.cli", "run", study, "--out", out, "--workers", str(n_workers)],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment(cache_folder) | {"PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        wait_for(lambda: sum(epoch >= 7 for epoch in printed(log.read_text()).values()) >= n_workers)
        stop(process)
        assert process.wait(30) == 130, log.read_text()[-3000:]
    return log.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send to another process")
@pytest.mark.parametrize(
    ("n_workers", "stop"),
    [
        pytest.param(1, lambda process: process.send_signal(signal.SIGINT), marks=pytest.mark.soak),
        (2, lambda process: [os.killpg(process.pid, signal.SIGTERM) for _ in range(2)]),  # as `timeout` does
    ],
    ids=["one worker, Ctrl-C", "two workers, SIGTERM to all, twice"],
)
def test_every_epoch_line_is_a_stored_epoch(photos, cache_folder, tmp_path, n_workers, stop):
    text = STUDY.format(data=photos.as_posix()).replace("epochs = 3", "epochs = 5000")
    (tmp_path / "long.toml").write_text(text)
    errors = stopped(tmp_path / "long.toml", tmp_path / "out", cache_folder, n_workers, stop)
    assert "Traceback" not in errors
    assert errors.count("finished epochs are saved") == 1
    assert stored(tmp_path / "out") == printed(errors)
    assert len(printed(errors)) == n_workers


@pytest.mark.soak
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send to another process")
def test_a_second_ctrl_c_stops_at_once(photos, cache_folder, tmp_path):
    """The workers are gone with the command, although SIGTERM does not end them."""
    text = STUDY.format(data=photos.as_posix()).replace("epochs = 3", "epochs = 5000")
    (tmp_path / "long.toml").write_text(text)
    left = []

    def twice(process):
        left.extend(workers(process.pid))
        os.kill(process.pid, signal.SIGSTOP)  # both signals are there before it looks
        os.kill(process.pid, signal.SIGINT)
        os.kill(process.pid, signal.SIGTERM)
        os.kill(process.pid, signal.SIGCONT)
        wait_for(lambda: "finished epochs" in (tmp_path / "out.log").read_text())
        os.kill(process.pid, signal.SIGINT)

    stopped(tmp_path / "long.toml", tmp_path / "out", cache_folder, 1, twice)
    assert left
    assert not psutil.wait_procs(left, timeout=5)[1]


@pytest.fixture
def schedule(monkeypatch):
    """A schedule whose checkpoints take 10 seconds of its clock, and copies `copying`; what it wrote."""
    now = SimpleNamespace(now=0.0, copying=0.05, written=[], free=10**9)

    def write(path, data):
        now.now += 10.0
        now.written.append(data)

    def copied(epochs):
        now.now += now.copying
        return f"copy after {len(epochs)}"

    fake = SimpleNamespace(contents=lambda epochs: f"state after {len(epochs)}", copied_contents=copied, serialized=str)
    monkeypatch.setattr(checkpoint_schedule, "time", SimpleNamespace(monotonic=lambda: now.now))
    monkeypatch.setattr(checkpoint_schedule, "checkpoint", fake)
    monkeypatch.setattr(checkpoint_schedule.store_files, "write_atomically", write)
    monkeypatch.setattr(checkpoint_schedule.limits, "free_memory", lambda: now.free)
    return now


def trained(now, n_epochs, seconds):
    epochs = []
    made = CheckpointSchedule("checkpoint.pt", epochs)
    for number in range(n_epochs):
        now.now += seconds
        epochs.append(number)
        made.epoch_done()
    return made


def test_a_stop_writes_the_copy_of_the_last_epoch(schedule):
    made = trained(schedule, 9, 6.0)
    assert schedule.written == ["state after 1"]
    assert made.can_stop()
    assert made.can_stop()
    assert schedule.written == ["state after 1", "copy after 9"]


def test_copies_take_at_most_their_share_of_an_epoch(schedule):
    made = trained(schedule, 9, 4.9)  # of which a hundredth is less than a copy takes
    assert made._n_copies == checkpoint_schedule.TRIALS
    assert not made.can_stop()  # it goes on to the end of its epoch, and is saved there
    made.save()
    assert made.can_stop()
    assert schedule.written == ["state after 1", "state after 9"]
    assert schedule.copying / 4.9 > SHARE


def test_no_copy_is_made_where_memory_is_short(schedule):
    schedule.free = 4 * len("state after 1") - 1
    made = trained(schedule, 9, 50.0)
    assert made._n_copies == 0
    assert not made.can_stop()


def test_a_copy_is_what_training_leaves_alone():
    """Weights, optimizer and signals, tied tensors tied."""
    from commongarden.train import checkpoint

    tied = torch.nn.Linear(4, 4)
    network = torch.nn.Sequential(tied, torch.nn.BatchNorm1d(4), tied)
    optimizer = torch.optim.Adam(network.parameters())
    rows = [{"epoch": 1}]

    def step():
        network(torch.randn(8, 4)).square().sum().backward()
        optimizer.step()

    step()
    state = SimpleNamespace(
        classifier=network,
        optimizer=optimizer,
        history=[],
        best_epoch=0,
        best_weights=None,
        best_hidden={},
        ema=None,
        scaler=None,
        recorder=SimpleNamespace(state=lambda: {"layers": [], "rows": rows}),
    )

    def read(data):
        found = torch.load(io.BytesIO(data.partition(b"\n")[2]), weights_only=True)
        return [*found["weights"].values(), *found["optimizer"]["state"].values()], found

    (before, _), copy = read(checkpoint.to_bytes(state)), checkpoint.copied_contents(state)
    step()
    rows.append({"epoch": 2})
    tensors, found = read(checkpoint.serialized(copy))
    torch.testing.assert_close(tensors, before, rtol=0, atol=0)
    assert found["weights"]["0.weight"].data_ptr() == found["weights"]["2.weight"].data_ptr()
    assert found["signals"]["rows"] == [{"epoch": 1}]
    with pytest.raises(AssertionError):
        torch.testing.assert_close(read(checkpoint.to_bytes(state))[0], before)
