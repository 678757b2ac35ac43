"""What somebody asks of the process that works on a study: a file for each request in the study's folder, which that
process takes and removes. Unlike a signal it also comes from another computer that has the folder mounted."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from commongarden.errors import StoreError
from commongarden.i18n.language import N_
from commongarden.io import disk, reader
from commongarden.store.files import write_atomically

PATTERN = ".request-*.json"


@dataclass(frozen=True)
class Request:
    """arm: the one that is dropped or restored."""

    what: Literal["stop-after-epoch", "drop", "restore"]
    arm: str = ""


KIND = reader.Kind(".request-TIME-PROCESS.json", N_("a request"), reader.json_of(Request))


def ask(root: Path, request: Request) -> None:
    """Leaves a request. Raises StoreError where the folder cannot be written to."""
    write_atomically(root / f".request-{time.time_ns()}-{os.getpid()}.json", msgspec.json.encode(request))


def take(root: Path) -> list[Request]:
    """The requests since the last call, the first one first; one that cannot be read is left out. For the process that
    holds the study."""
    found = []
    for path in sorted(root.glob(PATTERN)):
        with suppress(StoreError):
            found.append(reader.read(path, KIND))
        with suppress(OSError):
            disk.remove(path)
    return found
