"""Who gets which task, on an engine without machines: workers that answer at once, are lost, or are of another kind."""

import resource
import time
from collections import Counter, deque
from types import SimpleNamespace

import pytest

from commongarden import store as stores
from commongarden.cluster.arriving import kind_of_machine
from commongarden.cluster.crew import MOST_LOSSES, SECONDS_TO_ARRIVE, Crew
from commongarden.cluster.engine import Seat
from commongarden.cluster.messages import Arrived, Assignment, Left, Lost, Saved, Told
from commongarden.errors import RunnerError
from commongarden.i18n.coded import NOTHING
from commongarden.runner import plan
from commongarden.runner.events import Job, RunDone, RunStopped, Started, WorkerDied
from commongarden.runner.executor import TaskContext
from commongarden.store.checksums import digest

RUN = {"run.json": b"{}"}
LISTING = f"{digest(RUN['run.json'])}  run.json\n"
FILES = {**RUN, "checksums.sha256": f"{LISTING}# {digest(LISTING.encode())}\n".encode()}


class Fake:
    """Workers that make a run at once. kinds: of the machines, in the order in which workers are started. loses: called
    with the number of a worker and its task; whether the worker is then lost."""

    saves = True  # whether a checkpoint arrives before a worker is lost

    def __init__(self, kinds=(), loses=lambda number, task: False, packages=None):
        self.kinds, self.loses, self.packages = list(kinds), loses, packages or plan.machine().packages
        self.said, self.begun, self.n, self.n_messages = deque(), [], 0, 0

    def start(self, assignment):
        seat = Seat(self.n)
        kind = self.kinds[self.n] if self.n < len(self.kinds) else kind_of_machine()
        self.n += 1
        self.said.append((seat, Arrived(f"machine{seat.handle}", kind, self.packages)))
        return seat

    def hand(self, seat, task, files, known):
        self.begun.append((seat.handle, task, files))
        if self.loses(seat.handle, task):
            checkpoint = {f"runs/plain/{task.seed}.partial/checkpoint.pt": b"half"} if self.saves else {}
            self.said += [(seat, Told(Started(task, ()), checkpoint)), (seat, Lost(NOTHING))]
            return
        files = {f"runs/{task.arm}/{task.seed}/{name}": data for name, data in FILES.items()}
        self.said += [(seat, Told(Started(task, ()))), (seat, Told(RunDone(task, None), files))]

    def leave(self, seat):
        self.said.append((seat, Left()))

    stop = leave

    def end(self, seats):
        pass

    def wait(self, seconds):
        for _ in range(len(self.said)):
            self.n_messages += 1
            yield self.said.popleft()

    def room(self):
        return ""


@pytest.fixture
def crew(tmp_path):
    """A crew for so many runs on so many workers of a fake engine."""

    def made(engine, n_jobs, n_seats, stop=lambda: False):
        context = TaskContext(tmp_path, tmp_path, "cpu")
        assignment = Assignment({}, context, (), {}, None, "en", {}, "")
        jobs = deque(Job("plain", seed) for seed in range(n_jobs))
        return Crew(engine, assignment, n_seats, n_seats, {}, stop, None, pytest.fail, jobs)

    return made


def test_a_run_goes_on_from_its_checkpoint_on_a_machine_of_the_same_kind(crew, tmp_path):
    lost = []
    engine = Fake(
        ["a", "b", "a"], lambda number, task: number == 0 and task.seed == 0 and not lost and not lost.append(1)
    )
    events = list(crew(engine, 3, 3).events())
    assert Counter(type(event) for event in events)[RunDone] == 3
    assert [event.job.seed for event in events if isinstance(event, WorkerDied)] == [0]
    assert {event.host for event in events if isinstance(event, Started)} == {"machine0", "machine1", "machine2"}
    number, _task, files = [each for each in engine.begun if each[1].seed == 0][-1]
    assert engine.kinds[number] == "a"
    assert files == {"runs/plain/0.partial/checkpoint.pt": b"half"}
    assert not list(tmp_path.glob("runs/plain/*.partial"))


def test_where_no_machine_is_of_that_kind_it_begins_again_and_says_so(crew, monkeypatch):
    engine = Fake(["a", "b", "b"], lambda number, task: number == 0)
    made = crew(engine, 2, 2)
    made.since -= SECONDS_TO_ARRIVE
    events = list(made.events())
    assert [event.note for event in events if isinstance(event, Started) and event.note] == [
        "its checkpoint is from another kind of machine, where the numbers may differ; restarting"
    ]
    assert engine.begun[-1][2] == {}


def test_a_task_that_takes_every_machine_down_is_given_up(crew, monkeypatch):
    given_up = []
    monkeypatch.setattr(
        "commongarden.cluster.crew.give_up",
        lambda context, task, cause, n: given_up.append((task, n)) or RunDone(task, None),
    )
    engine = Fake([], lambda number, task: task.seed == 1)
    engine.saves = False
    events = list(crew(engine, 3, 2).events())
    assert given_up == [(Job("plain", 1), MOST_LOSSES)]
    assert sum(isinstance(event, WorkerDied) for event in events) == MOST_LOSSES - 1
    assert sorted(event.job.seed for event in events if isinstance(event, RunDone)) == [0, 1, 2]


def test_a_run_that_comes_forward_between_losses_is_not_given_up(crew):
    lost = Counter()
    engine = Fake([], lambda number, task: lost.update([task]) or lost[task] < 3 * MOST_LOSSES)
    events = list(crew(engine, 1, 1).events())
    assert sum(isinstance(event, WorkerDied) for event in events) == 3 * MOST_LOSSES - 1
    assert isinstance(events[-1], RunDone)


def test_a_run_that_is_saved_before_its_worker_goes_home_early_goes_on_from_there(crew):
    lost = Counter()
    engine = Fake([], lambda number, task: lost.update([task]) or lost[task] < 3 * MOST_LOSSES)
    engine.saves = False
    begin = engine.hand

    def hand(seat, task, files, known):
        begin(seat, task, files, known)
        if isinstance(engine.said[-1][1], Lost):
            engine.said.insert(len(engine.said) - 1, (seat, Saved(task, {"checkpoint.pt": b"%d" % lost[task]})))

    engine.hand = hand
    events = list(crew(engine, 1, 1).events())
    assert sum(isinstance(event, WorkerDied) for event in events) == 3 * MOST_LOSSES - 1
    assert isinstance(events[-1], RunDone)
    assert [[*files.values()] for _number, _task, files in engine.begun[:3]] == [[], [b"1"], [b"2"]]


def test_what_a_lost_worker_still_says_is_not_heard(crew):
    engine = Fake([], lambda number, task: number == 0)
    made = crew(engine, 1, 1)
    events = []
    for event in made.events():
        events.append(event)
        if isinstance(event, WorkerDied):
            seat = SimpleNamespace(held=[event.job], about=None)
            engine.said.append((seat, Told(RunDone(event.job, "of the lost one"), {})))
    assert [event.run for event in events if isinstance(event, RunDone)] == [None]


def test_another_version_on_a_machine_is_named(crew):
    packages = {**plan.machine().packages, "torch": "1.0"}
    with pytest.raises(RunnerError, match=r"machine0: torch is 1\.0 there and .* here; accepted: the same version"):
        list(crew(Fake(packages=packages), 1, 1).events())


def test_a_stop_ends_every_task_once(crew):
    stopping = []
    engine = Fake()
    events = []
    for event in crew(engine, 50, 2, lambda: bool(stopping)).events():
        events.append(event)
        if isinstance(event, RunDone):
            stopping.append(1)
    final = [event.job for event in events if isinstance(event, RunDone | RunStopped)]
    assert sorted(final, key=lambda job: job.seed) == [Job("plain", seed) for seed in range(50)]


@pytest.mark.soak
def test_ten_thousand_runs_on_a_thousand_machines(crew, tmp_path, monkeypatch):
    """What the process that holds the study spends on them, beside files: seconds of CPU, and memory."""
    monkeypatch.setattr(stores, "adopt_run", lambda *_: None)
    engine = Fake()
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.process_time()
    events = list(crew(engine, 10_000, 1_000).events())
    took, after = time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF)
    print(f"{took:.1f} s CPU, {(after.ru_maxrss - before.ru_maxrss) / 1e3:.0f} MB, {engine.n_messages} messages")
    assert sum(isinstance(event, RunDone) for event in events) == 10_000
    assert [task.seed for _number, task, _files in engine.begun] == list(range(10_000))  # in their order
    shares = Counter(number for number, _task, _files in engine.begun)
    assert max(shares.values()) - min(shares.values()) <= 1
    assert took < 30
