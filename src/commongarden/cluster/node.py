"""The machines of a Ray cluster, started by hand: thin wrappers over `ray start`.

Ray's own defaults let anybody who reaches its ports run code, send usage statistics, and take a minute to see that a
machine is gone. Here a token is required, statistics are off, lost machines are seen in seconds, and neither the
dashboard nor the ports of jobs and clients are opened.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from commongarden.cluster import connection
from commongarden.errors import RunnerError
from commongarden.i18n.language import _

PORT = 6379
CHECKS = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "5",
}  # a machine that is gone is noticed within about 15 seconds
SECONDS_TO_START = 60.0
# Ray opens a port for clients wherever grpcio is installed, and has no option against it
WITHOUT_CLIENTS = (
    "import sys, ray.scripts.scripts as scripts; "
    "scripts.get_ray_client_dependency_error = lambda: 'not wanted'; "
    "sys.argv[0] = 'ray'; scripts.main()"
)
LAST_LINES = 8


@dataclass(frozen=True)
class Node:
    """How a machine takes part. address: of the head, HOST:PORT; that of a head is its own. cpus, gpus: [all]. memory:
    bytes of the object store [Ray's choice]. scratch: folder of Ray's own files [/tmp/ray]."""

    address: str
    token: Path
    is_head: bool = False
    cpus: int | None = None
    gpus: int | None = None
    memory: int | None = None
    scratch: Path | None = None

    @property
    def command(self) -> list[str]:
        """`ray start` with what this means."""
        host, _colon, port = self.address.rpartition(":")
        words = ["start", "--disable-usage-stats", "--include-log-monitor=false"]
        if self.is_head:
            words += ["--head", f"--node-ip-address={host}", f"--port={port}", "--include-dashboard=false"]
            words += ["--no-monitor"]
        else:
            words += [f"--address={self.address}"]
        values = {
            "num-cpus": self.cpus,
            "num-gpus": self.gpus,
            "object-store-memory": self.memory,
            "temp-dir": self.scratch if self.is_head else None,
        }
        return words + [f"--{name}={value}" for name, value in values.items() if value is not None]

    @property
    def environment(self) -> Mapping[str, str]:
        """What it is started with, besides the environment of the command."""
        return {
            **CHECKS,
            connection.MODE: "token",
            connection.TOKEN_PATH: str(self.token.expanduser().absolute()),
            "RAY_USAGE_STATS_ENABLED": "0",
        }


def start(node: Node, environment: Mapping[str, str] | None = None) -> None:
    """Starts it; it goes on after this process. environment: besides its own. Raises RunnerError."""
    connection.check_token(node.token.expanduser())
    connection.check_installed()
    if not node.is_head:
        connection.check_reachable(node.address)
    whole = {**os.environ, **(environment or {}), **node.environment}
    whole.pop(connection.TOKEN, None)
    command = [sys.executable, "-c", WITHOUT_CLIENTS, *node.command]
    try:
        made = subprocess.run(command, env=whole, capture_output=True, text=True, timeout=SECONDS_TO_START)
    except subprocess.TimeoutExpired:
        text = _("Ray did not start within {seconds:.0f} s; a wrong token also ends so ({path})")
        raise RunnerError(text.format(seconds=SECONDS_TO_START, path=node.token)) from None
    if made.returncode and connection.REFUSED in made.stdout + made.stderr:
        raise RunnerError(connection.wrong_token(node.address, has_token=True))
    if made.returncode:
        lines = [line for line in (made.stdout + made.stderr).splitlines() if line.strip()]
        text = _("Ray did not start:\n{lines}")
        raise RunnerError(text.format(lines="\n".join(f"    {line}" for line in lines[-LAST_LINES:])))


def make_token(path: Path) -> None:
    """Writes a new token that only its owner reads. Raises RunnerError where the file exists."""
    path = path.expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:
        raise RunnerError(_("{path}: exists already and is not overwritten").format(path=path)) from None
    except OSError as error:
        raise RunnerError(_("{path}: cannot be written ({reason})").format(path=path, reason=error.strerror)) from None


def own_address(given: str) -> str:
    """HOST:PORT of a head on this machine, as other machines reach it, from HOST or HOST:PORT. Raises RunnerError for
    an address that is not this machine's."""
    host, _colon, port = given.partition(":")
    own = {each.address for addresses in psutil.net_if_addrs().values() for each in addresses}
    if host not in own:
        accepted = ", ".join(sorted(each for each in own if each.count(".") == 3))
        text = _("--address: found {host}, accepted: an address of this machine: {accepted}")
        raise RunnerError(text.format(host=host, accepted=accepted))
    if port and not (port.isdecimal() and 0 < int(port) < 65536):
        raise RunnerError(_("--address: found the port {port}, accepted: 1 to 65535").format(port=port))
    return f"{host}:{port or PORT}"


def usual_host() -> str:
    """The address under which this machine reaches others; 127.0.0.1 where it reaches none. Nothing is sent."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return "127.0.0.1"


def listening(processes: Sequence[psutil.Process]) -> list[tuple[str, int]]:
    """Addresses and ports at which these processes can be reached."""
    found = set()
    for process in processes:
        with suppress(psutil.Error):
            for each in process.net_connections("tcp"):
                if each.status == psutil.CONN_LISTEN:
                    found.add((str(each.laddr.ip), int(each.laddr.port)))
    return sorted(found)


def ray_processes(since: float) -> list[psutil.Process]:
    """Processes of Ray on this machine that this user started since then."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.create_time() >= since and "ray" in " ".join(process.cmdline()[:3]):
                found.append(process)
    return found


def open_to_all(since: float) -> list[int]:
    """Ports of Ray's processes that were started since then, at which every address of this machine is listened to."""
    time.sleep(0.5)
    return [port for address, port in listening(ray_processes(since)) if address in ("0.0.0.0", "::", "*")]
