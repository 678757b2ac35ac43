"""One file, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commongarden.errors import StoreError
from commongarden.i18n.language import _
from commongarden.io import disk


def write_atomically(path: Path, data: bytes) -> None:
    """Writes the whole file or leaves what was there; it is on the disk when this returns. Raises StoreError where the
    disk will not take it."""
    try:
        with disk.replacing(path) as file:
            disk.write(file, data)
    except OSError as error:
        text = _("{path}: cannot be written: {reason} ({n:,} bytes)")
        raise StoreError(text.format(path=path, reason=error.strerror, n=len(data))) from error


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Tells what the disk refuses to do to a file or folder as StoreError."""
    try:
        yield
    except OSError as error:
        text = _("{path}: cannot be changed: {reason}")
        raise StoreError(text.format(path=path, reason=error.strerror or error)) from error


def make_folder(path: Path) -> None:
    """Makes a folder, durably. Raises StoreError."""
    try:
        disk.make_folder(path)
    except OSError as error:
        raise StoreError(_("{path}: cannot be created: {reason}").format(path=path, reason=error.strerror)) from error


def sweep(directory: Path) -> None:
    """Removes what a killed process was writing. Raises StoreError."""
    with changing(directory):
        for path in directory.glob(".*.tmp"):
            disk.remove(path)
