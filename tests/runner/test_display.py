"""What a study shows while it runs: live, plain, and in the form of the original experiment."""

import io
import re
import time

import pytest
from rich.console import Console

from commongarden import store as stores
from commongarden.records import Epoch
from commongarden.runner.display import ClassicDisplay, LiveDisplay, PlainDisplay, TimeLeft, left
from commongarden.runner.events import EpochDone, Job, RunDone, RunStopped, Started, Stepped, WorkerDied

PLAIN, RESIDUAL = Job("plain", 0), Job("residual", 0)


def epoch(number):
    return Epoch(number, 1.5 / number, 0.1 * number, 1.6, 0.2, 1e-3, 1.0, 2.0, 1.0, 1.0)


@pytest.fixture
def run(finished):
    return stores.open_store(finished).run("plain", 0)


def events(run):
    return [
        Started(PLAIN, ()),
        Stepped(PLAIN, 1, 5, 10, 1.234, 0.321, 456.0),
        EpochDone(PLAIN, epoch(1), 789.0),
        WorkerDied(PLAIN, "the worker was killed by signal 9 (SIGKILL)"),
        Started(PLAIN, (epoch(1),)),
        Started(RESIDUAL, (), "checkpoint.pt cannot be read (EOFError); restarting from the first epoch"),
        EpochDone(PLAIN, epoch(2), 789.0),
        RunDone(PLAIN, run),
        RunStopped(RESIDUAL),
    ]


def test_the_live_display_has_a_line_for_every_run_under_way(run):
    console = Console(file=io.StringIO(), force_terminal=True, width=200, height=30, color_system=None)
    with LiveDisplay(console) as display:
        display.prepare("reading photos", 3, 10)
        display.note("warning: 1 file is left out")
        display.begin({PLAIN: 1.0, RESIDUAL: 1.0}, {PLAIN: 2, RESIDUAL: 2}, 2)
        for event in events(run):
            display.show(event)
            if isinstance(event, Stepped):
                with console.capture() as shown:
                    console.print(display._picture())
    row = next(line for line in shown.get().splitlines() if "plain, seed 0" in line)
    assert row.split() == ["plain,", "seed", "0", "0.5/2", "1.234", "32.1%", "456"]
    assert re.search(r"0 of 2 runs done; .* left", shown.get())
    text = console.file.getvalue()
    for said in (
        "warning: 1 file is left out",
        "2 runs, 2 at a time",
        "plain, seed 0: the worker was killed by signal 9 (SIGKILL); resuming from the last "
        "checkpoint in another worker",
        "residual, seed 0: checkpoint.pt cannot be read (EOFError); restarting from the first epoch",
        f"plain, seed 0: test accuracy {run.test_accuracy:.1%}",
        "1 of 2 runs done",
    ):
        assert said in text


def test_plain_lines(run):
    lines = []
    with PlainDisplay(lines.append) as display:
        display.prepare("reading photos", 10, 10)
        display.begin({PLAIN: 1.0, RESIDUAL: 1.0}, {PLAIN: 2, RESIDUAL: 2}, 2)
        for event in events(run):
            display.show(event)
    assert lines[:2] == ["reading photos: 10 of 10", "2 runs, 2 at a time"]
    assert re.fullmatch(
        "plain, seed 0: epoch 1/2, loss 1\\.500, accuracy 0\\.100, validation 0\\.200, 789 images/s; .* left", lines[2]
    )
    assert "resumed after epoch 1" in lines[4]
    assert lines[-1] == "residual, seed 0: stopped, its epochs are saved"
    display.show(RunStopped(Job("residual", 7)))  # was not begun: nothing to say
    assert "seed 7" not in lines[-1]


def test_the_machine_of_a_cluster_stands_beside_its_run():
    lines = []
    display = PlainDisplay(lines.append)
    display.begin({PLAIN: 1.0, RESIDUAL: 1.0}, {PLAIN: 2, RESIDUAL: 2}, 2)
    display.show(Started(PLAIN, (), host="node1"))
    display.show(Started(RESIDUAL, (epoch(1),), host="node2"))
    assert lines[1:] == ["plain, seed 0 on node1: starting", "residual, seed 0 on node2: resumed after epoch 1"]
    console = Console(file=io.StringIO(), width=100)
    live = LiveDisplay(console)
    live.begin({PLAIN: 1.0}, {PLAIN: 2}, 1)
    live.show(Started(PLAIN, (), host="node1"))
    live.show(EpochDone(PLAIN, epoch(1), 100.0))
    console.print(live._picture())
    assert "plain, seed 0 on node1" in console.file.getvalue()


@pytest.mark.parametrize("n_workers", [1, 2])
def test_the_classic_log_comes_line_by_line_where_one_run_goes_on_at_a_time(run, n_workers):
    log, lines = [], []
    display = ClassicDisplay(log.append, lines.append, 1)
    display.begin({PLAIN: 1.0}, {PLAIN: 11}, n_workers)
    display.show(Started(PLAIN, ()))
    for number in range(1, 12):
        display.show(EpochDone(PLAIN, epoch(number), 100.0))
        if number == 4:
            assert len(log) == (3 if n_workers == 1 else 0)
    display.show(RunDone(PLAIN, run))
    assert lines == [f"1 run, {n_workers} at a time"]
    assert log[0] == "Model plain train started:"
    assert log[1] == "    Epoch 2: cost=0.750, accuracy=0.200/0.200 (10/10 secs)"
    assert [line.split()[1] for line in log[1:7]] == ["2:", "4:", "6:", "8:", "10:", "11:"]
    assert log[6].endswith("(5/55 secs)")
    assert log[7] == "Model plain train ended in 55 secs:"
    assert log[8].startswith(f"Model plain test report: accuracy = {run.test_accuracy:.3f}, (")


def test_time_left_is_reckoned_from_work_done(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    small, large = Job("small", 0), Job("large", 0)
    left = TimeLeft({small: 1.0, large: 3.0}, {small: 2, large: 2})
    left.update(Started(small, ()))
    left.update(Stepped(small, 1, 1, 100, 1.0, 0.5, 10.0))
    assert left.seconds() is None  # of 0.1 % of the work nobody can tell how long it takes
    now = 110.0
    left.update(Stepped(small, 2, 5, 10, 1.0, 0.5, 10.0))  # three quarters of a quarter of all work, in 10 s
    assert left.seconds() == pytest.approx(10 * (4 - 0.75) / 0.75)
    left.update(Started(large, (None,)))  # its first epoch was made before: no work of this session
    assert left.seconds() == pytest.approx(10 * (4 - 0.75 - 1.5) / 0.75)
    left.update(RunDone(small, None))
    left.update(RunDone(large, None))
    assert left.seconds() == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "estimating the remaining time"),
        (3.4, "about 3 seconds left"),
        (200, "about 3 minutes left"),
        (7500, "about 2 hours left"),
    ],
)
def test_durations_as_people_say_them(seconds, text):
    assert left(seconds) == text
