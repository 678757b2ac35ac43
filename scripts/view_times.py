"""Times the live page on made-up studies: how soon it appears, lists many studies and opens large ones.

    python scripts/view_times.py                    300 studies, one of 100 runs
    python scripts/view_times.py --arms 200 --seeds 20    also one of 4,000 runs, in Chromium; it takes minutes to write

Each line has the seconds that passed and the CPU seconds of the server, which hold on a busy machine too. Needs the
extra `view` and, for the large study, a browser (`make browser`).
"""

from __future__ import annotations

import argparse
import http.client
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from view_cost import cpu_seconds

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
COMMAND = (sys.executable, "-m", "commongarden.cli")


def accuracies(n_arms: int, n_seeds: int) -> dict[str, tuple[float, ...]]:
    """Of made-up models that differ a little."""
    return {
        f"model-{arm:03}": tuple(0.5 + 0.3 * arm / n_arms + 0.01 * (seed % 3) for seed in range(n_seeds))
        for arm in range(n_arms)
    }


class Timed:
    """Prints what steps take, of which the server's part is CPU time."""

    def __init__(self, server: psutil.Process) -> None:
        self.server = server

    def __call__(self, what: str, step: Callable[[], Any]) -> Any:
        begun, used = time.monotonic(), cpu_seconds(self.server)
        found = step()
        print(_line(what, time.monotonic() - begun, cpu_seconds(self.server) - used))
        return found


def _line(what: str, seconds: float, used: float) -> str:
    return f"{what:<58} {seconds:6.2f} s, server {used:6.2f} s of CPU time"


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, Timed]]:
    """A server of a folder: its address, and a clock."""
    begun = time.monotonic()
    line = [*COMMAND, "view", str(folder), "--port", "0"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            timed = Timed(psutil.Process(process.pid))
            print(_line("`view` until its address", time.monotonic() - begun, cpu_seconds(timed.server)))
            timed("the first page", lambda: get(address, "/"))
            yield address, timed
        finally:
            process.terminate()


def get(address: str, path: str) -> bytes:
    """A page, as a client without a browser gets it."""
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=600)
    connection.request("GET", path)
    answer = connection.getresponse()
    found = answer.read()
    connection.close()
    assert answer.status in (200, 303), (path, answer.status)
    return found


def many(folder: Path, n: int) -> None:
    """A folder of n copies of a study of four runs."""
    from grown import grown

    grown(folder / "study 000", accuracies(2, 2))
    for number in range(1, n):
        shutil.copytree(folder / "study 000", folder / f"study {number:03}")


def large(folder: Path, n_runs: int) -> None:
    """Opens the study in Chromium, and scrolls through it."""
    from chromium import chromium

    with served(folder) as (address, timed), chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(600_000)
        timed(f"{n_runs:,} runs: page appears", lambda: page.goto(f"{address}study/large"))
        timed(f"{n_runs:,} runs: state", lambda: page.wait_for_selector("#live[data-state]"))
        timed(f"{n_runs:,} runs: report", lambda: page.wait_for_selector("#report .report h2"))
        timed(f"{n_runs:,} runs: charts", lambda: page.wait_for_selector("#report[aria-busy=false]"))
        n = page.evaluate("document.querySelectorAll('*').length")
        size = page.evaluate("document.documentElement.outerHTML.length")
        height = page.evaluate("document.documentElement.scrollHeight")
        print(f"elements {n:,}, {size / 1e6:.1f} MB of HTML, {height:,} pixels high")
        slowest = page.evaluate(
            """async () => {
              let slowest = 0, before = performance.now();
              for (let y = 0; y < document.documentElement.scrollHeight; y += 600) {
                scrollTo(0, y);
                await new Promise(requestAnimationFrame);
                const now = performance.now();
                slowest = Math.max(slowest, now - before);
                before = now;
              }
              return slowest;
            }"""
        )
        print(f"longest frame while scrolling {slowest:.0f} ms")


def main() -> None:
    from grown import grown

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--studies", type=int, default=300, help="studies in the list [300]")
    parser.add_argument("--arms", type=int, default=0, help="models of the large study [none is made]")
    parser.add_argument("--seeds", type=int, default=20, help="its seeds [20]")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        many(folder / "many", options.studies)
        grown(folder / "many" / "hundred", accuracies(10, 10))
        with served(folder / "many") as (address, timed):
            timed("the list again", lambda: get(address, "/"))
            time.sleep(4)
            timed("the list, looked at again", lambda: get(address, "/"))
            timed("100 runs: page", lambda: get(address, "/study/hundred"))
            timed("100 runs: report", lambda: get(address, "/study/hundred/report"))
            timed("100 runs: report in another language", lambda: get(address, "/study/hundred/report?lang=ko"))
            timed("100 runs: report again", lambda: get(address, "/study/hundred/report"))
        with served(folder / "many" / "hundred") as (address, timed):
            timed("100 runs alone: report, with what is loaded for it", lambda: get(address, "/study/hundred/report"))
        if options.arms:
            grown(folder / "one" / "large", accuracies(options.arms, options.seeds))
            large(folder / "one", options.arms * options.seeds)


if __name__ == "__main__":
    main()
