"""The server behind `commongarden view`."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import uvicorn

from commongarden.errors import StudyError
from commongarden.i18n.language import _
from commongarden.study import origin
from commongarden.view.app import Server
from commongarden.view.guarding import LOOPBACK, Policy, new_token
from commongarden.view.studies import Garden

PORT, TRIED = 8321, 20  # the first port that is tried where none was asked for, and how many
EVERY = ("0.0.0.0", "::")


@dataclass(frozen=True)
class _Served:
    """A server that does not answer yet. address: to open, with the token where one is asked for."""

    bound: socket.socket
    server: uvicorn.Server
    address: str

    def run(self) -> None:
        """Answers until the server is told to end, by Ctrl-C if this is the main thread."""
        try:
            self.server.run(sockets=[self.bound])
        except KeyboardInterrupt:  # it ends by itself, and then says so again
            pass
        finally:
            self.bound.close()


def serve(
    root: Path,
    host: str,
    port: int | None,
    ready: Callable[[str], None],
    data: Path | None = None,
    *,
    steers: bool = False,
) -> None:
    """Serves the studies of a folder until Ctrl-C. ready: is given the address to open, once it answers. data: the
    folder of photos, in place of the one that a study names. steers: studies can be stopped, resumed and extended.
    Raises StudyError where the address cannot be had."""
    served = _served(root, host, port, data, steers=steers)
    ready(served.address)
    served.run()


def serve_beside(root: Path, connection: Connection) -> None:
    """Serves a study on this computer and sends the address, until the other end of the connection is closed. Ctrl-C in
    the terminal does not end it."""
    served = _served(root, LOOPBACK[0], None, None, steers=False)
    thread = threading.Thread(target=served.run, daemon=True)  # in the main thread, uvicorn would take the signals
    thread.start()
    connection.send(served.address)
    try:
        connection.recv()
    except (EOFError, OSError):
        served.server.should_exit = True
        thread.join(timeout=5)


def _served(root: Path, host: str, port: int | None, data: Path | None, *, steers: bool) -> _Served:
    """Pages run no code that a study names: a request could ask for it. Raises StudyError."""
    os.environ[origin.NO_CODE] = "1"
    bound = _bound(host, port)
    number = bound.getsockname()[1]
    is_local = host in LOOPBACK
    policy = Policy(_names(host), number, "" if is_local and not steers else new_token())
    app = Server(Garden(root), policy, data, steers=steers).app()
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, lifespan="off", ws="none", http="h11",
        loop="asyncio", timeout_graceful_shutdown=1, limit_concurrency=400,
    )  # fmt: skip
    named = host if host not in EVERY else socket.gethostname()
    address = f"http://{f'[{named}]' if ':' in named else named}:{number}/"
    return _Served(bound, uvicorn.Server(config), f"{address}?token={policy.token}" if policy.token else address)


def _bound(host: str, port: int | None) -> socket.socket:
    """A socket that has the address. Without a port, the first one that is free."""
    tried = [port] if port is not None else [*range(PORT, PORT + TRIED), 0]
    for number in tried:
        try:
            found = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
            bound = socket.socket(found[0], found[1])
        except OSError as error:
            raise StudyError(_said(host, error)) from None
        try:
            if hasattr(socket, "SO_REUSEADDR") and psutil.POSIX:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(found[4])
            bound.listen(128)
            return bound
        except OSError as error:
            bound.close()
            if number == tried[-1]:
                text = (
                    _said(host, error)
                    if port is None
                    else _("--port: {port} on {host} cannot be used: {reason}; accepted: a free port, or none")
                )
                raise StudyError(text.format(port=port, host=host, reason=error.strerror or error)) from None
    raise AssertionError


def _said(host: str, error: OSError) -> str:
    text = _("--host: found {host!r}: {reason}; accepted: a name or an address of this machine, such as 127.0.0.1")
    return text.format(host=host, reason=error.strerror or error)


def _names(host: str) -> frozenset[str]:
    """The names under which requests may ask for this server."""
    if host in LOOPBACK:
        return frozenset(LOOPBACK)
    if host not in EVERY:
        return frozenset({host})
    addresses = {one.address.partition("%")[0] for found in psutil.net_if_addrs().values() for one in found
                 if one.family in (socket.AF_INET, socket.AF_INET6)}  # fmt: skip
    return frozenset({*addresses, *LOOPBACK, socket.gethostname(), socket.getfqdn()})
