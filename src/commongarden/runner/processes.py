"""Processes that train: how they come to be, alike for workers and for the measuring of others' networks.

On Linux a fork server imports what they need once, torch above all, and every process is a copy of it: the three
seconds of that import are paid once for a study, and while the photos are still being read. It imports and does nothing
else: a thread pool that had worked before a fork would hang behind it. Elsewhere each process is a fresh one (spawn).
"""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import multiprocessing.forkserver
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from commongarden.errors import RunnerError
from commongarden.i18n.language import _, current, use
from commongarden.runner import allocator, main_guard

PRELOADED = (
    "commongarden.runner.training",
    "commongarden.runner.audit",
    "commongarden.runner.pilot",
)
READY = "ready"  # the first message of a process that has loaded what it needs
HAS_SERVER = sys.platform == "linux"
SAFE_PATH = {"PYTHONSAFEPATH": "1"}  # or a file of the current folder, such as queue.py, would be run for Python's own
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
OF_PARENT = (signal.SIGINT, signal.SIGTERM)  # signals that it alone reacts to
STARTED: weakref.WeakSet[BaseProcess] = weakref.WeakSet()


@atexit.register
def _end() -> None:
    """Ends what is left: multiprocessing would send it SIGTERM, and wait."""
    for process in STARTED:
        with suppress(AssertionError, ValueError):  # it is the child of another process, or closed
            process.kill()


def context() -> BaseContext:
    """Where processes are started; always within `quiet_start`."""
    if not HAS_SERVER:
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(list(PRELOADED))
    return found


def prepare() -> None:
    """Lets the fork server begin its imports, so that they are done when the first process is wanted."""
    if HAS_SERVER:
        context()
        # a script without a guard is told so by its first worker; here it must not stop the worker's own import of it
        with suppress(OSError, RuntimeError), quiet_start():
            multiprocessing.forkserver.ensure_running()


@contextmanager
def quiet_start(*, is_deaf: bool = True) -> Iterator[None]:
    """One thread a process from its first import on; and signals that a terminal (Ctrl-C) or a batch system (SIGTERM)
    sends to all processes are the parent's. is_deaf: whether they are lost meanwhile, as a process started by this one
    needs, and one that the fork server starts does not.

    Raises RunnerError where a process cannot be started.
    """
    changed = {**ONE_THREAD, **SAFE_PATH}
    before = {name: os.environ.get(name) for name in changed}
    in_main_thread = threading.current_thread() is threading.main_thread()  # elsewhere Python sets no handlers
    handlers = {number: signal.getsignal(number) for number in OF_PARENT} if in_main_thread and is_deaf else {}
    try:
        os.environ.update(changed)
        for number in handlers:
            signal.signal(number, signal.SIG_IGN)
        yield
    except (OSError, EOFError) as error:
        raise RunnerError(_("a worker process cannot be started: {reason}").format(reason=error)) from error
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def start(
    target: Callable[..., None], *arguments: object, has_children: bool = False
) -> tuple[BaseProcess, Connection]:
    """A process that runs `target(connection, *arguments, begun)` and ends with this one, and the other end of its
    connection. begun: what it passes on to `begin`. has_children: whether it starts processes itself.

    Raises RunnerError where a process cannot be started.
    """
    main_guard.check()
    found: Any = context()
    here, there = found.Pipe()
    begun = dict(os.environ), current()
    process = found.Process(target=target, args=(there, *arguments, begun), daemon=not has_children)
    with quiet_start():
        if HAS_SERVER:
            multiprocessing.forkserver.ensure_running()
    with quiet_start(is_deaf=not HAS_SERVER):  # it waits for the server's imports, and a stop meanwhile is not lost
        process.start()
    STARTED.add(process)
    there.close()
    return process, here


def begin(environment: Mapping[str, str], language: str) -> None:
    """What a process does first: the fork server may be older than what its parent's environment holds by now."""
    for number in OF_PARENT:
        signal.signal(number, signal.SIG_IGN)
    gc.freeze()  # what was imported stays: Python need not look at it again, which would copy the server's memory
    changed = {**environment, **ONE_THREAD}
    for name in os.environ.keys() - changed.keys():
        del os.environ[name]
    os.environ.update(changed)
    use(language)
    allocator.hold()
    print_aside()


def print_aside() -> None:
    """What this process prints goes to the error stream: output is the parent's, and others' code prints, C too."""
    with suppress(OSError, ValueError):  # a stream that is closed
        if sys.stdout is not None:
            sys.stdout.flush()
        os.dup2(2, 1)
