"""Small results that took a while, kept beside the decoded images under a hash of all that they hang on.

    KEY.memo   the SHA-256 of the key and of what follows, a line break, and what follows

KEY holds, beside what a result was made from, the text of this version's code and the versions of the libraries that
made it, so a memo never goes stale: whatever changes, the next one has another key. What is not as it was written is
made again, and that is told. A study keeps its own copy of what it uses; no memo is needed to read one.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

import msgspec
import psutil

from commongarden.i18n.language import _
from commongarden.io import disk

SUFFIX = ".memo"
SHARED = "COMMONGARDEN_SHARED_CACHE"  # a further cache folder, of which is only read
CODE = Path(__file__).parent.parent  # the package

Tell = Callable[[str], None]


def key(kind: str, made_from: Sequence[str], libraries: Sequence[str], *, machine: str = "") -> str:
    """Under which a result is kept. made_from: texts and hashes of everything that it depends on, beside the code;
    machine: what of the computer it depends on, "" where it is the same on all."""
    versions = [(library, _version(library)) for library in ("numpy", *libraries)]
    named = msgspec.json.encode((kind, code(), platform.python_version(), versions, machine, list(made_from)))
    return hashlib.sha256(named).hexdigest()


def recall(folder: Path, key: str, tell: Tell | None = None) -> bytes | None:
    """What is kept under the key; None where nothing is, or where it is not what was written, which is told."""
    for path in (place / f"{key}{SUFFIX}" for place in places(folder)):
        try:
            mark, _line, data = path.read_bytes().partition(b"\n")
        except OSError:
            continue
        if mark == _mark(key, data):
            return data
        if tell is not None:
            tell(_("{path}: corrupt cache entry; it is recomputed").format(path=path))
    return None


def places(folder: Path) -> tuple[Path, ...]:
    """Where a cached file may lie: in a user's own cache folder, and in one that all users of a computer read."""
    shared = os.environ.get(SHARED)
    return (folder, Path(shared)) if shared else (folder,)


def keep(folder: Path, key: str, data: bytes) -> None:
    """Keeps a result, whole or not at all. A cache that cannot be written costs the next start some seconds."""
    with suppress(OSError):
        disk.make_folder(folder)
        for torn in folder.glob(f".{key}{SUFFIX}.*.tmp"):  # left by a process that was killed
            if not psutil.pid_exists(int(torn.name.split(".")[-2])):
                disk.remove(torn)
        with disk.replacing(folder / f"{key}{SUFFIX}") as file:
            disk.write(file, _mark(key, data) + b"\n" + data)


@cache
def code() -> str:
    """SHA-256 over every module of commongarden: no version number that somebody may forget to raise."""
    digest = hashlib.sha256()
    for path in sorted(CODE.rglob("*.py")):
        text = path.read_bytes()
        digest.update(f"{path.relative_to(CODE).as_posix()} {len(text)}\n".encode() + text)
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""


def _mark(key: str, data: bytes) -> bytes:
    return hashlib.sha256(f"{key}\n".encode() + data).hexdigest().encode()
