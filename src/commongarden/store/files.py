"""One file, written whole or not at all."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np

from commongarden.errors import StoreError
from commongarden.language import _


def write_atomically(path: Path, data: bytes) -> None:
    """Writes the whole file or leaves what was there. Raises StoreError where the disk will not take it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(
            _("{path}: cannot be written: {reason} ({n:,} bytes)").format(path=path, reason=error.strerror, n=len(data))
        ) from error
    flush_directory(path.parent)


def flush_directory(path: Path) -> None:
    """Makes the renames in a directory durable."""
    if os.name == "posix":  # a rename is durable once its directory is; Windows has no such call
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def npz(**arrays: np.ndarray) -> bytes:
    """Arrays by name, packed, nothing pickled."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def sweep(directory: Path) -> None:
    """Removes what a killed process was writing."""
    for path in directory.glob(".*.tmp"):
        path.unlink()


def read(path: Path) -> bytes:
    """The whole file. Raises StoreError with its path."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(_("{path}: cannot be read: {reason}").format(path=path, reason=error.strerror)) from None
