"""The second of a study's four steps: which tasks are carried out, in which order, and what that will take."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from commongarden.i18n.language import _
from commongarden.runner import attribution_tasks, decoding, forecast, gradients, plan
from commongarden.runner.budget import Spending
from commongarden.runner.callbacks import Callbacks
from commongarden.runner.events import Job, Piloted, Task
from commongarden.runner.execute import Execution
from commongarden.runner.forecast import Forecast
from commongarden.runner.rounds import Rounds
from commongarden.stats.raced import Raced
from commongarden.store import Store


class Schedule:
    """The tasks of a study that its store lacks: audits and pilots, then rounds of runs, then attribution maps.

    tasks: those to begin with. n_workers: how many go on at a time. is_open: whether any task is wanted; not where the
    search for learning rates was stopped.
    """

    def __init__(self, execution: Execution, spending: Spending | None, *, is_open: bool) -> None:
        store, prepared, options = execution.store, execution.prepared, execution.options
        callbacks, known = execution.recorder.callbacks, execution.recorder.known
        self.store, self.study, self.prepared, self.callbacks = store, store.study(), prepared, callbacks
        self.maps = options.maps and is_open
        self.rounds = Rounds(store, spending, known, self._note_interim)
        self.jobs = self.rounds.all() if is_open else []
        n_classes = len(prepared.manifest.classes)
        self.n_workers = plan.n_workers(self.study, len(self.jobs), n_classes, execution.device, options.n_workers)
        self.timing = Timing(self.jobs, known, self.n_workers, spending, len(plan.devices(execution.device)))
        self.tasks: list[Task] = []
        if self.jobs:
            gradients.check(plan.networks(self.study, n_classes), options.cache_folder)
            audits = plan.unaudited(self.study, store, self.jobs, n_classes)
            self.tasks = [*audits, *forecast.pilots(self.jobs, known)]
        recipes = {job: plan.recipe_of(self.study, job) for job in self.jobs}
        for said in decoding.costs(prepared, recipes, self.n_workers):
            callbacks.display.note(said)

    def more(self) -> list[Task]:
        """The next tasks, once those before are done; none at the end."""
        if self.jobs and not self.timing.is_planned and not self.timing.plan(self.store, self.callbacks):
            return []
        jobs = self.rounds.next() if self.jobs else []
        if jobs:
            self.callbacks.begin(self.study, self.prepared, jobs, self.timing.at_once)
            return [*jobs]
        if self.maps:
            self.maps = False  # once: what could not be made now could not be a moment later
            maps = [*attribution_tasks.pending(self.store, self.study)]
            if maps:
                self.callbacks.display.note(_("drawing Grad-CAM heat maps (--no-maps skips them)"))
            return [*maps]
        return []

    def _note_interim(self, found: Raced, number: int) -> None:
        if text := self.callbacks.interim_note(found, number):
            self.callbacks.display.note(text)


@dataclass
class Timing:
    """What is known of the time that the runs take, from before the first one on."""

    jobs: Sequence[Job]
    known: Mapping[str, Piloted]
    n_workers: int
    spending: Spending | None
    n_devices: int = 1
    is_planned: bool = False
    is_declined: bool = False
    forecast: Forecast | None = None
    start: float = 0.0

    @property
    def at_once(self) -> int:
        """Runs at a time: on devices, as many as their pilots have found to be fastest."""
        found = [one.side_by_side for job in self.jobs if (one := self.known.get(job.arm)) and one.side_by_side]
        return min(self.n_workers, self.n_devices * min(found)) if found else self.n_workers

    def plan(self, store: Store, callbacks: Callbacks) -> bool:
        """Reports the plan and asks where it takes long; whether to go on. Raises StoreError where the disk has no room
        for the runs."""
        self.is_planned = True
        jobs, limited = list(self.jobs), self.spending.budget if self.spending is not None else None
        if limited is not None and limited.seconds is not None:
            jobs = forecast.within(limited.seconds, jobs, self.known)
        study = store.study()
        stops_early = any(study.recipe_of(arm).early_stopping for arm in study.arms)
        found = forecast.forecast(
            jobs, self.known, self.at_once, at_most=self.spending is not None, stops_early=stops_early
        )
        if found is not None:
            callbacks.display.note(forecast.said(found))
            forecast.write(store, found)
            forecast.check_space(store, found)
            ask = callbacks.confirm if found.seconds > forecast.ASK_ABOVE else None
            self.is_declined = ask is not None and not ask(found)
        self.forecast, self.start = found, time.monotonic()
        return not self.is_declined

    def ended(self, store: Store) -> Forecast | None:
        """The forecast with what it took; None where nothing was forecast."""
        if self.forecast is None or self.is_declined:
            return None
        found = dataclasses.replace(self.forecast, took=time.monotonic() - self.start)
        forecast.write(store, found)
        return found
