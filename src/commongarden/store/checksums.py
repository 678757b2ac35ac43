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
from commongarden.store.files import make_folder, read, write_atomically

FILE = "checksums.sha256"
ABSENT = "0" * 64  # stands for a file that is about to be written for the first time
Digests = dict[str, tuple[str, ...]]


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """The same of a file, without holding it in memory. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def listed(folder: Path) -> Digests | None:
    """What the files of a folder may be, by name; None where it has no list. Raises StoreError for a torn list."""
    path = folder / FILE
    if not path.is_file():
        return None
    data = read(path).decode(errors="replace")
    lines = data.split("\n")[:-2]
    text = "".join(f"{line}\n" for line in lines)
    if data != f"{text}# {digest(text.encode())}\n":
        raise StoreError(
            _(
                "{path}: is torn or was changed; accepted: the list as commongarden wrote it, or none, and files are "
                "then read without being checked"
            ).format(path=path)
        )
    found: Digests = {}
    for line in lines:
        value, _two_spaces, name = line.partition("  ")
        found[name] = (*found.get(name, ()), value)
    return found


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
        before = kept.get(name) or ((digest(read(path)),) if path.is_file() else (ABSENT,))
        write(root, {**kept, name: tuple(dict.fromkeys((*before, now)))})
    write_atomically(path, data)
    if kept.get(name) != (now,):
        write(root, {**kept, name: (now,)})


def checked(folder: Path, name: str) -> bytes:
    """A file that is what was written. Raises StoreError for any other."""
    data, known = read(folder / name), listed(folder)
    if known is not None and name in known and digest(data) not in known[name]:
        raise StoreError(not_as_written(folder / name))
    return data


def not_as_written(path: Path) -> str:
    """What is said of a torn or foreign file."""
    return _(
        "{path}: is not what commongarden wrote (its SHA-256 is not the one in {list}); `commongarden verify` says "
        "what else, and the command that made the study sets it aside"
    ).format(path=path, list=FILE)
