"""A script of peers/ as a process of its own, with the environment that a user's terminal would give it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import msgspec

from commongarden.errors import RunnerError
from commongarden.i18n.language import _
from commongarden.records.benchmark import COMPILED, HELD, MEMORY, PLAIN, TIMM, Case, Trained
from commongarden.runner.processes import ONE_THREAD

FILES = {PLAIN: "plain.py", MEMORY: "plain.py", TIMM: "timm_peer.py", HELD: "plain.py", COMPILED: "plain.py"}
FLAGS = {MEMORY: ["--in-memory"], HELD: ["--on-device"], COMPILED: ["--on-device", "--compile"]}
LAST_LINES = 12


class Said(msgspec.Struct):
    """The line that a script prints."""

    images: int
    seconds: float
    startup: float
    validated: int
    seconds_validation: float
    threads: int
    joules: float | None = None
    peak_bytes: int | None = None


def folder() -> Path:
    """Where the scripts lie."""
    return Path(str(resources.files("commongarden.benchmarks") / "scripts"))


def digest(way: str) -> tuple[str, str]:
    """The name of the script of a way, and the SHA-256 of its text."""
    path = folder() / FILES[way]
    return path.name, hashlib.sha256(path.read_bytes()).hexdigest()


def environment(threads: int | None) -> dict[str, str]:
    """This process's environment with so many threads asked for, or with no wish, for None."""
    kept = {key: value for key, value in os.environ.items() if key not in ONE_THREAD}
    return kept if threads is None else kept | dict.fromkeys(ONE_THREAD, str(threads))


def train(
    way: str,
    case: Case,
    place: int,
    photos: Path,
    number: int,
    *,
    threads: int | None = None,
    loaders: int = 0,
    busy: bool = False,
    at_most: float | None = None,
    device: str | None = None,
) -> Trained:
    """Runs the script of a way to its end and gives what it printed. place, number: of the case and the round.

    threads: of torch, its own choice for None. at_most: seconds of training. device: None for the
    processor. Raises RunnerError where the script fails.
    """
    command = [sys.executable, str(folder() / FILES[way]), str(photos), "--arm", case.arm]
    command += ["--resolution", str(case.resolution), "--batch", str(case.batch_size), "--epochs", str(case.epochs)]
    command += ["--loaders", str(loaders)] if loaders else []
    command += FLAGS.get(way, [])
    command += ["--device", device] if device is not None else []
    command += ["--at-most", str(at_most)] if at_most is not None else []
    done = subprocess.run(
        command, env=environment(threads), capture_output=True, text=True, encoding="utf-8", check=False
    )
    try:
        said = msgspec.json.decode(done.stdout.strip().rpartition("\n")[2], type=Said)
    except msgspec.DecodeError:
        last = "\n".join(done.stderr.strip().splitlines()[-LAST_LINES:])
        raise RunnerError(
            _("{script} ended with exit code {code}, accepted: 0 and a line of JSON; it printed:\n{last}").format(
                script=FILES[way], code=done.returncode, last=last
            )
        ) from None
    return Trained(
        place, way, number, busy, 1, 1, said.threads, said.images, said.seconds, said.startup,
        said.seconds_validation, said.validated, joules=said.joules, peak_bytes=said.peak_bytes,
    )  # fmt: skip
