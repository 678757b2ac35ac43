"""Measures what the live page costs a study that is trained beside it: ten clients of the event stream, no browser.

    python scripts/view_cost.py                 CPU time of the server as a share of the training's; about a minute
    python scripts/view_cost.py --throughput    also images per second with and without clients, interleaved; 8 minutes
    python scripts/view_cost.py --page          one page in Chromium instead of the clients

The study is trained on drawn flowers, one run at a time on one thread. In the second form, clients are connected in
every other window of some seconds; the ratio of each window with clients to the two beside it without, averaged, has a
95 % interval (t). CPU times are those of the processes and hold on a busy machine; the ratio needs a quiet one.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil
from playwright.sync_api import Browser
from scipy import stats

COMMAND = (sys.executable, "-m", "commongarden.cli")
STUDY = """
[study]
name = "long"
data = "builtin:flowers/600"
seeds = 1

[recipe]
resolution = 32
epochs = 100000

[arms.plain]
arch = "plain_flower"
"""
N_CLIENTS, WARM_UP = 10, 10.0


class Clients:
    """Open event streams of a study's page, read by threads of this process."""

    def __init__(self, address: str, n: int) -> None:
        self.n_bytes = 0
        where = urlsplit(address)
        asked = f"GET /study/long/events HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode()
        self._sockets = [socket.create_connection((where.hostname, where.port)) for _ in range(n)]
        for one in self._sockets:
            one.sendall(asked)
            threading.Thread(target=self._read, args=(one,), daemon=True).start()

    def _read(self, one: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                self.n_bytes += len(data)

    def close(self) -> None:
        """Ends them."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


class Page:
    """A study's page in Chromium, which draws what arrives."""

    def __init__(self, address: str, browser: Browser) -> None:
        self.n_bytes = 0  # not counted
        self._page = browser.new_page()
        self._page.goto(f"{address}study/long")

    def close(self) -> None:
        """Closes it."""
        self._page.close()


@contextmanager
def connecting(address: str, *, page: bool) -> Iterator[Callable[[], Clients | Page]]:
    """What connects the clients, or opens the page in a browser that is there already."""
    if not page:
        yield lambda: Clients(address, N_CLIENTS)
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield lambda: Page(address, browser)
        browser.close()


def browser_seconds() -> float:
    """CPU time of all processes of Chromium that this one has started."""
    total = 0.0
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "chrom" in one.name():
                total += one.cpu_times().user + one.cpu_times().system
    return total


def cpu_seconds(process: psutil.Process) -> float:
    """Of a process and all its children, as far as they still work."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.Error):
            total += one.cpu_times().user + one.cpu_times().system
    return total


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command of commongarden, ended with the block."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*COMMAND, *arguments], text=True, **streams) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.terminate()


def position(events: Path) -> list[tuple[float, float]]:
    """(time, epochs trained) of every line that says how far the run is."""
    found = []
    for line in events.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):
            said = json.loads(line)
            if said.get("event") == "step":
                found.append((said["time"], said["epoch"] - 1 + said["step"] / said["steps"]))
            elif said.get("event") == "epoch":
                found.append((said["time"], float(said["epoch"]["epoch"])))
    return found


def share(
    training: psutil.Process, server: psutil.Process, connect: Callable[[], Clients | Page], seconds: float
) -> None:
    """Prints the CPU time of the server with clients as a share of that of the training."""
    idle = cpu_seconds(server)
    time.sleep(5)
    idle = (cpu_seconds(server) - idle) / 5
    clients = connect()
    time.sleep(WARM_UP)  # what is loaded for the first client
    before = time.monotonic(), cpu_seconds(server), cpu_seconds(training), clients.n_bytes
    drawing = browser_seconds()
    time.sleep(seconds)
    wall, served, trained, sent = (
        time.monotonic() - before[0],
        cpu_seconds(server) - before[1],
        cpu_seconds(training) - before[2],
        clients.n_bytes - before[3],
    )
    drawing = browser_seconds() - drawing
    print(f"server without clients: {1000 * idle:.1f} ms of CPU time a second")
    print(
        f"{_said(clients)}, {wall:.0f} s: server {served:.2f} s of CPU time ({1000 * served / wall:.1f} ms a "
        f"second), training {trained:.2f} s: {100 * served / trained:.2f} %; {sent / wall / 1000:.1f} kB a second sent"
        if isinstance(clients, Clients)
        else f"{_said(clients)}, {wall:.0f} s: server {served:.2f} s of CPU time, browser {drawing:.2f} s, training "
        f"{trained:.2f} s: {100 * served / trained:.2f} and {100 * drawing / trained:.2f} %"
    )
    clients.close()


def _said(clients: Clients | Page) -> str:
    return f"{N_CLIENTS} clients" if isinstance(clients, Clients) else "one page in Chromium"


def throughput(events: Path, connect: Callable[[], Clients | Page], seconds: float, n: int) -> None:
    """Prints the ratio of the training's speed with clients to that without."""
    edges = [time.time()]
    for window in range(2 * n + 1):
        clients = connect() if window % 2 else None
        time.sleep(seconds)
        if clients is not None:
            said = _said(clients)
            clients.close()
        edges.append(time.time())
    time.sleep(3)
    times, epochs = map(np.array, zip(*position(events), strict=True))
    speeds = np.diff(np.interp(edges, times, epochs)) / np.diff(edges)
    ratios = np.log(speeds[1::2]) - (np.log(speeds[:-1:2]) + np.log(speeds[2::2])) / 2
    mean, error = ratios.mean(), ratios.std(ddof=1) / math.sqrt(n)
    low, high = mean + np.array([-1, 1]) * stats.t.ppf(0.975, n - 1) * error
    print(
        f"speed with {said} / without: {math.exp(mean):.4f} (95 % CI {math.exp(low):.4f} to "
        f"{math.exp(high):.4f}), {n} windows of {seconds:.0f} s each, interleaved"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=40.0, help="of the measurement of CPU time [40]")
    parser.add_argument("--throughput", action="store_true", help="measure the training's speed too")
    parser.add_argument("--page", action="store_true", help="one page in Chromium instead of the clients")
    parser.add_argument("--window", type=float, default=9.0, help="seconds of a window [9]")
    parser.add_argument("--windows", type=int, default=20, help="windows with clients [20]")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "long.toml").write_text(STUDY, encoding="utf-8")
        out = folder / "garden" / "long"
        out.parent.mkdir()
        line = ("run", str(folder / "long.toml"), "--out", str(out), "--workers", "1", "--no-maps", "--yes")
        with started(*line) as run, started("view", str(folder / "garden"), "--port", "0") as view:
            assert view.stdout is not None
            address = view.stdout.readline().strip()
            events = out / "events.jsonl"
            while not (events.is_file() and len(position(events)) > 5):
                assert run.poll() is None, "the study ended"
                time.sleep(0.5)
            with connecting(address, page=options.page) as connect:
                share(psutil.Process(run.pid), psutil.Process(view.pid), connect, options.seconds)
                if options.throughput:
                    throughput(events, connect, options.window, options.windows)


if __name__ == "__main__":
    main()
