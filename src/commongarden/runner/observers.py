"""Who is told of a study while it runs, beside the display: an observer, such as a tracker. What an observer raises is
said once, and never stops a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from commongarden.i18n.language import _
from commongarden.runner.display import Display
from commongarden.runner.events import Event, Job
from commongarden.stats import Results
from commongarden.study import Study


class Observer:
    """Is told of a study while it runs, in the process that was started. Override what you need; every method may be
    left as it is.

    What a method raises is shown once as a warning, and the observer is told nothing more. A method that takes long
    holds up what is shown, and in the end the runs.
    """

    name = ""  # said in warnings; "" for the name of the class

    def begin_study(self, study: Study, folder: Path) -> None:
        """The study is prepared. folder: where it is kept."""

    def prepare(self, what: str, done: int, total: int) -> None:
        """How far a step of the preparation is."""

    def plan(self, sizes: Mapping[Job, float], epochs: Mapping[Job, int], n_workers: int) -> None:
        """These runs begin, so many at a time. sizes: of the work of each run, in any unit; epochs: of each run."""

    def take(self, event: Event) -> None:
        """Something happened to a run (runner/events.py): Started, Stepped, EpochDone, RunDone, RunStopped or
        WorkerDied."""

    def note(self, text: str) -> None:
        """The user was told this."""

    def close(self, error: BaseException | None) -> None:
        """No more runs are made. error: what ended the study, if it did not end by itself."""

    def end(self, results: Results, report: Path) -> None:
        """The results of all runs so far, and the report that was written of them. Not called where a study ended with
        an error."""


class Guard:
    """An observer whose errors end what it is told, and nothing else. say: shows a warning."""

    def __init__(self, observer: Observer, say: Callable[[str], None]) -> None:
        self._observer, self._say = observer, say
        self._has_failed = False

    def tell(self, method: str, *arguments: object) -> None:
        """Calls a method of the observer."""
        if self._has_failed:
            return
        try:
            getattr(self._observer, method)(*arguments)
        except Exception as error:  # anybody's code, and servers that are away
            self._has_failed = True
            name, reason = self._observer.name or type(self._observer).__name__, f"{type(error).__name__}: {error}"
            text = _("warning: {observer} failed and is no longer notified: {reason}")
            self._say(text.format(observer=name, reason=reason))


class Observed:
    """A display, with observers that are told what it is told."""

    def __init__(self, display: Display, guards: Sequence[Guard]) -> None:
        self._display, self._guards = display, guards

    def __enter__(self) -> Self:
        self._display.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell("close", error)
        self._display.__exit__(kind, error, trace)

    def begin_study(self, study: Study, folder: Path) -> None:
        """The study is prepared."""
        self._tell("begin_study", study, folder)

    def prepare(self, what: str, done: int, total: int) -> None:
        self._display.prepare(what, done, total)
        self._tell("prepare", what, done, total)

    def note(self, text: str) -> None:
        self._display.note(text)
        self._tell("note", text)

    def begin(self, jobs: Mapping[Job, float], epochs: Mapping[Job, int], n_workers: int) -> None:
        self._display.begin(jobs, epochs, n_workers)
        self._tell("plan", jobs, epochs, n_workers)

    def show(self, event: Event) -> None:
        self._display.show(event)
        self._tell("take", event)

    def _tell(self, method: str, *arguments: object) -> None:
        for guard in self._guards:
            guard.tell(method, *arguments)
