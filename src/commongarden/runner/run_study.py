"""A study from its declaration to a full store, in four steps: prepare, schedule, execute, record."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from commongarden import store as store_files
from commongarden.data.finding import Listed
from commongarden.errors import StudyError
from commongarden.i18n.language import _
from commongarden.runner import budget, forecast, plan, tuning
from commongarden.runner.budget import Spending
from commongarden.runner.callbacks import Callbacks
from commongarden.runner.device_workers import DeviceWorkers
from commongarden.runner.event_log import EventLog
from commongarden.runner.execute import Execution, interruptible
from commongarden.runner.executor import ExecutorFactory, Place
from commongarden.runner.forecast import Forecast
from commongarden.runner.observers import Guard, Observed
from commongarden.runner.options import RunOptions
from commongarden.runner.prepare import check_networks, prepare_study
from commongarden.runner.record import StudyRecorder, keep_thumbnails, trim_seeds
from commongarden.runner.requests import Requests
from commongarden.runner.schedule import Schedule
from commongarden.runner.workers import LocalWorkers
from commongarden.stats.raced import Raced
from commongarden.store import Store
from commongarden.study import Study


@dataclass(frozen=True)
class StudyOutcome:
    """The state of a study after a call.

    n_finished, n_failed: runs in the store.
    n_missing: runs still to be trained; in a race, those that it still asks for.
    forecast: with the time that it took, if all runs were made.
    """

    store: Store
    n_finished: int
    n_failed: int
    n_missing: int
    interrupted: bool
    forecast: Forecast | None = None
    raced: Raced | None = None


def run_study(
    study: Study,
    root: Path,
    options: RunOptions,
    callbacks: Callbacks,
    listed: Listed | None = None,
    place: Place | None = None,
) -> StudyOutcome:
    """Makes every run of the study that `root` lacks, and goes on with those that were stopped.

    Every arm is audited before the first of its runs, and a few steps of it are timed. Ctrl-C or
    SIGTERM stops it with every finished epoch saved; a second Ctrl-C stops it at once.

    Args:
        study: As declared.
        root: The study's folder.
        options: How the runs are made.
        callbacks: What is shown and asked.
        listed: The data's files, if the caller has listed them and reported how they were understood (sources.py).
        place: Where the tasks are carried out (executor.py); None for processes of this machine.

    Returns:
        How the study stands.

    Raises:
        CommonGardenError: For anything that the user can mend.
    """
    spending = options.spending(len(study.seeds))
    check_networks(study)
    if spending is not None:
        study = budget.with_seeds(study, spending.most)
    device = plan.device_name(options.device) if place is None else place.device
    plan.check_precision(study, device)
    requests = Requests(callbacks.display.note)
    own = [Guard(observer, callbacks.display.note) for observer in (EventLog(device), requests)]
    observed = Observed(callbacks.display, (*own, *callbacks.guards))
    callbacks = dataclasses.replace(callbacks, display=observed)
    if place is not None:
        options = dataclasses.replace(options, n_workers=place.n_tasks)
    with store_files.lock(root), observed:
        here = device if place is None else "cpu"
        store, prepared = prepare_study(study, root, here, options, observed, listed, trains_here=place is None)
        observed.begin_study(store.study(), store.root)
        recorder = StudyRecorder(store, callbacks, forecast.measured(store))
        executors: ExecutorFactory = LocalWorkers if device == "cpu" else DeviceWorkers
        execution = Execution(store, prepared, device, options, recorder, executors, place)
        if spending is not None:
            _check_race(store)
        with interruptible() as stop:
            is_tuned = tuning.search(execution, requests.stopping(stop))
        schedule, is_stopped = _made(execution, spending, requests, is_tuned=is_tuned)
        schedule.rounds.close()
        if spending is not None:
            trim_seeds(store)
        keep_thumbnails(store, prepared)
        return _outcome(store, schedule, not is_tuned or is_stopped or schedule.timing.is_declined)


def _made(
    execution: Execution, spending: Spending | None, requests: Requests, *, is_tuned: bool
) -> tuple[Schedule, bool]:
    """The runs made, in the order of a schedule, and in that of another one where a person has changed what is made;
    the last schedule, and whether it was stopped."""
    while True:
        requests.settle()
        schedule = Schedule(execution, spending, is_open=is_tuned and not requests.stops)
        with interruptible() as stop:
            execution.carry_out(schedule.tasks, max(schedule.n_workers, 1), requests.stopping(stop), schedule.more)
            if stop() or not requests.has_changed:
                return schedule, stop() or requests.stops
        callbacks = dataclasses.replace(execution.recorder.callbacks, confirm=None)  # it was asked before
        execution = dataclasses.replace(
            execution, recorder=dataclasses.replace(execution.recorder, callbacks=callbacks)
        )


def _check_race(store: Store) -> None:
    """Raises StudyError where a person dropped a model: a race decides by its rule alone."""
    if dropped := store.dropped():
        text = _(
            "--until, --budget: {arms} was dropped from this study, and a race decides by its rule alone which models "
            "get runs; accepted: commongarden drop STUDY MODEL --undo, or a run without these options"
        )
        raise StudyError(text.format(arms=", ".join(dropped)))


def _outcome(store: Store, schedule: Schedule, interrupted: bool) -> StudyOutcome:
    study, runs, raced = store.study(), store.runs(), schedule.rounds.raced
    n_failed = sum(run.status == "failed" for run in runs)
    n_missing = len(plan.pending(study, store)) if raced is None else schedule.rounds.n_needed
    took = None if n_missing else schedule.timing.ended(store)
    return StudyOutcome(store, len(runs) - n_failed, n_failed, n_missing, interrupted and n_missing > 0, took, raced)
