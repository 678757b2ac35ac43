"""The connection to a Ray cluster, with what can go wrong in sentences."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from commongarden.cluster.where_file import RaySettings
from commongarden.errors import RunnerError
from commongarden.i18n.language import _

SECONDS_TO_ANSWER = 3.0
SHORTEST_TOKEN = 16
MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
USUAL_TOKEN = Path("~/.ray/auth_token")
REFUSED = "InvalidAuthToken"  # as Ray reports a token that is missing or wrong
VERSION = re.compile(r"(Ray|Python): ([\w.+]+)")


def check_installed() -> None:
    """Raises RunnerError where Ray is not installed. It is not loaded: it keeps the token that it then finds."""
    if importlib.util.find_spec("ray") is None:
        raise RunnerError(_("Ray is not installed; install it: pip install 'commongarden[ray]'"))


def use_token(token_path: str) -> bool:
    """Says to Ray which token it shows, before it is loaded; whether there is one. Raises RunnerError for a file that
    holds none."""
    if token_path:
        path = Path(token_path).expanduser()
        check_token(path)
        os.environ.update({MODE: "token", TOKEN_PATH: str(path)})
        os.environ.pop(TOKEN, None)
        return True
    has_one = bool(os.environ.get(TOKEN) or os.environ.get(TOKEN_PATH)) or USUAL_TOKEN.expanduser().is_file()
    if has_one:
        os.environ.setdefault(MODE, "token")
    return has_one


def check_token(path: Path) -> None:
    """Raises RunnerError for a file that holds no token."""
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        text = _("{path}: no token can be read: {reason}; make one: commongarden cluster token {path}")
        raise RunnerError(text.format(path=path, reason=getattr(error, "strerror", "") or error)) from None
    if not found:
        text = _("{path}: the file is empty; make a token: commongarden cluster token {path}")
        raise RunnerError(text.format(path=path))
    if len(found) < SHORTEST_TOKEN:
        text = _(
            "{path}: the token has {n} characters, accepted: {least} or more, since it is all that keeps others out; "
            "make one: commongarden cluster token FILE"
        )
        raise RunnerError(text.format(path=path, n=len(found), least=SHORTEST_TOKEN))


def connect(settings: RaySettings, tell: Callable[[str], None]) -> Any:
    """Ray, connected to the cluster. Raises RunnerError."""
    check_installed()
    has_token = use_token(settings.token_path)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        return ray
    _read_again()
    address = settings.address or os.environ.get("RAY_ADDRESS", "") or "auto"
    if address.startswith("ray://"):
        text = _("{address}: found ray://, accepted: HOST:PORT of the head, on a machine that has joined the cluster")
        raise RunnerError(text.format(address=address))
    if address != "auto":
        check_reachable(address)
    elif not _has_cluster():
        raise RunnerError(_no_cluster())
    _print_nothing()
    said: list[str] = []
    try:
        with _heard(said):
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, namespace="commongarden")
    except Exception as error:  # of any kind, as Ray has it
        raise RunnerError(_why(error, "".join(said), address, has_token=has_token)) from None
    if not has_token:
        tell(_("warning: this cluster is used without a token; whoever reaches its ports can run code there"))
    return ray


def _read_again() -> None:
    """Ray may have been loaded before, and keeps what the environment then said of tokens."""
    with suppress(Exception):  # of a version that has this elsewhere: it then reports a wrong token
        from ray._raylet import AuthenticationTokenLoader, Config

        Config.initialize("")
        AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _heard(said: list[str]) -> Iterator[None]:
    """Keeps what Ray's compiled part writes to the error stream, where alone it says that a token is wrong."""
    sys.stderr.flush()
    before = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
            file.seek(0)
            said.append(file.read().decode(errors="replace"))


def _print_nothing() -> None:
    """Ray prints what happens to its machines on the output, which is the study's."""
    with suppress(Exception):
        from ray._private import worker

        worker.print_to_stdstream = lambda *_, **__: None


def check_reachable(address: str) -> None:
    """Raises RunnerError where nothing answers at HOST:PORT."""
    host, _colon, port = address.rpartition(":")
    if not host or not port.isdecimal():
        text = _("address: found {address!r}, accepted: HOST:PORT, such as 10.0.0.1:6379")
        raise RunnerError(text.format(address=address))
    try:
        socket.create_connection((host, int(port)), timeout=SECONDS_TO_ANSWER).close()
    except OSError as error:
        text = _("no Ray head answers at {address} ({reason}); start one: commongarden cluster head")
        raise RunnerError(text.format(address=address, reason=error.strerror or error)) from None


def wrong_token(address: str, *, has_token: bool) -> str:
    """The message where a cluster refuses."""
    address = _("the cluster of this machine") if address == "auto" else address
    if has_token:
        text = _("{address} refuses this token; accepted: the one its head was started with")
    else:
        text = _("{address} asks for a token; accepted: token_path in [ray], or RAY_AUTH_TOKEN_PATH")
    return text.format(address=address)


def _no_cluster() -> str:
    return _("no Ray cluster on this machine; start one (commongarden cluster head) or join one (cluster join ADDRESS)")


def _has_cluster() -> bool:
    """Whether a part of a cluster runs on this machine, as Ray itself finds it."""
    with suppress(Exception):  # of a version that has this elsewhere: connecting then tells
        from ray._private import services

        return bool(services.find_gcs_addresses())
    return True


def _why(error: Exception, heard: str, address: str, *, has_token: bool) -> str:
    """What is wrong, from what Ray says."""
    said = str(error)
    if "ersion mismatch" in said:
        found = VERSION.findall(said)
        there, here = (", ".join(f"{name} {version}" for name, version in half) for half in (found[:2], found[2:4]))
        text = _("the cluster has {there}, this Python has {here}; accepted: the same versions on all machines")
        return text.format(there=there, here=here)
    if REFUSED in heard + said:
        return wrong_token(address, has_token=has_token)
    if address == "auto":
        return _no_cluster()
    if "raylet" in said.lower():
        text = _("this machine is not in the cluster {address}; join it: commongarden cluster join {address}")
        return text.format(address=address)
    first = said.strip().partition("\n")[0] or type(error).__name__
    return _("{address}: no connection to Ray: {reason}").format(address=address, reason=first)
