"""Counts the files through which a study goes from the command to the store; `scripts/shape.py --walk` prints it.

The built-in demo is run with one seed, one epoch and one worker, in a folder of its own, with an empty cache and a
profile function in every process. What is counted:

- a handover: a function of src/commongarden is called with a `commongarden.study.Study` among its arguments, or returns
  one. A method's own `self` is none: a study that is asked for its seeds is not handed over. The same function called
  from the same line counts once, so that arms, epochs and loops make no difference.
- a stay: handovers in one file with none in another file between them.
- a return: a stay in a file that the study has been in before, so stays = files + returns.
- carried: files whose functions are called with an object that holds a study in an attribute, such as `self` or a
  bundle of arguments, and that no study was handed to.

The walk ends when the last file of a run is in place; what reads the store afterwards (statistics, report) is not
counted. Each process is counted by itself, in the order of its handovers, and the counts are added; a file that two
processes come through is one file. The numbers repeat from run to run.

As a sitecustomize module of the traced processes this file records; imported, it does nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

RECORDS, SOURCE, RUNS = "WALK_RECORDS", "WALK_SOURCE", "WALK_RUNS"  # environment of the traced processes
COMMAND = ["run", "demo", "--seeds", "1", "--epochs", "1", "--workers", "1", "--no-maps", "--yes", "--log", "plain"]


@dataclass(frozen=True)
class Walk:
    """files: in the order in which a study first comes to them."""

    stays: int
    files: tuple[str, ...]
    returns: int
    handovers: int
    carried: tuple[str, ...]


def walk(src: Path) -> Walk:
    """Runs the demo of the package in this `src` folder and counts. Raises SystemExit where the command fails."""
    with tempfile.TemporaryDirectory() as name:
        folder, place = Path(name), Path(name, "site")
        place.mkdir()
        (place / "sitecustomize.py").write_text(Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")
        (folder / "records").mkdir()
        out = folder / "study"
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(place), str(src)]),
            "COMMONGARDEN_LANG": "en",
            RECORDS: str(folder / "records"),
            SOURCE: str(src / "commongarden"),
            RUNS: str(out / "runs"),
        }
        where = ["--out", str(out), "--cache-dir", str(folder / "cache")]
        done = subprocess.run(
            [sys.executable, "-m", "commongarden.cli", *COMMAND, *where],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{src}: found a command that fails, accepted: one that trains the demo\n{done.stderr}")
        paths = sorted((folder / "records").iterdir(), key=lambda path: int(path.stem.partition("-")[0]))
        return counted([[json.loads(line) for line in path.read_text().splitlines()] for path in paths])


def counted(processes: list[list[dict[str, Any]]]) -> Walk:
    """The walk in what each process recorded."""
    end = max((row["time"] for rows in processes for row in rows if row["what"] == "store"), default=0)
    stays, files, handovers, carried = 0, dict[str, None](), 0, dict[str, None]()
    for rows in processes:
        before = ""
        for row in rows:
            if row["time"] > end or row["what"] == "store":
                continue
            if row["what"] == "holds":
                carried[row["file"]] = None
                continue
            handovers += 1
            files[row["file"]] = None
            stays += row["file"] != before
            before = row["file"]
    rest = tuple(file for file in carried if file not in files)
    return Walk(stays, tuple(files), stays - len(files), handovers, rest)


def told(found: Walk) -> str:
    """The figures, and the files in order."""
    rows = [
        f"{found.stays} stays in {len(found.files)} files with {found.returns} returns, {found.handovers} handovers"
    ]
    rows += [f"  {file}" for file in found.files]
    rows.append(f"carried in another object through {len(found.carried)} more files")
    return "\n".join([*rows, *(f"  {file}" for file in found.carried)])


class _Recorder:
    """Writes a line for each event of this process, from its first one on."""

    def __init__(self) -> None:
        self.source, self.runs = os.environ[SOURCE] + os.sep, os.environ[RUNS] + os.sep
        self.file: tuple[int, Any] = (0, None)
        self.study: type | None = None
        self.fields: dict[type, tuple[str, ...]] = {}
        self.written = set[tuple[str, str, str, str]]()

    def write(self, what: str, **more: str) -> None:
        key = (what, *more.values())
        if what != "store" and key in self.written:
            return
        self.written.add(key)
        if self.file[0] != os.getpid():  # a copy of a process that recorded has a file of its own
            path = Path(os.environ[RECORDS], f"{time.monotonic_ns()}-{os.getpid()}.jsonl")
            self.file = os.getpid(), path.open("a", encoding="utf-8")
            self.written = {key}
        print(json.dumps({"what": what, "time": time.monotonic_ns(), **more}), file=self.file[1], flush=True)

    def is_study(self, value: object) -> bool:
        if self.study is None:
            self.study = getattr(sys.modules.get("commongarden.study"), "Study", None)
        return self.study is not None and isinstance(value, self.study)

    def holds_study(self, value: object) -> bool:
        kind = type(value)
        if kind.__module__.partition(".")[0] != "commongarden":
            return False
        return any(map(self.is_study, getattr(value, "__dict__", {}).values()))

    def profile(self, frame: FrameType, event: str, result: object) -> None:
        path = frame.f_code.co_filename
        if event not in ("call", "return") or not path.startswith(self.source):
            return
        file, function = path.removeprefix(self.source), frame.f_code.co_qualname
        if event == "return":
            if self.is_study(result):
                self.write("return", file=file, function=function, **{"from": ""})
            return
        above = frame.f_back
        place = f"{above.f_code.co_filename}:{above.f_lineno}" if above is not None else ""
        for name, value in _arguments(frame):
            if self.is_study(value):
                if name != "self":
                    self.write("call", file=file, function=function, **{"from": place})
            elif self.holds_study(value):
                self.write("holds", file=file)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.rename" and str(arguments[1]).startswith(self.runs):
            self.write("store")


def _arguments(frame: FrameType) -> Iterator[tuple[str, object]]:
    code = frame.f_code
    n = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
    values = frame.f_locals
    return ((name, values[name]) for name in code.co_varnames[:n] if name in values)


if RECORDS in os.environ and __name__ == "sitecustomize":
    _recorder = _Recorder()
    sys.addaudithook(_recorder.audit)
    threading.setprofile(_recorder.profile)
    sys.setprofile(_recorder.profile)
