"""A device for tests where there is none: the CPU, behind a lane (train/device/lanes.py) that keeps the rules of CUDA.

A capture is a recording of torch's operators (train/replay/recorded_step.py), and a replay calls these alone: no line
of Python runs again, a number that Python read stays as it was, and asking for a value while capturing is refused.
"""

from contextlib import contextmanager

import torch

from commongarden.train.device.lanes import HostRandomState
from commongarden.train.replay import recorded_step


class Arriving:
    """Numbers that arrive when they are looked for the second time."""

    def __init__(self, tensor):
        self.held, self.looks = tensor.detach().clone(), 0

    def is_there(self):
        self.looks += 1
        return self.looks > 1

    def values(self):
        assert self.looks > 1, "waits for the device"
        return self.held


def stand_in_lane(device):
    """A lane of a device that is the CPU."""
    assert device == "cpu"
    return StandInLane()


class StandInLane:
    """captured, refused: of captures. log: what was done, in its order, with `name` before it."""

    can_capture = True

    def __init__(self, device=None, *, captures=True, log=None, name=""):
        self.chance, self.log, self.name = HostRandomState(), [] if log is None else log, name
        self.captured = self.refused = self.waits = self.fetched = self.depth = 0
        self.can_capture, self.beside = captures, lambda: 0
        self.is_marked, self.draws_on_host = False, True

    @contextmanager
    def in_place(self):
        assert not self.depth, "two runs in one place"
        self.depth += 1
        try:
            with self.chance.in_place():
                yield
        finally:
            self.depth -= 1

    def capture(self, work):
        self.log.append((self.name, "capture"))
        forms = []

        def noted():
            made = work()
            forms[:] = [(value.shape, value.stride(), value.dtype) for value in made]
            return made

        tape = recorded_step.record(noted, ())
        if tape is None:
            self.refused += 1
            raise RuntimeError("operation not permitted when stream is capturing")
        self.captured += 1
        results = [torch.empty_strided(shape, stride, dtype=dtype) for shape, stride, dtype in forms]

        def replay():
            made = tape.replay(())
            with torch.no_grad():
                for own, value in zip(results, made, strict=True):
                    own.copy_(value)

        return replay, results

    def upload(self, values, to):
        to.copy_(values)

    def fetch(self, tensor):
        self.fetched += 1
        return Arriving(tensor)

    def mark(self):
        self.is_marked = True

    def is_busy(self):
        self.is_marked, was = False, self.is_marked
        return was

    def is_idle(self):
        return True

    def wait(self):
        self.waits += 1

    def is_broken(self):
        return False

    def random_state(self):
        return torch.get_rng_state()

    def put_random_state(self, state, *, anew=False):
        torch.set_rng_state(state)
