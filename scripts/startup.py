"""How long one waits: for help, for the first training step on a first and on a second start, for a report.

    python scripts/startup.py [--repeats N] [--data PHOTOS] [--json FILE] [help] [first] [second] [report]

Each is timed as a user meets it: the command in a process of its own, `run` in a terminal of its own, from its start to
the first training step that the terminal shows. A first start has an empty cache folder; a second one a folder filled
by a first, and a study folder of its own. Beside the clock stands the processor time of the command, its workers
included: on a machine with other work that says more. A figure is the median with the 95 % interval of a median (by
order statistics; under six repeats it is the range, which holds less).

What records, progress and signals cost is in scripts/recording.py, which times it step by step.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from scipy import stats

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

BARS = {
    "help": 0.3,
    "first start, something shown": 1.0,
    "second start, first step": 8.0,
    "report over 100 runs": 10.0,
}
COMMAND = [sys.executable, "-m", "commongarden.cli"]
A_STEP = re.compile(r"\b\d+\.\d/\d+\b")  # the live table's epoch so far, such as 0.0/10, of a run that has stepped
CONTROL = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9])|[\x00-\x1f]")
PATIENCE = 1200.0  # seconds


def help_() -> dict[str, float]:
    start = time.perf_counter()
    with _processor_time() as used:
        subprocess.run([*COMMAND, "--help"], check=True, stdout=subprocess.DEVNULL)
    return {"help": time.perf_counter() - start, "help, processor": used[0]}


def start_of(name: str, data: Path, out: Path, cache: Path) -> dict[str, float]:
    """Seconds from the command to the first sign, and to the first training step."""
    shown, stepped, used = _in_terminal(
        [*COMMAND, "run", "flowers", "--data", str(data), "--out", str(out), "--yes", "--log", "live"],
        {**os.environ, "COMMONGARDEN_CACHE": str(cache), "COMMONGARDEN_LANG": "en", "COLUMNS": "120", "LINES": "40"},
    )
    return {
        f"{name} start, something shown": shown,
        f"{name} start, first step": stepped,
        f"{name} start, processor to the first step": used,
    }


def first(data: Path, folder: Path) -> dict[str, float]:
    shutil.rmtree(folder / "cold", ignore_errors=True)
    return start_of("first", data, _fresh(folder / "garden"), folder / "cold")


def second(data: Path, folder: Path) -> dict[str, float]:
    warm = folder / "warm"
    if not warm.is_dir():
        start_of("first", data, _fresh(folder / "garden"), warm)
    return start_of("second", data, _fresh(folder / "garden"), warm)


def report(folder: Path) -> dict[str, float]:
    """Over a study of ten arms with ten seeds each, of ten epochs, with records that nobody trained."""
    root = folder / "hundred"
    if not root.is_dir():
        _hundred(root)
    environment = {**os.environ, "COMMONGARDEN_CACHE": str(folder / "warm")}
    start = time.perf_counter()
    with _processor_time() as used:
        subprocess.run([*COMMAND, "report", str(root)], check=True, stdout=subprocess.DEVNULL, env=environment)
    return {"report over 100 runs": time.perf_counter() - start, "report over 100 runs, processor": used[0]}


def _hundred(root: Path) -> None:
    import numpy as np

    from commongarden.study import Contrast
    from grown import grown

    generator = np.random.default_rng(0)
    names = [f"arm{i}" for i in range(10)]
    reached = {name: tuple((0.5 + 0.02 * i + generator.normal(0, 0.02, 10)).tolist()) for i, name in enumerate(names)}
    contrasts = tuple(Contrast(name, "arm0") for name in names[1:])
    grown(root, reached, epochs=10, contrasts=contrasts)


def _in_terminal(command: list[str], environment: Mapping[str, str]) -> tuple[float, float, float]:
    """Seconds until the command shows anything, and a training step; processor time until then. It is then ended."""
    ours, theirs = pty.openpty()
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    shown, text = 0.0, ""
    try:
        while time.perf_counter() - start < PATIENCE:
            if not select.select([ours], [], [], 1.0)[0]:
                continue
            try:
                data = os.read(ours, 65536)
            except OSError:  # the command has ended
                break
            text = (text + data.decode(errors="replace"))[-20_000:]
            seen = CONTROL.sub(" ", text)
            if not shown and seen.strip():
                shown = time.perf_counter() - start
            if A_STEP.search(seen):
                return shown, time.perf_counter() - start, _used_by(process.pid)
        raise SystemExit(f"no training step was shown; the last words were:\n{CONTROL.sub(' ', text)[-2000:]}")
    finally:
        _end(process)
        os.close(ours)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the command and what it started."""
    family = []
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        family = [*parent.children(recursive=True), parent]
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()
    psutil.wait_procs(family, timeout=10)


def _used_by(pid: int) -> float:
    total = 0.0
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


@contextmanager
def _processor_time() -> Iterator[list[float]]:
    """Of the processes that are started and waited for within."""
    before, used = os.times(), [0.0]
    yield used
    after = os.times()
    used[0] = after.children_user + after.children_system - before.children_user - before.children_system


def _fresh(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    return path


def figure(values: list[float]) -> dict[str, Any]:
    """Median, and the shortest pair of order statistics around it that holds 95 %, or the range with what it holds."""
    ordered, n = sorted(values), len(values)
    k = max(int(stats.binom.ppf(0.025, n, 0.5)), 1)
    holds = 1 - 2 * float(stats.binom.cdf(k - 1, n, 0.5))
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    return {"n": n, "median": middle, "low": ordered[k - 1], "high": ordered[-k], "confidence": holds, "all": values}


def main() -> None:
    kinds = ("help", "first", "second", "report")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="|".join(kinds))
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "flowers")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if unknown := set(given.what) - set(kinds):
        parser.error(f"found {', '.join(sorted(unknown))}; accepted: {', '.join(kinds)}")
    if not given.data.is_dir():
        parser.error(f"--data: {given.data} is no folder")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made: dict[str, Callable[[], dict[str, float]]] = {
            "help": help_,
            "first": lambda: first(given.data, folder),
            "second": lambda: second(given.data, folder),
            "report": lambda: report(folder),
        }
        found: dict[str, list[float]] = {}
        for number in range(given.repeats):  # in turn, so that what else the machine does meets all alike
            for kind in given.what or kinds:
                for name, seconds in made[kind]().items():
                    found.setdefault(name, []).append(seconds)
                print(f"{number + 1} of {given.repeats}: {kind}", file=sys.stderr, flush=True)
    figures = {name: figure(values) for name, values in found.items()}
    for name, one in figures.items():
        bar = f"; bar {BARS[name]:g} s" if name in BARS else ""
        print(
            f"{name}: {one['median']:.2f} s ({one['low']:.2f} to {one['high']:.2f}, {one['confidence']:.0%}, "
            f"n = {one['n']}){bar}"
        )
    if given.json is not None:
        about = {
            "machine": platform.processor() or platform.machine(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "cores": psutil.cpu_count(logical=False),
            "load": os.getloadavg(),
            "data": given.data.name,
            "bars": BARS,
            "figures": figures,
        }
        given.json.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
