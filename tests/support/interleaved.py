"""An executor for tests: one process that holds several runs at once, a step of each after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from commongarden.errors import CommonGardenError
from commongarden.runner.events import (
    Attributed,
    AttributionTask,
    Audited,
    AuditTask,
    Job,
    Piloted,
    RunStopped,
    WorkerDied,
)
from commongarden.runner.executor import MOST_DEATHS, TaskContext
from commongarden.runner.task_runner import give_up, open_tasks
from commongarden.train.streams import RandomState

CAUSE = "the worker ended with exit code 1"


@dataclass
class Interleaved:
    """Any exception that a run lets through is the death of its worker. Networks of a user's own file are held beside
    others, which the contract allows to nobody whose networks are not known."""

    context: TaskContext
    n: int
    known: Mapping = field(default_factory=dict)

    def execute(self, tasks, stop, more=None):
        runner, waiting, held, deaths = open_tasks(self.context), list(tasks), [], Counter()
        while True:
            if more is not None and not waiting and not held and not stop():
                waiting = list(more())
                more = more if waiting else None
            while waiting and len(held) < self.n and not stop():
                task = waiting.pop(0)
                held.append((task, runner.carry_out(task, stop), RandomState()))
            if not held:
                yield from (RunStopped(job) for job in waiting if isinstance(job, Job))
                return
            for one in list(held):
                task, events, chance = one
                try:
                    with chance.in_place():
                        event = next(events, None)
                except CommonGardenError:
                    raise
                except BaseException:
                    held.remove(one)
                    event = self._death(task, deaths)
                    if isinstance(event, WorkerDied):
                        waiting.insert(0, task)
                if event is not None:
                    yield event
                elif one in held:
                    held.remove(one)

    def _death(self, task, deaths):
        if isinstance(task, Job):
            deaths[task] += 1
            return WorkerDied(task, CAUSE) if deaths[task] < MOST_DEATHS else give_up(self.context, task, CAUSE)
        if isinstance(task, AttributionTask):
            return Attributed(task.arm, None, CAUSE)
        return Audited(task.arm, None, CAUSE) if isinstance(task, AuditTask) else Piloted(task.arm, None, cause=CAUSE)
