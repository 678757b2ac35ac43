"""Files of arrays (.npz), written, and read without trusting what they say of themselves: no pickle, no more memory
than they fill.

A header that promises more than its entry holds would make NumPy reserve it before it finds out, and a small archive
may unpack to any size; both are refused beforehand.
"""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path

import numpy as np

from commongarden.errors import StoreError
from commongarden.i18n.language import _
from commongarden.io.limits import Limit


def packed(**arrays: np.ndarray) -> bytes:
    """Arrays by name as the bytes of such a file, nothing pickled."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read(path: Path, data: bytes, limit: Limit) -> dict[str, np.ndarray]:
    """The arrays in the bytes of an .npz file, by name. Raises StoreError where they are more than the limit allows,
    and what `reader.BROKEN` lists where they are none."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        size = sum(entry.file_size for entry in entries)
        if size > limit.unpacked or len(entries) > limit.members:
            text = _("{where}: found {n:,} arrays of {size:,} bytes; accepted: up to {most:,} bytes")
            raise StoreError(text.format(where=path, n=len(entries), size=size, most=limit.unpacked))
        return {entry.filename.removesuffix(".npy"): _array(archive, entry) for entry in entries}


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
        count = math.prod(shape)
        wanted = count * dtype.itemsize
        if wanted > entry.file_size:
            raise ValueError(f"{entry.filename} promises {wanted:,} bytes and has fewer than {entry.file_size:,}")
        body = bytearray(stream.read(wanted))  # of its own, so that the array can be written to
    if len(body) != wanted:
        raise ValueError(f"{entry.filename} promises {wanted:,} bytes and has {len(body):,}")
    array = np.frombuffer(body, dtype=dtype, count=count) if wanted else np.zeros(count, dtype)
    return array.reshape(shape[::-1]).transpose() if fortran else array.reshape(shape)
