"""Measures what a run on Ray costs beside the same run on this machine: wall and CPU time a run, stopping, memory.

    python scripts/cluster_cost.py [--rounds 5] [--runs 12] [--epochs 40]

A head with two CPUs is started on this machine. Then studies of 2 and of 2 + RUNS runs are trained in alternation by
`run` and by `run --on ray`, two runs at a time. What the larger study takes more, divided by RUNS, is the cost of a run
once the workers are there ("warm"); CPU time is that of the command, its workers and all of Ray. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

COMMAND = (sys.executable, "-m", "commongarden.cli")
MARK = "COMMONGARDEN_COST"
STUDY = """
[study]
name = "cost"
data = "builtin:flowers/600"
seeds = {seeds}

[recipe]
resolution = 32
epochs = {epochs}

[arms.plain]
arch = "plain_flower"
"""


def marked(name: str) -> list[psutil.Process]:
    """The processes that inherited a mark."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == name:
                found.append(process)
    return found


def cpu(processes: list[psutil.Process]) -> float:
    """Their CPU seconds and those of their children that have ended."""
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def largest_worker(stop: threading.Event, found: list[float]) -> None:
    """Samples the memory of the processes that train for Ray: each worker of Ray with its own processes."""
    while not stop.wait(1.0):
        for process in marked("head"):
            with suppress(psutil.Error):
                if "ray::" in " ".join(process.cmdline()):
                    family = [process, *process.children(recursive=True)]
                    found.append(sum(member.memory_full_info().uss for member in family) / 1e6)


class Bench:
    def __init__(self, folder: Path, epochs: int) -> None:
        self.folder, self.epochs, self.n = folder, epochs, 0
        self.token, self.where = folder / "token", folder / "where.toml"
        self.token.write_text(secrets.token_hex(32))
        self.token.chmod(0o600)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.commongarden("head", "cluster", "head", "--address", address, "--token-path", self.token, "--cpus", 2)
        self.where.write_text(f'[ray]\naddress = "{address}"\ntoken_path = "{self.token}"\n')

    def commongarden(self, mark: str, *arguments: object) -> str:
        environment = os.environ | {MARK: mark, "COMMONGARDEN_CACHE": str(self.folder / "cache")}
        done = subprocess.run([*COMMAND, *map(str, arguments)], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        return done.stdout

    def arguments(self, on: str, seeds: int) -> list[object]:
        self.n += 1
        study = self.folder / f"{self.n}.toml"
        study.write_text(STUDY.format(seeds=seeds, epochs=self.epochs))
        elsewhere = ["--on", "ray", "--where", self.where] if on == "ray" else []
        return ["run", study, "--out", self.folder / f"out{self.n}", "--workers", 2, *elsewhere]

    def cost(self, on: str, seeds: int) -> tuple[float, float]:
        """Wall and CPU seconds of a study."""
        usage = os.times()
        before, begun = usage.children_user + usage.children_system, time.perf_counter()
        ray_before = cpu(marked("head"))
        self.commongarden("driver", *self.arguments(on, seeds))
        wall, usage = time.perf_counter() - begun, os.times()
        ray = cpu(marked("head")) - ray_before if on == "ray" else 0.0
        return wall, usage.children_user + usage.children_system - before + ray

    def stop_seconds(self, on: str) -> float:
        """From the signal to the end of the command, while two runs are trained."""
        environment = os.environ | {MARK: "driver", "COMMONGARDEN_CACHE": str(self.folder / "cache")}
        arguments = list(map(str, self.arguments(on, 40)))
        running = subprocess.Popen([*COMMAND, *arguments], env=environment, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)  # fmt: skip
        while not any(Path(arguments[3]).glob("**/predictions*")):
            time.sleep(0.2)
            if running.poll() is not None:
                raise SystemExit("the study ended before it was stopped")
        begun = time.perf_counter()
        running.send_signal(signal.SIGINT)
        running.wait()
        return time.perf_counter() - begun

    def end(self) -> None:
        for process in marked("head"):
            with suppress(psutil.Error):
                process.kill()


def main() -> None:
    from commongarden.stats.medians import median_interval

    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=40)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="cg-cost-", dir="/tmp"))
    bench, over, memory = Bench(folder, given.epochs), threading.Event(), []
    watch = threading.Thread(target=largest_worker, args=(over, memory))
    watch.start()
    try:
        bench.cost("local", 2)  # prepares the photos
        rows: list[dict[str, tuple[float, float]]] = []
        for number in range(given.rounds):
            row = {}
            for on in sorted(("local", "ray"), reverse=bool(number % 2)):
                few, many = bench.cost(on, 2), bench.cost(on, 2 + given.runs)
                row[on] = tuple((more - less) / given.runs for more, less in zip(many, few, strict=True))
                row[f"{on}, 2 runs"] = few
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
        stops = {on: [bench.stop_seconds(on) for _ in range(3)] for on in ("local", "ray")}
    finally:
        over.set()
        watch.join()
        bench.end()
        shutil.rmtree(folder, ignore_errors=True)
    short = {on: statistics.median(row[f"{on}, 2 runs"][0] for row in rows) for on in ("local", "ray")}
    warm = median_interval([row["ray"][0] / row["local"][0] for row in rows])
    more = median_interval([row["ray"][1] - row["local"][1] for row in rows])
    print(json.dumps({
        "machine": f"{os.cpu_count()} CPUs, {platform.machine()}", "rounds": given.rounds, "runs": given.runs,
        "seconds a run, local": statistics.median(row["local"][0] for row in rows),
        "warm, ray / local": [warm.value, warm.low, warm.high],
        "CPU seconds more a run": [more.value, more.low, more.high],
        "seconds of a study of two runs": short,
        "seconds from Ctrl-C to the end": stops,
        "largest worker, MB (USS with its processes)": max(memory, default=None),
    }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
