"""Where the tasks of a study are carried out: the contract between the study and whatever carries them out.

Processes of this machine (`workers.LocalWorkers`) stand behind it; GPU workers or a cluster could.
`tests/support/executor_conformance.py` checks any executor against it, but for what needs hours or another machine:
stuck workers, want of memory, copies of the store. This module imports no code of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from commongarden.records import Git
from commongarden.runner.events import Event, Piloted, Seen, Task

MOST_DEATHS = 2  # of workers at one run, after which the run has failed


@dataclass(frozen=True)
class TaskContext:
    """All that a worker needs beside a task: paths and plain values, which can be pickled and sent.

    A worker opens it once (`task_runner.open_tasks`) and carries out any number of tasks of any arm. It reads:

    - the study, its manifest and its splits in `root`;
    - the decoded images in `cache_folder`, in files named by their content. At a resolution that `direct` names there
      is none, and the worker decodes the photos that the manifest names, from their own folder;
    - a network's own Python file, where an arm names one;
    - for an AttributionTask, the finished run in `root`.

    On another machine these are the same paths on a shared file system, or copies, with `root` and `cache_folder`
    replaced. A worker writes below `root` only: `runs/ARM/` or `tuning/runs/ARM/` for the run that it makes (a partial
    folder with the checkpoint, then the whole run in one rename), and a temporary `.pilot-ARM.tmp`. Two workers never
    write for the same run at once. Whatever else is stored comes from the events, and is written by the process that
    reads them. Where `root` is a copy, the executor copies a run's partial folder to the worker before the run, if
    there is one, and what the worker wrote back before the run's final event: the files, then the rename.

    device: "cpu", "cuda:0"; of an executor that has several, "cuda:0,cuda:2". side_by_side: the most runs that one
    device is tried with. direct: by resolution, the bytes that decoded images could have taken in the cache, where
    that is too few. n_decoding: threads of one worker that decode photos. stop_at_futility: see RunOptions. git: the
    state of the repository that the command was given in, which a worker on another machine does not see.
    """

    root: Path
    cache_folder: Path
    device: str
    direct: Mapping[int, int] = field(default_factory=dict)
    n_decoding: int = 1
    stop_at_futility: bool = False
    side_by_side: int = 1
    git: Git | None = None


class Executor(Protocol):
    """Carries out tasks and reports how they go."""

    def execute(
        self, tasks: Sequence[Task], stop: Callable[[], bool], more: Callable[[], Sequence[Task]] | None = None
    ) -> Iterator[Event | Seen]:
        """Carries out all tasks and gives their events as they come.

        Args:
            tasks: Different from each other. They are begun in this order; as many at a time as the executor likes.
                Which tasks share a worker, and how many a worker holds at once, changes no bit of a result. A worker
                that holds several gives each its own random state (`train.streams.RandomState`). An arm whose network
                is made by a user's own file shares no process with another arm, nor at one time with another run: that
                code may change what holds for a whole process.
            stop: Asked several times a second, also while all workers are deep in a step; once it is true it stays so.
                No task is begun then. Runs under way end at their next step if the epochs that had an EpochDone are in
                their checkpoints by then, or else with the epoch in progress (checkpoint_schedule.py).
            more: Asked for further tasks, in the thread that reads the events, each time that every task so far has had
                its final event, and never after `stop()` was true. Empty means that there are no further ones: it is
                not asked again. Workers are kept meanwhile. It may take as long as a person takes to answer, and it may
                read the store: runs with a final event are in it.

        Returns:
            An iterator of events. To close it before its end ends all workers, which loses what was not in a checkpoint
            and nothing else. A worker whose parent is gone ends by itself. Every task has exactly one final event:

            - a Job, FoldJob or Trial: RunDone, once the run is durably in the store, finished or failed; or RunStopped,
                after `stop()`, also for a run that was never begun;
            - an AuditTask: Audited; a Pilot: Piloted; an AttributionTask: Attributed. With a cause in place of a result
                where it failed, which fails nothing else. After `stop()` these may have none.

            Before its final event a run gives Started, then Stepped and EpochDone in rising order. None of a task's
            events comes after its final one. Events of different tasks mix in any way.

            A worker that dies or is stuck in a run gives WorkerDied with the cause, as an English sentence, and the run
            is begun again before those that wait, from its last checkpoint: Started comes again, with the epochs that
            the checkpoint holds. At the second death (MOST_DEATHS) it is stored as failed (`task_runner.give_up`) and
            gives RunDone. A worker that dies once its run is in the store gives RunDone. One that dies in another task
            gives that task's final event with the cause. A worker that is sent away, such as where memory is short,
            also gives WorkerDied, and counts as no death.

        A run is recorded at most once: the rename into the store is its only commit. A task may be carried out
        repeatedly until then, and the last attempt gives the same bits as an undisturbed one. A job whose run is in the
        store already must not be given.

        Retries: an executor repeats a run after a death, and never one that has failed (`RunOptions.retry` forgets
        failed runs before tasks are made).

        Raises:
            CommonGardenError: what concerns the whole study, such as a full disk. All workers are ended, tasks without
                a final event stay without one, and to execute them again goes on from their checkpoints.
            RunnerError: also where a worker cannot begin at all.
        """
        ...


# n: tasks at a time; known: what a run of each arm takes, filled in while tasks are carried out
ExecutorFactory = Callable[[TaskContext, int, Mapping[str, Piloted]], Executor]


@dataclass(frozen=True)
class Place:
    """Where the tasks of a study are carried out, if not by processes of this machine. It is no part of the study.

    executors: makes the executor. device: that its workers train on, whatever this machine has. n_tasks: at a time.
    """

    executors: ExecutorFactory
    device: str
    n_tasks: int
