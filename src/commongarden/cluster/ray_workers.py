"""Tasks carried out by a Ray cluster: the executor (runner/executor.py) of `run --on ray`."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from commongarden.cluster import connection
from commongarden.cluster.crew import Crew
from commongarden.cluster.ray_engine import RayEngine
from commongarden.cluster.sending import assignment
from commongarden.cluster.where_file import Where
from commongarden.errors import RunnerError
from commongarden.i18n.language import _
from commongarden.runner import plan
from commongarden.runner.events import Event, Piloted, Seen, Task
from commongarden.runner.executor import Place, TaskContext


@dataclass(frozen=True)
class RayWorkers:
    """Workers where the cluster has room, each with one run at a time; on GPUs each with several.

    n: tasks at a time. known: what a run of each arm takes. where: which cluster. most: workers at a time. tell: hears
    what is waited for.
    """

    context: TaskContext
    n: int
    known: Mapping[str, Piloted] = field(default_factory=dict)
    where: Where = field(default_factory=Where)
    most: int | None = None
    tell: Callable[[str], None] = print

    def execute(
        self, tasks: Sequence[Task], stop: Callable[[], bool], more: Callable[[], Sequence[Task]] | None = None
    ) -> Iterator[Event | Seen]:
        """See Executor."""
        connection.connect(self.where.ray, self.tell)
        ray = self.where.ray
        engine = RayEngine(ray.cpus_per_run, ray.gpus_per_worker)
        sent = assignment(self.context, self.where.shared)
        crew = Crew(
            engine, sent, self.n, min(self.most or self.n, self.n), self.known, stop, more, self.tell, deque(tasks)
        )
        try:
            yield from crew.events()
        finally:
            crew.dismiss()


def ray_place(
    where: Where | None = None, device: str = "auto", n_workers: int | None = None, tell: Callable[[str], None] = print
) -> Place:
    """A Ray cluster, as the place where the runs of a study are made. This machine must have joined it.

    Args:
        where: Which cluster, and what each worker takes of it. None for the one that this machine has joined.
        device: "cpu", "cuda" (Ray chooses the GPUs), or "auto": GPUs if [ray] says how many each worker has.
        n_workers: Workers at a time. None for as many as the whole cluster has room for.
        tell: Hears what is waited for.

    Returns:
        The place, for `commongarden.run(..., place=...)`.

    Raises:
        RunnerError: The cluster cannot be reached, or has no room for a worker.
    """
    where = where or Where()
    on_gpus = device.startswith("cuda") or (device == "auto" and where.ray.gpus_per_worker > 0)
    if device not in ("auto", "cpu", "cuda"):
        text = _("--device: found {device}, accepted with --on ray: auto, cpu, cuda (Ray chooses the GPUs)")
        raise RunnerError(text.format(device=device))
    if on_gpus and not where.ray.gpus_per_worker:
        where = dataclasses.replace(where, ray=dataclasses.replace(where.ray, gpus_per_worker=1))
    ray = connection.connect(where.ray, tell)
    resources: Mapping[str, Any] = ray.cluster_resources()
    room = int(resources.get("CPU", 0) // where.ray.cpus_per_run) if where.ray.cpus_per_run else 1
    if on_gpus:
        room = min(room, int(resources.get("GPU", 0) // where.ray.gpus_per_worker))
    n = n_workers or room
    if not n:
        text = _("the cluster has no room for a worker: it has {cpus:g} CPUs and {gpus:g} GPUs; "
                 "each worker takes {cpus_each:g} and {gpus_each:g}")  # fmt: skip
        has = {"cpus": resources.get("CPU", 0), "gpus": resources.get("GPU", 0)}
        raise RunnerError(text.format(**has, cpus_each=where.ray.cpus_per_run, gpus_each=where.ray.gpus_per_worker))
    made = partial(RayWorkers, where=where, most=n, tell=tell)
    return Place(made, "cuda" if on_gpus else "cpu", n * (plan.MOST_SIDE_BY_SIDE if on_gpus else 1))
