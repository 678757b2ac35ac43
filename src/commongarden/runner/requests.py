"""What people ask of the study that this process works on, beside Ctrl-C: a stop after the epoch, a model dropped."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from commongarden.i18n.language import _
from commongarden.runner.events import EpochDone, Event, Job, RunDone, RunStopped, Started, WorkerDied
from commongarden.runner.observers import Observer
from commongarden.store import Store
from commongarden.store.decisions import decide
from commongarden.store.requests import take
from commongarden.study import Study

ASKED = 1.0  # seconds between two looks


class Requests(Observer):
    """Looks for requests while runs are made, records decisions, and says so. stops: a stop was asked for. has_changed:
    other models get runs than before, until `settle` is called.

    It is told the events of the runs, since a stop after the epoch waits for that of each run under way. Runs that are
    begun meanwhile are not waited for."""

    name = "requests"

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.stops = self.has_changed = False
        self._store: Store | None = None
        self._under_way: set[Job] = set()
        self._awaited: set[Job] = set()
        self._looked = 0.0

    def begin_study(self, study: Study, folder: Path) -> None:
        """Takes decisions that were left for an earlier process; a stop was meant for that one."""
        self._store = Store(folder)
        self._look()
        self.stops = self.has_changed = False

    def take(self, event: Event) -> None:
        match event:
            case Started(job=job):
                self._under_way.add(job)
            case EpochDone(job=job):
                self._awaited.discard(job)
            case RunDone(job=job) | RunStopped(job=job) | WorkerDied(job=job):
                self._under_way.discard(job)
                self._awaited.discard(job)

    def settle(self) -> None:
        """The runs are planned by what was decided."""
        self.has_changed = False

    def stopping(self, stop: Callable[[], bool]) -> Callable[[], bool]:
        """Whether the tasks under way end: by Ctrl-C, by a request to stop, or since other runs are wanted."""

        def is_stopping() -> bool:
            if not stop() and time.monotonic() - self._looked > ASKED:
                self._look()
            return stop() or self.has_changed or (self.stops and not self._awaited)

        return is_stopping

    def _look(self) -> None:
        self._looked = time.monotonic()
        if self._store is None:
            return
        for request in take(self._store.root):
            if request.what == "stop-after-epoch":
                self.stops, self._awaited = True, set(self._under_way)
                self._say(_("stopping when each run has finished its epoch"))
            elif request.arm in self._store.study().arms:
                decide(self._store, request.what, request.arm)
                self.has_changed = True
                text = _("{arm} gets no more runs") if request.what == "drop" else _("{arm} gets runs again")
                self._say(
                    _("{said}; the other runs resume from their checkpoints").format(said=text.format(arm=request.arm))
                )
