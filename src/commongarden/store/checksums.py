"""What each file of a folder was when it was written, by SHA-256, so that one that is torn or foreign is not trusted.

    checksums.sha256    DIGEST  NAME a line, as `sha256sum --check` reads it, and a last line with the digest of those

A run's folder gets it as its last file. A study's own files are written one by one: while one is replaced, both what it
was and what it will be are listed, so that a kill at any moment leaves a file that is one of them. A folder without it
is of an earlier version: its files are read as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from commongarden.errors import StoreError
from commongarden.i18n.language import _
from commongarden.io.reader import CHECKSUMS
from commongarden.io.reader import Digests as Digests
from commongarden.io.reader import digest as digest
from commongarden.io.reader import listed as listed
from commongarden.store.files import make_folder, write_atomically

FILE = CHECKSUMS
ABSENT = "0" * 64  # stands for a file that is about to be written for the first time


def file_digest(path: Path) -> str:
    """SHA-256 of a file, without holding it in memory. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(folder: Path, digests: Mapping[str, tuple[str, ...]]) -> None:
    """Writes the list. Raises StoreError."""
    text = "".join(f"{value}  {name}\n" for name in sorted(digests) for value in digests[name])
    write_atomically(folder / FILE, f"{text}# {digest(text.encode())}\n".encode())


def keep(root: Path, name: str, data: bytes) -> None:
    """Writes one of a study's own files with its checksum. For the process that holds the study. Raises StoreError."""
    path = root / name
    make_folder(path.parent)
    kept = listed(root) or {}
    now = digest(data)
    if kept.get(name) != (now,):
        before = kept.get(name) or ((_digest_of(path),) if path.is_file() else (ABSENT,))
        write(root, {**kept, name: tuple(dict.fromkeys((*before, now)))})
    write_atomically(path, data)
    if kept.get(name) != (now,):
        write(root, {**kept, name: (now,)})


def _digest_of(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise StoreError(_("{path}: cannot be read: {reason}").format(path=path, reason=error.strerror)) from None
