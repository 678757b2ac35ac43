"""The command line at a terminal of a given size: what it writes there, and what a person then sees."""

import fcntl
import os
import pty
import re
import signal
import struct
import termios
import time
from dataclasses import dataclass

import pyte

import command
from commongarden.io.terminal import columns
from commongarden.runner import processes

ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-_])")
ROWS = 400  # all that a command prints


@dataclass(frozen=True)
class Shown:
    """What a command wrote to a terminal. written: with its escape sequences."""

    code: int
    written: str
    width: int

    @property
    def lines(self) -> list[str]:
        """What was written line by line, without escape sequences; the terminal has not broken any of them."""
        return [line.rpartition("\r")[2] for line in ESCAPE.sub("", self.written.replace("\r\n", "\n")).split("\n")]

    @property
    def seen(self) -> list[str]:
        """The lines on the screen."""
        screen = pyte.Screen(self.width, ROWS)
        pyte.Stream(screen).feed(self.written)
        return [line.rstrip() for line in screen.display]

    @property
    def colours(self) -> list[str]:
        """The escape sequences that set a colour."""
        found = re.findall(r"\x1b\[([\d;]*)m", self.written)
        return [one for one in found if any(30 <= int(part or 0) <= 107 for part in one.split(";"))]

    @property
    def too_wide(self) -> list[str]:
        """Lines that the terminal has to break, though they could have been broken between two words."""
        return [line for line in self.lines if columns(line.rstrip()) > self.width and " " in line.strip()]


def call(arguments, environment, width, cwd, timeout=120):
    """`commongarden ARGUMENTS` at a terminal of so many columns, to its end."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, width, 0, 0))
    context = processes.context()
    context.set_forkserver_preload(list(command.LOADED))
    process = context.Process(target=_run, args=(arguments, str(cwd), environment, os.ttyname(slave)))
    try:
        with processes.quiet_start():
            process.start()
        written = _read(master, process, time.monotonic() + timeout)
    finally:
        os.close(slave)
        os.close(master)
    code = process.exitcode
    process.close()
    return Shown(code, written.decode(), width)


def _read(master, process, until):
    import select

    written = b""
    while True:
        ended = not process.is_alive()
        while select.select([master], [], [], 0 if ended else 0.02)[0]:
            written += os.read(master, 65536)
        if ended:
            return written
        if time.monotonic() > until:
            process.terminate()
            process.join()
            raise AssertionError(f"no end after this: {written!r}")


def _run(arguments, cwd, environment, terminal):
    import gc
    import sys
    from multiprocessing import forkserver, resource_tracker

    gc.freeze()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    opened = os.open(terminal, os.O_RDWR)  # becomes the terminal of this session
    for number in (0, 1, 2):
        os.dup2(opened, number)
    os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    forkserver._forkserver.ensure_running = forkserver.ensure_running = resource_tracker.ensure_running
    sys.argv = ["commongarden", *arguments]
    from commongarden.cli import main

    main(arguments, prog_name="python -m commongarden.cli")
