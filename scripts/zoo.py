"""Networks of torchvision and timm through everything that a study does with one: make zoo, or scripts/zoo.py.

Each network has a process of its own, with limits of time and memory, so that one that crashes is one row. Rows are
kept in build/zoo/results.jsonl, and a repeat resumes behind them. At the end the table in docs/external.md is written.
Exit code 1 where a network fails.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from datetime import date
from importlib import metadata
from multiprocessing import forkserver
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests" / "support")]

import visiting  # noqa: E402
import zoo_page  # noqa: E402
from commongarden.runner import plan, processes  # noqa: E402

LIBRARIES = ("torch", "torchvision", "timm", "onnxruntime", "onnxscript")
PRELOADED = (*processes.PRELOADED, "visiting", "zoo_models", "timm", "torchvision", "commongarden.inference.exporting",
             "commongarden.inference.predictor", "commongarden.train.audit", "onnx", "onnxruntime", "onnxscript",
             "torch.onnx", "torch.export")  # fmt: skip
LOOKS = 0.2  # seconds between looks at a process
HANGS = 5  # times its limit of processor time, by the clock: other work on the machine does not count, waiting does


def main() -> None:
    """Runs what is not yet among the rows, two at a time, and writes the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN",
                        help='Networks whose name matches, such as "timm:*vit*"; may be repeated.')  # fmt: skip
    parser.add_argument("--redo", choices=["all", "failed"], help="Take these again, in spite of their rows.")
    parser.add_argument("--at-once", type=int, default=2, help="Networks at a time [2].")
    parser.add_argument("--seconds", type=float, default=240, help="Limit of each's processor time [240].")
    parser.add_argument("--gigabytes", type=float, help="Memory limit of each [80 %% of the machine's, divided].")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "zoo", help="Where rows and logs are kept.")
    parser.add_argument("--page", action="store_true", help="Only write the table, of the rows so far.")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    results = given.out / "results.jsonl"
    versions = {name: metadata.version(name) for name in LIBRARIES}
    begin(given.out)
    known = networks(given.out / "networks.json", versions)
    rows = {row["model"]: row for row in read(results) if row["versions"] == versions and row["model"] in known}
    if not given.page:
        wanted = [model for model in known if not given.only or any(fnmatch.fnmatch(model, one) for one in given.only)]
        if given.only and not wanted:
            sys.exit(f"--only: no network matches {' '.join(given.only)}; accepted: {', '.join(known)}")
        again = {
            "all": lambda row: True,
            "failed": lambda row: row["outcome"] != visiting.PASSES,
            None: lambda row: False,
        }
        todo = [model for model in wanted if model not in rows or again[given.redo](rows[model])]
        todo.sort(key=known.__getitem__)  # small ones first: most of what fails is soon known
        memory = int((given.gigabytes or 0.8 * psutil.virtual_memory().total / 1e9 / given.at_once) * 1e9)
        keeper = Keeper(given.out, visiting.draw_photos(given.out), memory, given.seconds, versions)
        with ThreadPoolExecutor(given.at_once) as pool, results.open("a", encoding="utf-8", buffering=1) as file:
            visits = [pool.submit(keeper.row, model, known[model]) for model in todo]
            for number, done in enumerate(as_completed(visits), 1):
                row = done.result()
                rows[row["model"]] = row
                file.write(json.dumps(row) + "\n")
                print(f"{number}/{len(todo)} {row['model']} at {row['size']}: {row['outcome']}, {row['seconds']:.0f} s"
                      + "".join(f"\n    {line}" for line in zoo_page.sentences(row)), flush=True)  # fmt: skip
        keeper.close()
    if given.page or len(rows) == len(known):
        zoo_page.write([rows[model] for model in known if model in rows], len(known) - len(rows))
    else:
        print(f"{len(known) - len(rows)} of {len(known)} networks have no row yet; docs/external.md is left as it is")
    sys.exit(any(row["outcome"] == visiting.FAILS for row in rows.values()))


def begin(out: Path) -> None:
    """The fork server, with everything loaded that a visit needs; all it and its processes keep lies below `out`."""
    os.environ["COMMONGARDEN_CACHE"] = str(out / "cache")
    os.environ["COMMONGARDEN_LANG"] = "en"
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])  # where the server finds what it loads
    processes.context().set_forkserver_preload(list(PRELOADED))
    processes.PRELOADED = PRELOADED
    processes.prepare()


def read(results: Path) -> list[dict]:
    """The rows so far; of a line that a stopped process left unfinished, nothing."""
    rows = []
    for line in results.read_text(encoding="utf-8").splitlines() if results.exists() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def networks(kept: Path, versions: dict[str, str]) -> dict[str, int]:
    """Each network's parameters, by name; made once for these versions, which takes some minutes."""
    if kept.exists() and (found := json.loads(kept.read_text(encoding="utf-8")))["versions"] == versions:
        return found["networks"]
    print("listing the networks of torchvision and timm, once for these versions (4 minutes)", flush=True)
    code = "import json, zoo_models; print(json.dumps({one.model: one.n_params for one in zoo_models.networks()}))"
    listed = subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True, text=True,
                            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    found = {"versions": versions, "networks": json.loads(listed.stdout.splitlines()[-1])}
    kept.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return found["networks"]


class Keeper:
    """Sends networks through the steps, each in a process of its own, and makes rows of what came of them."""

    def __init__(self, out: Path, photos: Path, memory: int, seconds: float, versions: dict[str, str]) -> None:
        self.out, self.photos, self.memory, self.seconds = out, photos, memory, seconds
        self.versions = versions
        self._starting = threading.Lock()
        self._commit = git_commit()

    def row(self, model: str, n_params: int) -> dict:
        name = model.replace(":", "-").replace("/", "-")
        folder, steps, log = self.out / "runs" / name, self.out / f"{name}.steps", self.out / f"{name}.log"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        steps.unlink(missing_ok=True)
        cache = self.out / "cache"
        visit = visiting.Visit(model, 0, folder, self.photos, cache, n_params, self.memory)
        begun = time.monotonic()
        ended, peak = self._watched(visit, steps, log)
        found = read(steps)
        size = next((row["size"] for row in found if "size" in row), 0)
        rows = [row for row in found if "outcome" in row]
        if ended:
            running = [row["begins"] for row in found if "begins" in row]
            step = running[-1] if running else "start"
            rows.append({"step": step, "outcome": visiting.FAILS, "seconds": 0.0, "note": ended})
        outcomes = [row["outcome"] for row in rows]
        outcome = next((one for one in (visiting.FAILS, visiting.REFUSED) if one in outcomes), visiting.PASSES)
        if outcome == visiting.PASSES:
            log.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        steps.unlink(missing_ok=True)
        return {
            "model": model, "n_params": n_params, "size": size, "outcome": outcome, "steps": rows,
            "large": visit.large, "seconds": round(time.monotonic() - begun, 1), "peak": peak, "memory": self.memory,
            "date": date.today().isoformat(), "commit": self._commit, "versions": self.versions,
            "machine": f"{plan.machine().processor}, {platform.system()}",
        }  # fmt: skip

    def _watched(self, visit: visiting.Visit, steps: Path, log: Path) -> tuple[str, int]:
        """How the process ended, "" where it came to its end; its greatest memory in bytes."""
        process = processes.context().Process(target=visiting.in_own_process, args=(visit, steps, log))
        with self._starting, processes.quiet_start():
            process.start()
        begun, peak = time.monotonic(), 0
        while process.exitcode is None:
            process.join(LOOKS)
            peak = max(peak, resident(process.pid))
            self._end_greedy_trials(process.pid)
            if peak > self.memory:
                process.kill()
                process.join()
                return f"took more than {self.memory / 1e9:.1f} GB of memory", peak
            if busy(process.pid) > self.seconds or time.monotonic() - begun > HANGS * self.seconds:
                process.kill()
                process.join()
                return f"was not done after {self.seconds:.0f} s of processor time", peak
        code = process.exitcode
        if code < 0:
            return f"the process was ended by {signal.Signals(-code).name}", peak
        return (f"the process ended with exit code {code}: {last_line(log)}" if code else ""), peak

    def _end_greedy_trials(self, own: int) -> None:
        """A trial's process is the fork server's, as a visit's is; the visit then hears that it has ended."""
        for child in served():
            if child.pid != own and resident(child.pid) > self.memory:
                kill(child)

    def close(self) -> None:
        """Ends what a visit that was stopped has left."""
        for child in served():
            kill(child)


def served() -> list[psutil.Process]:
    """Every process that the fork server has made and that runs."""
    server = forkserver._forkserver._forkserver_pid
    return psutil.Process(server).children() if server else []


def kill(process: psutil.Process) -> None:
    with suppress(psutil.Error):  # it has just ended
        process.kill()


def resident(pid: int) -> int:
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:  # it has just ended
        return 0


def busy(pid: int) -> float:
    """Seconds of processor time so far."""
    try:
        found = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(found.user + found.system)


def last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:400] if lines else "nothing was printed"


def git_commit() -> str:
    found = plan.git_state()
    return "" if found is None else found.commit[:12] + (" with changes" if found.is_changed else "")


if __name__ == "__main__":
    main()
