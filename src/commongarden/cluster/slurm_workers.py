"""Tasks carried out by jobs of SLURM: the executor (runner/executor.py) of `run --on slurm`."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path

from commongarden.cluster import slurm_queue
from commongarden.cluster.crew import Crew
from commongarden.cluster.mailbox import own_folder
from commongarden.cluster.sending import assignment
from commongarden.cluster.slurm_engine import SlurmEngine
from commongarden.cluster.slurm_queue import SlurmQueue
from commongarden.cluster.where_file import SlurmSettings, Where
from commongarden.data import cache
from commongarden.errors import RunnerError
from commongarden.i18n.language import _
from commongarden.runner import plan
from commongarden.runner.events import Event, Job, Piloted, Seen, Task
from commongarden.runner.executor import Place, TaskContext
from commongarden.store import Store


@dataclass(frozen=True)
class SlurmWorkers:
    """Workers in jobs of SLURM, each with one run at a time; on GPUs each with several.

    n: tasks at a time. known: what a run of each arm takes. where: what each job asks for. most: workers at a time.
    tell: hears what is waited for. queues: what submits jobs.
    """

    context: TaskContext
    n: int
    known: Mapping[str, Piloted] = field(default_factory=dict)
    where: Where = field(default_factory=Where)
    most: int | None = None
    tell: Callable[[str], None] = print
    queues: Callable[[SlurmSettings, Path], SlurmQueue] = SlurmQueue

    def execute(
        self, tasks: Sequence[Task], stop: Callable[[], bool], more: Callable[[], Sequence[Task]] | None = None
    ) -> Iterator[Event | Seen]:
        """See Executor."""
        check_shared(self.where)
        slurm = self.where.slurm
        folder = own_folder(self._folder())
        sent = assignment(self.context, self.where.shared)
        queue = self.queues(slurm, folder / "jobs")
        engine = SlurmEngine(queue, folder, slurm.runs_per_job if self.context.device == "cpu" else 1)
        try:
            left = engine.resume(sent, tasks, self._is_made)
            held = {task for seat in left for task in seat.held}
            waiting = deque(task for task in tasks if task not in held)
            most = min(self.most or self.n, self.n)
            crew = Crew(engine, sent, self.n, most, self.known, stop, more, self.tell, waiting, left)
            yield from crew.events()
        finally:
            engine.close()

    def _is_made(self, task: Task) -> bool:
        if not isinstance(task, Job):
            return False
        kept, number = plan.kept_in(Store(self.context.root), task)
        return kept.has(task.arm, number)

    def _folder(self) -> Path:
        """That of this study's mailboxes, below one that all machines see."""
        above = Path(self.where.slurm.folder).expanduser() if self.where.slurm.folder else cache.default_folder()
        name = sha256(str(self.context.root.resolve()).encode()).hexdigest()[:16]
        return (above / "slurm" / name).absolute()


def check_shared(where: Where) -> None:
    """Raises RunnerError where no disk is shared, over which messages could go."""
    if where.shared is False:
        text = _(
            "shared = false in [files]: not possible with --on slurm, whose messages go over a shared disk; accepted: "
            'true, "auto" (files that a machine lacks are sent over folder in [slurm])'
        )
        raise RunnerError(text)


def slurm_place(
    where: Where | None = None, device: str = "auto", n_workers: int | None = None, tell: Callable[[str], None] = print
) -> Place:
    """A SLURM cluster, as the place where the runs of a study are made. This machine must be one that submits jobs.

    Args:
        where: What each job asks for. None for the cluster's defaults.
        device: "cpu", "cuda" (SLURM chooses the GPUs), or "auto": GPUs if gres in [slurm] asks for some.
        n_workers: Workers at a time. None for as many as array_parallelism and runs_per_job in [slurm] allow.
        tell: Hears what is waited for.

    Returns:
        The place, for `commongarden.run(..., place=...)`.

    Raises:
        RunnerError: submitit or SLURM's commands are missing, or no disk is shared.
    """
    where = where or Where()
    slurm_queue.check_installed()
    check_shared(where)
    if device not in ("auto", "cpu", "cuda"):
        text = _("--device: found {device}, accepted with --on slurm: auto, cpu, cuda (SLURM chooses the GPUs)")
        raise RunnerError(text.format(device=device))
    on_gpus = device == "cuda" or (device == "auto" and _asks_for_gpus(where))
    if on_gpus and not _asks_for_gpus(where):
        where = dataclasses.replace(where, slurm=dataclasses.replace(where.slurm, gres="gpu:1"))
    if on_gpus and where.slurm.runs_per_job > 1:
        text = _("slurm.runs_per_job: found {n}, accepted with GPUs: 1 (each job holds as many runs as are fastest)")
        raise RunnerError(text.format(n=where.slurm.runs_per_job))
    most = where.slurm.array_parallelism * where.slurm.runs_per_job
    n = min(n_workers or most, most)
    made = partial(SlurmWorkers, where=where, most=n, tell=tell)
    return Place(made, "cuda" if on_gpus else "cpu", n * (plan.MOST_SIDE_BY_SIDE if on_gpus else 1))


def _asks_for_gpus(where: Where) -> bool:
    return "gpu" in where.slurm.gres or any("--gpu" in line or "gpu:" in line for line in where.slurm.sbatch)
