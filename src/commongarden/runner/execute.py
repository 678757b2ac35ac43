"""The third of a study's four steps: tasks go to an executor, and what it reports goes to the recorder."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from commongarden.i18n.language import _
from commongarden.runner import plan
from commongarden.runner.cached_results import CachedResults
from commongarden.runner.events import Task
from commongarden.runner.executor import ExecutorFactory, Place
from commongarden.runner.options import RunOptions
from commongarden.runner.prepared_data import PreparedData
from commongarden.runner.record import StudyRecorder
from commongarden.store import Store

STOPPING = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Execution:
    """What the tasks of a study are carried out with. executors: makes the executor that does it here. place: where
    else it is done; None for here."""

    store: Store
    prepared: PreparedData
    device: str
    options: RunOptions
    recorder: StudyRecorder
    executors: ExecutorFactory
    place: Place | None = None

    def carry_out(
        self, tasks: Sequence[Task], n: int, stop: Callable[[], bool], more: Callable[[], Sequence[Task]]
    ) -> None:
        """Carries out the tasks, n at a time, and `more` of them (executor.py), but for those whose results other
        studies have cached. Raises CommonGardenError."""
        recorder = self.recorder
        context = plan.task_context(self.store, self.prepared, self.device, n, self.options.stop_at_futility)
        executors = self.executors if self.place is None else self.place.executors
        executor = executors(context, n, recorder.known)
        note = recorder.callbacks.display.note
        cached = CachedResults(self.store.study(), self.prepared, self.device, n, note, self.place is None)
        recalled, left = cached.recalled(tasks)
        for earlier in recalled:
            recorder.take(earlier)
        for event in executor.execute(left, stop, more):
            cached.keep(event)
            recorder.take(event)


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed or SIGTERM received. A further Ctrl-C is Python's own KeyboardInterrupt; a further
    SIGTERM changes nothing, since some programs send two (timeout of the GNU coreutils, to a process and its group)."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop.is_set
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        if not stop.is_set():
            stop.set()
            print(_("stopping; finished epochs are saved (press Ctrl-C again to stop at once)"), file=sys.stderr)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, on_signal) for number in STOPPING}
    try:
        yield stop.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
