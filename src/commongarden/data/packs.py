"""The photos of a Parquet file, copied once so that each can be read alone.

A Parquet file is compressed in pages: one photo costs the decoding of a group of rows. Its bytes are therefore copied
once to the cache folder, below "shards", under a hash of the file's place, size and time of change:

    KEY.pack   the photos' bytes, one after the other
    KEY.npy    (rows + 1,) int64, where each begins; written last
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from commongarden.data.cache_folder import default_folder
from commongarden.errors import DataError
from commongarden.i18n.language import N_, _
from commongarden.io import disk

FOLDER = "shards"
ROWS_AT_ONCE = 64
MISSING = N_("Parquet needs the package pyarrow; accepted: pip install 'commongarden[shards]'")


def located(file: Path, row: int) -> tuple[Path, int, int]:
    """(the file of copied photos, where the row's photo begins in it, its length). Raises OSError, DataError."""
    status = file.stat()
    pack, starts = _pack(file.resolve(), status.st_size, status.st_mtime_ns)
    if not 0 <= row < len(starts) - 1:
        raise OSError(errno.EIO, N_("the file has fewer rows than before"))
    return pack, int(starts[row]), int(starts[row + 1] - starts[row])


def clear(folder: Path) -> int:
    """Deletes all copies below a cache folder, and returns the bytes freed."""
    freed = 0
    for path in [
        *(folder / FOLDER).glob("*.npy"),
        *(folder / FOLDER).glob("*.pack"),
        *(folder / FOLDER).glob(".*.tmp"),
    ]:
        size = path.stat().st_size
        disk.remove(path)
        freed += size
    _pack.cache_clear()
    return freed


def parquet(file: Path) -> Any:
    """The open Parquet file. Raises DataError for what is none, and where pyarrow is missing."""
    if importlib.util.find_spec("pyarrow") is None:
        raise DataError(f"{file}: {_(MISSING)}")
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(file)
    except (pyarrow.ArrowException, OSError) as error:
        text = _("{file}: not a readable Parquet file: {reason}")
        raise DataError(text.format(file=file, reason=_first_line(error))) from None


def image_column(schema: Any) -> str:
    """The column of photos of an Arrow schema, as a dotted path to its bytes; "" for none or several."""
    import pyarrow

    def is_bytes(kind: Any) -> bool:
        return bool(pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind))

    structs = [
        f"{field.name}.bytes"
        for field in schema
        if pyarrow.types.is_struct(field.type)
        and field.type.get_field_index("bytes") >= 0
        and is_bytes(field.type.field("bytes").type)
    ]
    found = structs or [field.name for field in schema if is_bytes(field.type)]
    return found[0] if len(found) == 1 else ""


@lru_cache(maxsize=256)
def _pack(file: Path, size: int, changed: int) -> tuple[Path, np.ndarray]:
    folder = default_folder() / FOLDER
    key = hashlib.sha256(f"{file}\0{size}\0{changed}".encode("utf-8", "surrogateescape")).hexdigest()
    pack, index = folder / f"{key}.pack", folder / f"{key}.npy"
    if not _is_whole(pack, index):
        disk.make_folder(folder)
        with filelock.FileLock(folder / f"{key}.lock"):
            if not _is_whole(pack, index):
                _write(file, pack, index)
    return pack, np.load(index, mmap_mode="r", allow_pickle=False)


def _is_whole(pack: Path, index: Path) -> bool:
    try:
        return pack.stat().st_size == int(np.load(index, mmap_mode="r", allow_pickle=False)[-1])
    except (OSError, ValueError, IndexError):
        return False


def _write(file: Path, pack: Path, index: Path) -> None:
    import pyarrow

    opened, starts = parquet(file), [0]
    column = image_column(opened.schema_arrow)
    try:
        with disk.replacing(pack) as written:
            for batch in opened.iter_batches(batch_size=ROWS_AT_ONCE, columns=[column]):
                values = batch.column(0)
                values = values.field("bytes") if pyarrow.types.is_struct(values.type) else values
                for value in values:
                    data = value.as_py() or b""
                    disk.write(written, data)
                    starts.append(starts[-1] + len(data))
    except pyarrow.ArrowException as error:
        raise OSError(errno.EIO, _first_line(error)) from None
    finally:
        opened.close()
    with disk.replacing(index) as written:
        np.save(written, np.array(starts, dtype=np.int64))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(os.linesep)
