"""A worker of a study on another machine: the executor of that machine, for whoever holds the study elsewhere.

It gets the study's files, works in a folder of its own with the same processes as a study that runs locally, and says
what happens; checkpoints and finished runs go with the events. It never writes where the study lies. The death of a
process that trains is thus the same here as there; what can be lost besides is the machine.
"""

from __future__ import annotations

import os
import queue
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from commongarden import store as stores
from commongarden.cluster.arriving import Shelf, kind_of_machine, make_folder
from commongarden.cluster.messages import Arrived, Assignment, Failed, Files, Left, Message, Told, Wanted
from commongarden.errors import CommonGardenError
from commongarden.i18n import language
from commongarden.runner import plan, processes
from commongarden.runner.device_workers import DeviceWorkers
from commongarden.runner.events import EpochDone, Event, Job, Piloted, RunDone, RunStopped, Seen, Task, WorkerDied
from commongarden.runner.executor import Executor, TaskContext
from commongarden.runner.workers import LocalWorkers
from commongarden.store import Store

BYTES_PER_SECOND = 50e6  # of checkpoints on their way, as a rule
SHARE = 0.05  # of a run's time that its checkpoints may be on their way, after the first one
SECONDS_OF_WAITING = 0.05  # for a task, before it looks whether to stop


class Host:
    """One worker. Its methods are called from several threads: `events` in one, all others meanwhile."""

    def __init__(self, assignment: Assignment) -> None:
        os.environ.update(assignment.environment)
        language.use(assignment.language)
        with suppress(OSError):  # so that relative paths mean the same where a disk is shared
            os.chdir(assignment.folder)
        self.folder = make_folder()
        self.shelf = Shelf(assignment, self.folder)
        self.known: dict[str, Piloted] = {}
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._sent: dict[Path, tuple[int, float]] = {}  # checkpoints: which was sent last, and until when that took

    def begin(self) -> Arrived:
        """Unpacks the study and says what is missing. The imports of its processes go on meanwhile."""
        processes.prepare()
        self.shelf.write(self.shelf.assignment.study)
        machine = plan.machine()
        lacks, lacks_photo = tuple(self.shelf.lacking()), self.shelf.lacks_photo()
        return Arrived(machine.host, kind_of_machine(), machine.packages, lacks, lacks_photo)

    def receive(self, wanted: Wanted, parts: Iterable[bytes]) -> None:
        """Keeps one of the missing files."""
        self.shelf.receive(wanted, parts)

    def hand(self, task: Task, files: Files, known: Piloted | None) -> None:
        """Gives it a task, with the files that it goes on from."""
        if isinstance(task, Job):
            kept, number = plan.kept_in(Store(self.shelf.root), task)
            shutil.rmtree(kept.partial(task.arm, number), ignore_errors=True)  # of an attempt that went on elsewhere
        self.shelf.write(files)
        if known is not None:
            self.known[task.arm] = known
        self._tasks.put(task)

    def leave(self) -> None:
        """It goes home once it has no task."""
        self._tasks.put(None)

    def stop(self) -> None:
        """Runs under way end as soon as they can."""
        self._stop.set()

    def close(self) -> None:
        """Removes its files, and ends the processes that use them."""
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def events(self) -> Iterator[Message]:
        """What happens, until it goes home."""
        try:
            context = self.shelf.open()
            store = Store(context.root)
            for event in self._executor(context).execute([], self._stop.is_set, self._more):
                yield Told(event, self._files(store, event))
                if isinstance(event, RunDone):
                    self._forget(store, event.job)
        except CommonGardenError as error:
            yield Failed(error)
        yield Left()

    def _executor(self, context: TaskContext) -> Executor:
        if context.device == "cpu":
            return LocalWorkers(context, 1, self.known)
        return DeviceWorkers(context, plan.MOST_SIDE_BY_SIDE, self.known, inbox=self._arrived)

    def _more(self) -> Sequence[Task]:
        """The next task, as soon as there is one; none once it is to go home."""
        while not self._stop.is_set():
            with suppress(queue.Empty):
                task = self._tasks.get(timeout=SECONDS_OF_WAITING)
                return [] if task is None else [task]
        return []

    def _arrived(self) -> Sequence[Task]:
        """Tasks that have come while others are under way."""
        found: list[Task] = []
        with suppress(queue.Empty):
            while (task := self._tasks.get_nowait()) is not None:
                found.append(task)
            self._tasks.put(None)
        return found

    def _files(self, store: Store, event: Event | Seen) -> Files:
        """What goes with an event."""
        if isinstance(event, RunDone):
            kept, number = plan.kept_in(store, event.job)
            return read_folder(kept.directory(event.job.arm, number), store.root)
        if isinstance(event, EpochDone | RunStopped | WorkerDied):
            kept, number = plan.kept_in(store, event.job)
            path = kept.partial(event.job.arm, number) / stores.CHECKPOINT
            return self._checkpoint(path, store.root, is_last=isinstance(event, RunStopped))
        return {}

    def _checkpoint(self, path: Path, root: Path, *, is_last: bool) -> Files:
        """A run's checkpoint, if it is a new one and it is time to send it."""
        try:
            status = path.stat()
        except OSError:
            return {}
        which, until = self._sent.get(path, (0, 0.0))
        now = time.monotonic()
        if status.st_mtime_ns == which or (now < until and not is_last):
            return {}
        data = path.read_bytes()
        self._sent[path] = (status.st_mtime_ns, now + len(data) / BYTES_PER_SECOND / SHARE)
        return {path.relative_to(root).as_posix(): data}

    def _forget(self, store: Store, job: Job) -> None:
        """A run that was sent."""
        kept, number = plan.kept_in(store, job)
        self._sent.pop(kept.partial(job.arm, number) / stores.CHECKPOINT, None)
        shutil.rmtree(kept.directory(job.arm, number), ignore_errors=True)


def read_folder(folder: Path, root: Path) -> dict[str, bytes]:
    """The files of a folder, by their path in `root`."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
