"""A worker of a study in a batch job: host.py, which reads its tasks from a mailbox and writes what happens there.

The signals before the end of a job's time and at a preemption end its runs with their checkpoints; the runs go on in
another job. A worker that is left alone makes the runs that it has, and goes home.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from commongarden.cluster.crew import FINAL
from commongarden.cluster.host import Host
from commongarden.cluster.mailbox import Alive, Handed, Leave, Mailbox, Sent, Stop
from commongarden.cluster.messages import Assignment, Failed, Left, Lost, Message, Saved, Told
from commongarden.errors import CommonGardenError, RunnerError
from commongarden.i18n.language import N_, _
from commongarden.runner.events import RunStopped, Stepped

OVER = {signal.SIGUSR2, signal.SIGTERM}  # before the end of a job's time, and at a preemption or a cancellation
SECONDS_BETWEEN_LOOKS = 0.1
SECONDS_BETWEEN_SIGNS = 10.0  # of life
SECONDS_ALONE = 120.0  # without a sign of life of the process that holds the study, after which it is gone
PARTS = 16_000_000  # bytes of a file that are read at a time
SIGN = "alive"  # the file beside the mailboxes which that process writes anew


def work(folders: Sequence[str]) -> None:
    """What a job does: each of its tasks is the worker of one mailbox."""
    import submitit

    place = submitit.JobEnvironment().global_rank
    if place < len(folders):
        Worker(Mailbox(Path(folders[place]))).run()


class Worker:
    """One worker in a job."""

    def __init__(self, mailbox: Mailbox) -> None:
        # training processes get this mask: the signals of a job are sent to all of them
        signal.pthread_sigmask(signal.SIG_BLOCK, OVER)
        for number in OVER:  # of a thread that existed before
            signal.signal(number, lambda *_: self._end_early())
        main = sys.modules["__main__"]  # training processes import it again, which here is submitit
        vars(main).pop("__file__", None)
        main.__spec__ = None
        self.mailbox = mailbox
        self.host: Host | None = None
        self.said: list[object] = []
        self.lock = threading.Lock()  # of what is said, by two threads
        self.thread: threading.Thread | None = None
        self.is_early = self.is_over = False
        self.n_held = 0
        self.sign, self.sign_seen, self.spoke = b"", time.monotonic(), time.monotonic()

    def run(self) -> None:
        """Until it goes home, or the mailbox is removed."""
        with suppress(FileNotFoundError):
            self._begin()
            while not self.is_over:
                self._hear()
                self._flush()
                if signal.sigtimedwait(OVER, SECONDS_BETWEEN_LOOKS) is not None:
                    self._end_early()
        if self.host is not None:
            self.host.close()

    def _begin(self) -> None:
        number = os.environ.get("SLURM_ARRAY_JOB_ID", "")
        number = f"{number}_{os.environ['SLURM_ARRAY_TASK_ID']}" if number else os.environ.get("SLURM_JOB_ID", "")
        if number:
            self.mailbox.job_file.write_text(number, encoding="utf-8")
        try:
            assignment: Assignment = self.mailbox.assigned()
            self.host = Host(assignment)
            self._say(self.host.begin())
        except FileNotFoundError:
            raise
        except CommonGardenError as error:
            self._say(Failed(error))
        except Exception as error:
            self._say(Failed(RunnerError(_("a worker cannot start: {reason}").format(reason=repr(error)))))

    def _hear(self) -> None:
        """What it was told since."""
        if (host := self.host) is None:
            return
        for message in self.mailbox.to_worker.read():
            match message:
                case Handed():
                    self.n_held += 1
                    files = self.mailbox.kept(message.files) if message.files else {}
                    host.hand(message.task, files, message.known)
                    self._open()
                case Sent():
                    for wanted, name in message.files:
                        host.receive(wanted, self._parts(Path(name)))
                    self._say(host.begin())
                case Leave():
                    host.leave()
                    self._open()
                case Stop():
                    host.stop()
                    self._open()
        self._look_for_sign()

    def _parts(self, path: Path) -> Iterator[bytes]:
        """The contents of a file, which may take long to read."""
        with path.open("rb") as file:
            while part := file.read(PARTS):
                self._flush()
                yield part

    def _look_for_sign(self) -> None:
        """Goes home where the process that holds the study is gone, once it has no task."""
        with suppress(FileNotFoundError):
            sign = (self.mailbox.folder.parent / SIGN).read_bytes()
            if sign != self.sign:
                self.sign, self.sign_seen = sign, time.monotonic()
        if time.monotonic() - self.sign_seen > SECONDS_ALONE and not self.n_held:
            self._end_early()

    def _open(self) -> None:
        """Begins with its tasks."""
        if self.thread is None:
            self.thread = threading.Thread(target=self._carry_out, daemon=True)
            self.thread.start()

    def _carry_out(self) -> None:
        assert self.host is not None
        try:
            for message in self.host.events():
                self._say(message)
        except Exception as error:
            self._say(Failed(RunnerError(repr(error))))

    def _end_early(self) -> None:
        if self.is_early:
            return
        self.is_early = True
        if self.host is not None and self.thread is not None:
            self.host.stop()
        else:
            self._say(Left())

    def _say(self, message: Message) -> None:
        """Says something at once; how far a run is, with what else there is in a moment."""
        if isinstance(message, Told) and isinstance(message.event, FINAL):
            self.n_held -= 1
            if self.is_early and isinstance(message.event, RunStopped):
                message = Saved(message.event.job, message.files)
        if self.is_early and isinstance(message, Left):
            host = os.uname().nodename
            text = N_("the job of the worker on {host} reached its time limit, or was preempted")
            message = Lost(text.format(host=host))
        with self.lock:
            self.said.append(message)
            if not (isinstance(message, Told) and isinstance(message.event, Stepped)):
                self._write()
        if isinstance(message, Left | Lost | Failed):
            self.is_over = True

    def _flush(self) -> None:
        """Says what is left, or that it is alive."""
        with self.lock:
            if self.said or time.monotonic() - self.spoke > SECONDS_BETWEEN_SIGNS:
                self._write()

    def _write(self) -> None:
        said, self.said = self.said or [Alive()], []
        try:
            self.mailbox.say(said)
        except FileNotFoundError:  # the mailbox is removed: nobody wants to know
            self.is_over = True
        self.spoke = time.monotonic()
