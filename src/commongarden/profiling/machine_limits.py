"""What this machine can do at most: multiplying matrices and copying memory. The two roofs of Williams, Waterman &
Patterson (Communications of the ACM 52, 2009).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from commongarden.profiling.stopwatch import Now
from commongarden.records.timings import Copied, Limits

SIDES = (256, 512, 1024)
SIZES = tuple(2**power for power in range(15, 28, 2))  # 32 kB to 128 MB: from the first cache into memory
LEAST_NS = 2_000_000  # of one measurement; quicker work is done several times
WARM_UP = 2


class LimitsMeter:
    """Measures the limits a little at each `look`, so that they are seen under the load that the arms are under."""

    def __init__(self, now: Now, device: torch.device) -> None:
        self.now = now
        self.multiplied: dict[int, list[float]] = {side: [] for side in SIDES}
        self.copied: dict[int, list[float]] = {size: [] for size in SIZES}
        generator = torch.Generator().manual_seed(0)
        largest = SIDES[-1]
        self.matrices = [torch.randn(largest, largest, generator=generator).to(device) for _ in range(3)]
        self.source = torch.zeros(SIZES[-1] // 4, device=device)
        self.target = torch.ones(SIZES[-1] // 4, device=device)
        small = 160
        self.small = [torch.randn(small, small, generator=generator).to(device) for _ in range(3)]

    def look(self) -> None:
        """One measurement of every kind."""
        for side, found in self.multiplied.items():
            one, two, result = (matrix[:side, :side].contiguous() for matrix in self.matrices)
            nanoseconds = self._timed(lambda a=one, b=two, c=result: torch.mm(a, b, out=c))  # type: ignore[misc]
            found.append(side**3 / nanoseconds)
        for size, rates in self.copied.items():
            source, target = self.source[: size // 4], self.target[: size // 4]
            rates.append(2 * size / self._timed(lambda a=source, b=target: b.copy_(a)))  # type: ignore[misc]

    def reference(self) -> float:
        """Milliseconds of a piece of work that is always the same: what makes it slower makes everything slower."""
        one, two, result = self.small
        begun = self.now()
        for _ in range(8):
            torch.mm(one, two, out=result)
        return (self.now() - begun) / 1e6

    def limits(self) -> Limits:
        """What was found: of the matrices the size that was quickest by its median."""
        side = max(SIDES, key=lambda size: sorted(self.multiplied[size])[len(self.multiplied[size]) // 2])
        copies = tuple(Copied(size, tuple(rates)) for size, rates in self.copied.items())
        return Limits(tuple(self.multiplied[side]), side, copies)

    def _timed(self, work: Callable[[], object]) -> float:
        """Nanoseconds of the work, done as often as makes it long enough to be timed."""
        for _ in range(WARM_UP):
            work()
        begun = self.now()
        work()
        once = max(self.now() - begun, 1)
        times = max(1, LEAST_NS // once)
        begun = self.now()
        for _ in range(times):
            work()
        return max(self.now() - begun, 1) / times


def wall() -> float:
    """Milliseconds by the clock on the wall."""
    return time.perf_counter_ns() / 1e6
