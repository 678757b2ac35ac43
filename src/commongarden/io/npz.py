"""Files of arrays (.npz), read without trusting what they say of themselves: no pickle, no more memory than they fill.

A header that promises more than its entry holds would make NumPy reserve it before it finds out, and a small archive
may unpack to any size; both are refused beforehand.
"""

from __future__ import annotations

import io
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from commongarden.errors import StoreError
from commongarden.i18n.language import _

MOST_BYTES = 400 * 2**20  # of all arrays of a file
MOST_ENTRIES = 100_000


def read(data: bytes, *, where: Path | str) -> dict[str, np.ndarray]:
    """The arrays in the bytes of an .npz file, by name. Raises StoreError naming the file and what is wrong with it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            size = sum(entry.file_size for entry in entries)
            if size > MOST_BYTES or len(entries) > MOST_ENTRIES:
                raise StoreError(
                    _("{where}: found {n:,} arrays of {size:,} bytes; accepted: up to {most:,} bytes").format(
                        where=where, n=len(entries), size=size, most=MOST_BYTES
                    )
                )
            return {entry.filename.removesuffix(".npy"): _array(archive, entry) for entry in entries}
    except StoreError:
        raise
    except _BROKEN as error:
        raise StoreError(
            _("{where}: not a file of arrays: {reason}; accepted: the .npz that commongarden wrote").format(
                where=where, reason=str(error).partition("\n")[0][:200] or type(error).__name__
            )
        ) from None


# what zipfile, its decompressors and NumPy's header reader raise on bytes that nobody wrote so
_BROKEN = (
    zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError, ValueError,
    TypeError, KeyError, IndexError, SyntaxError, OverflowError, MemoryError, tokenize.TokenError,
)  # fmt: skip


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{entry.filename} is packed by method {entry.compress_type}")
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in readers:
            raise ValueError(f"version {version} of its arrays")
        shape, fortran, dtype = readers[version](stream)
        if dtype.hasobject or (dtype.itemsize == 0 and dtype.kind not in "US"):
            raise ValueError(f"{entry.filename} holds {dtype}")
        count = 1
        for length in shape:
            count *= length
        wanted = count * dtype.itemsize
        if wanted > entry.file_size:
            raise ValueError(f"{entry.filename} promises {wanted:,} bytes and has fewer than {entry.file_size:,}")
        body = bytearray(stream.read(wanted))  # of its own, so that the array can be written to
    if len(body) != wanted:
        raise ValueError(f"{entry.filename} promises {wanted:,} bytes and has {len(body):,}")
    array = np.frombuffer(body, dtype=dtype, count=count) if wanted else np.zeros(count, dtype)
    return array.reshape(shape[::-1]).transpose() if fortran else array.reshape(shape)
