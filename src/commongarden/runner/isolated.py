"""Calls in a process of their own, for code that may take its process down. The process says how far it has come."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TypeVar

from commongarden.errors import CommonGardenError
from commongarden.i18n.coded import Coded
from commongarden.runner import processes
from commongarden.runner.worker_monitor import WorkerMonitor

Result = TypeVar("Result")
Progress = Callable[..., None]  # what is being done, and how far it is, in numbers
Waits = Callable[[str, int], None]
Hears = Callable[..., None]
LONG = 30  # seconds


class Died(Exception):
    """The process ended in the middle of a call. phase: what the call was doing; cause: why, as an English sentence."""

    def __init__(self, phase: str, cause: Coded) -> None:
        super().__init__(f"{phase}: {cause}")
        self.phase, self.cause = phase, cause


class Late(Exception):
    """A call took longer than it may, and its process was ended."""

    def __init__(self, phase: str, seconds: float) -> None:
        super().__init__(phase, seconds)
        self.seconds = seconds


class Calls:
    """Calls functions in one process after another: a process that dies is replaced for the next call."""

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    def call(
        self,
        function: Callable[..., Result],
        *arguments: object,
        waits: Waits | None = None,
        hears: Hears | None = None,
        within: float = math.inf,
    ) -> Result:
        """`function(*arguments, say)` in the process; say(phase, *numbers) names what it does from then on, and how far
        it is. waits(phase, seconds) is called where one takes long, every half minute; hears(*numbers) each time.
        within: seconds after which the process is ended.

        Raises Late where that happens, Died where the process ends, and the CommonGardenError that the function raises.
        """
        if self._process is None or self._connection is None:
            self._process, self._connection = processes.start(_serve)
        process, connection = self._process, self._connection
        watch, phase, since, said = WorkerMonitor(process.pid or 0), "", time.monotonic(), 0
        latest = since + within
        try:
            connection.send((function, arguments))
            while True:
                while not connection.poll(0.2):
                    watch.look()
                    if time.monotonic() > latest:
                        self.close(at_once=True)
                        raise Late(phase, within)
                    if waits is not None and time.monotonic() - since > LONG * (said + 1):
                        said += 1
                        waits(phase, LONG * said)
                kind, value = connection.recv()
                if kind == "phase":
                    phase, *numbers = value
                    since, said = time.monotonic(), 0
                    if numbers and hears is not None:
                        hears(*numbers)
                elif kind == "error":
                    raise value
                else:
                    result: Result = value
                    return result
        except (EOFError, ConnectionResetError, BrokenPipeError):
            process.join(timeout=10)
            code = process.exitcode
            self.close()
            raise Died(phase, watch.cause(code, None)) from None

    def close(self, *, at_once: bool = False) -> None:
        """Ends the process; at once without waiting for the end of what it does."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            if not at_once:
                self._process.join(timeout=2)
            self._process.kill()
            self._process.join()
        self._process = self._connection = None


def _serve(connection: Connection, begun: tuple[dict[str, str], str]) -> None:
    processes.begin(*begun)
    try:
        while True:
            function, arguments = connection.recv()
            try:
                result = function(*arguments, lambda *phase: connection.send(("phase", phase)))
            except CommonGardenError as error:
                connection.send(("error", error))
            else:
                connection.send(("result", result))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is gone, or needs no more
