"""How often a run under way is saved."""

from types import SimpleNamespace

import pytest

from commongarden.runner import checkpoint_schedule
from commongarden.runner.checkpoint_schedule import SHARE, CheckpointSchedule, seconds_of_saving


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves by what a checkpoint costs when one is written; what was written, by when."""

    class Clock:
        now, cost, written = 0.0, 1.0, ()

        def write(self, path, data):
            self.now += self.cost
            self.written = (*self.written, self.now)

    made = Clock()
    monkeypatch.setattr(
        checkpoint_schedule, "time", SimpleNamespace(monotonic=lambda: made.now)
    )  # others need the real one
    monkeypatch.setattr(checkpoint_schedule.store_files, "write_atomically", made.write)
    fake = SimpleNamespace(contents=lambda _: {}, copied_contents=lambda _: {}, serialized=lambda _: b"")
    monkeypatch.setattr(checkpoint_schedule, "checkpoint", fake)
    return made


def train(clock, saver, epochs, seconds):
    begun = clock.now
    for _ in range(epochs):
        clock.now += seconds
        saver.epoch_done()
    return clock.now - begun


@pytest.mark.parametrize("seconds", [0.1, 3, 50, 99])
def test_checkpoints_take_at_most_their_share_of_a_run(clock, seconds):
    took = train(clock, CheckpointSchedule("checkpoint.pt", None), 1000, seconds)
    assert clock.written[0] == seconds + clock.cost  # the first epoch is not lost
    assert (len(clock.written) - 1) * clock.cost <= SHARE * took
    assert len(clock.written) * clock.cost <= seconds_of_saving(1000, took, clock.cost)


def test_long_epochs_are_saved_each(clock):
    train(clock, CheckpointSchedule("checkpoint.pt", None), 7, 101)
    assert len(clock.written) == 7
    assert seconds_of_saving(7, 7 * 101, 1.0) == 7


def test_a_disk_that_stalls_once_does_not_put_off_what_follows(clock):
    saver = CheckpointSchedule("checkpoint.pt", None)
    train(clock, saver, 1, 101)
    clock.cost = 60.0
    train(clock, saver, 1, 101)
    clock.cost = 1.0
    train(clock, saver, 3, 101)
    assert len(clock.written) == 5
