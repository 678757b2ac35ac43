"""What is known of a worker from outside: its memory at its peak, why it died, and whether it is stuck."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_
from commongarden.runner import limits
from commongarden.runner.events import Piloted, Task

LEAST_PATIENCE = 120.0  # seconds without a word from a worker, whatever it works on
UNKNOWN_PATIENCE = 3600.0  # where nothing is known of what it works on, such as a network that is fetched
GAPS, RUNS = 20.0, 2.0  # or so many times its longest silence so far, or the time of a whole run by its pilot
AWAKE = 2.0  # a longer pause between two looks is this process's own sleep, not the worker's
EARLIER = (N_("the worker was killed by signal {number} ({name}), most likely out of memory"),)  # in old records
LARGE = 0.5  # a killed worker that held this share of the memory probably died for want of it


@dataclass
class WorkerMonitor:
    """One worker, looked at a few times a second. silent: seconds since its last word, those asleep not counted."""

    pid: int
    silent: float = 0.0
    longest: float = 0.0
    peak: int = 0
    n_killed_before: int = field(default_factory=limits.n_killed_for_memory)
    last: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """A task was handed to it."""
        self.silent, self.longest = 0.0, 0.0

    def heard(self) -> None:
        """It said something."""
        self.longest, self.silent = max(self.longest, self.silent), 0.0

    def look(self) -> None:
        """Time passes; its memory is measured."""
        now = time.monotonic()
        self.silent += min(now - self.last, AWAKE)
        self.last = now
        with suppress(psutil.Error):
            self.peak = max(self.peak, int(psutil.Process(self.pid).memory_info().rss))

    def is_stuck(self, task: Task | None, known: Mapping[str, Piloted]) -> bool:
        """Whether it has been silent for longer than its work can explain."""
        return task is not None and self.silent > self.patience(known.get(task.arm))

    def patience(self, known: Piloted | None) -> float:
        """Seconds that it may be silent: by the time of a whole run, and by its own longest silence in this task."""
        if known is None or known.seconds is None:
            return max(UNKNOWN_PATIENCE, GAPS * self.longest)
        return max(LEAST_PATIENCE, RUNS * known.seconds, GAPS * self.longest)

    def cause(self, code: int | None, batch_size: int | None) -> Coded:
        """Why a worker ended, as an English sentence. batch_size: of the run it was making."""
        if code is None or code >= 0:
            return N_("the worker ended with exit code {code}").format(code=code)
        number, name = -code, signal.Signals(-code).name
        if number != signal.SIGKILL:
            return N_("the worker was killed by signal {number} ({name})").format(number=number, name=name)
        peak, limit = self.peak / 2**30, limits.memory() / 2**30
        if limits.n_killed_for_memory() == self.n_killed_before and peak < LARGE * limit:
            text = N_("the worker was killed by signal {number} ({name}): peak {peak:.1f} of {limit:.1f} GiB")
            return text.format(number=number, name=name, peak=peak, limit=limit)
        if batch_size is None or batch_size < 2:
            text = N_("killed, probably out of memory: peak {peak:.1f} of {limit:.1f} GiB; try fewer workers")
            return text.format(peak=peak, limit=limit)
        text = N_("killed, probably out of memory: peak {peak:.1f} of {limit:.1f} GiB; try batch {batch}")
        return text.format(peak=peak, limit=limit, batch=batch_size // 2)

    def stuck(self) -> Coded:
        """Why a stuck worker was ended."""
        text = N_("the worker hung: no response for {seconds:.0f} s (longest before: {longest:.0f} s)")
        return text.format(seconds=self.silent, longest=self.longest)
