"""Copies of files that a study names, on a machine that does not have them under these names.

The process that holds a study sends a user's FILE.py and files of weights to machines that lack them; code that opens
such a file asks here first. A copy belongs to a name as the study gives it, so the study stays as it is. Whether it is
the right file is checked where it is read, by its SHA-256.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

FOLDER = "COMMONGARDEN_COPIES"  # worker processes inherit it


def place(folder: Path, named: str) -> Path:
    """The folder in `folder` for the copy of what a study names so."""
    return folder / hashlib.sha256(named.encode()).hexdigest()[:32]


def find(named: str) -> Path | None:
    """The copy of what a study names so: the file of that name, else the only one there; None where there is none."""
    wanted = os.environ.get(FOLDER)
    if not wanted or not (kept := place(Path(wanted), named)).is_dir():
        return None
    files = sorted(kept.iterdir())
    named_so = [file for file in files if file.name == Path(named).name]
    return next(iter(named_so or files), None)
