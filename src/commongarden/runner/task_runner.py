"""One task carried out in this process, whatever process that is. What loads torch is imported when a task is carried
out, so that the parent of workers can import this module."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from commongarden import store as store_files
from commongarden.i18n.language import N_
from commongarden.records import Failure
from commongarden.runner import plan
from commongarden.runner.events import AttributionTask, AuditTask, Event, Job, Pilot, RunDone, Seen, Task
from commongarden.runner.executor import MOST_DEATHS, TaskContext
from commongarden.runner.prepared_data import PreparedData, reopen
from commongarden.store import Store
from commongarden.study import Study

if TYPE_CHECKING:  # loads torch
    from commongarden.runner.device_pilot import LaneOfRun
    from commongarden.train.device.lanes import Lane
    from commongarden.train.progress import Turn


@dataclass(frozen=True, eq=False)
class TaskRunner:
    """Carries out the tasks of one study."""

    context: TaskContext
    store: Store
    study: Study
    prepared: PreparedData

    def carry_out(
        self, task: Task, stop: Callable[[], bool], lane: Lane | None = None, lanes: LaneOfRun | None = None
    ) -> Iterator[Event | Seen | Turn]:
        """The task's events, the last of which is its final one.

        stop: asked after each step of a run. lane: of the device, in which a run is trained; it then also gives turns.
        lanes: makes further ones, for a pilot. Raises CommonGardenError for what concerns the whole study.
        """
        from commongarden.runner.attribution_tasks import attribute
        from commongarden.runner.audit import look
        from commongarden.runner.pilot import pilot
        from commongarden.runner.training import train_run

        study, prepared, device = self.study, self.prepared, self.context.device
        if isinstance(task, AttributionTask):
            yield attribute(self.store, prepared, task, device)
        elif isinstance(task, AuditTask):
            yield look(prepared, plan.first_run(study, prepared, task.arm, device))
        elif isinstance(task, Pilot):
            first = plan.first_run(study, prepared, task.arm, device)
            yield pilot(self.store, prepared, first, lanes, self.context.side_by_side)
        else:
            made = plan.run_plan(study, prepared, task, device, self.context.git)
            futility = self.context.stop_at_futility
            yield from train_run(self.store, prepared, made, stop, stop_at_futility=futility, lane=lane)


def open_tasks(context: TaskContext) -> TaskRunner:
    """Opens a study's data in this process. Raises CommonGardenError."""
    store = Store(context.root)
    prepared = reopen(store, context.cache_folder, context.direct, context.n_decoding)
    return TaskRunner(context, store, store.study(), prepared)


def give_up(context: TaskContext, job: Job, cause: str, n: int = MOST_DEATHS) -> RunDone:
    """Stores a run at which n workers have died, the last one for this cause, as failed."""
    tasks = open_tasks(context)
    kept, _ = plan.kept_in(tasks.store, job)
    reason = N_("{n} times: {cause}").format(n=n, cause=cause)
    record = plan.record(tasks.study, tasks.prepared, job, context.device, context.git)
    failed = dataclasses.replace(record, failure=Failure(reason), ended=plan.now())
    store_files.write_run(kept, failed, [], None, None)
    return RunDone(job, failed)
