"""What a study tells and asks while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from commongarden.records.findings import Audit
from commongarden.runner import plan
from commongarden.runner.display import Display
from commongarden.runner.events import Job
from commongarden.runner.forecast import Forecast
from commongarden.runner.observers import Guard
from commongarden.runner.prepared_data import PreparedData
from commongarden.stats.raced import Raced
from commongarden.study import Study


@dataclass(frozen=True)
class Callbacks:
    """What a study tells and asks while it runs.

    Args:
        display: Shows preparation, notes and events.
        confirm: Asked before runs that take more than ten minutes; false declines them. None asks nobody.
        audit_note: The note on an audit with findings of an arm; "" for none.
        interim_note: The note on the interim analysis with this number; "" for none.
        guards: Observers that are told what the display is told (observers.py).
    """

    display: Display
    confirm: Callable[[Forecast], bool] | None = None
    audit_note: Callable[[str, Audit], str] = lambda arm, audit: ""
    interim_note: Callable[[Raced, int], str] = lambda raced, number: ""
    guards: tuple[Guard, ...] = ()

    def begin(self, study: Study, prepared: PreparedData, jobs: Sequence[Job], n_workers: int) -> None:
        """Shows that these runs begin, so many at a time."""
        n_train, n_classes = len(prepared.train), len(prepared.manifest.classes)
        sizes = {job: plan.work(study, job, n_train, n_classes) for job in jobs}
        self.display.begin(sizes, {job: plan.recipe_of(study, job).epochs for job in jobs}, n_workers)
