"""What processes hold in memory, in proportional set size (PSS): a page that several share counts once in all.

Only Linux tells it; elsewhere it is the resident size, in which shared pages count in each process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

BETWEEN = 0.25  # seconds from look to look at a whole study


def pss(pid: int) -> int:
    """Bytes that the process holds; 0 where it is gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except FileNotFoundError:
        return _resident(pid)
    except OSError:  # it is ending
        return 0
    return 0


def _resident(pid: int) -> int:
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def family() -> int:
    """Bytes that this process and all below it hold."""
    import psutil

    this = psutil.Process()
    return sum(pss(pid) for pid in (this.pid, *(child.pid for child in this.children(recursive=True))))


class Watched:
    """Looks again and again while it is open; `most` is the most that it saw."""

    def __init__(self, look: Callable[[], int] = family, between: float = BETWEEN) -> None:
        self.most, self.look, self.between = 0, look, between
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.over.wait(self.between):
            self.most = max(self.most, self.look())


def alone(arm: str, resolution: int, batch_size: int) -> tuple[int, int]:
    """Bytes of a process that has imported torch and nothing else, and the most that the same one holds once it trains
    the arm as a worker does. Raises RunnerError where that process fails.
    """
    import msgspec

    from commongarden.errors import RunnerError
    from commongarden.i18n.language import _
    from commongarden.runner.processes import ONE_THREAD

    command = [sys.executable, "-m", "commongarden.benchmarks.alone", arm, str(resolution), str(batch_size)]
    done = subprocess.run(
        command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, encoding="utf-8", check=False
    )
    try:
        found = msgspec.json.decode(done.stdout, type=dict[str, int])
        return found["torch"], found["run"]
    except (msgspec.DecodeError, KeyError):
        raise RunnerError(
            _("{arm}: the process ended before its memory was measured; it printed:\n{last}").format(
                arm=arm, last="\n".join(done.stderr.strip().splitlines()[-12:])
            )
        ) from None
