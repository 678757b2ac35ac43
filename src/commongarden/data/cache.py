"""Decoded photos on disk, made once and mapped into memory by every process that trains on them.

    KEY.npy    (n, height, width, 3) uint8, in the manifest's order; its time of change is the time of its last use
    KEY.json   where the photos came from, for whoever looks at the cache, and the SHA-256 of KEY.npy
    KEY.lock   held by the process that builds; an empty file, which stays: another process may wait for it

and beside them KEY.memo, small results of another kind (result_cache.py), which are cleared with them. A second folder
($COMMONGARDEN_SHARED_CACHE), such as that of a class, is only read.

KEY is a hash of the photos' contents, the size, and the range of grey values where there is one, so a file never goes
stale: other photos have another key. It is written under a temporary name and renamed when it is whole; one that is not
what was written is set aside and built anew.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path

import filelock
import numpy as np
from PIL import Image

from commongarden.data import image, packs, remote, result_cache
from commongarden.data.cache_folder import default_folder as default_folder
from commongarden.data.framing import framed
from commongarden.data.stored import file_of
from commongarden.errors import DataError
from commongarden.i18n.language import N_, _, translate
from commongarden.io import disk
from commongarden.records import Manifest, Photo, Range
from commongarden.study.framing import SQUASHED, Framing

FORMAT = 1  # rises whenever the same photo would give other pixels


@dataclass(frozen=True)
class Entry:
    """One set of images. root: where its photos were ("" where that is not known); last_used: ISO 8601, UTC."""

    key: str
    root: str
    n_photos: int
    height: int
    width: int
    bytes: int
    last_used: str


def images(
    manifest: Manifest,
    height: int,
    width: int,
    folder: Path,
    on_progress: image.OnProgress | None = None,
    *,
    framing: Framing = SQUASHED,
    check: bool = False,
) -> np.ndarray:
    """All photos in the manifest's order: (n, height, width, 3) uint8, read-only, mapped from a file in `folder`.

    Builds the file where it is missing or torn; another process that wants the same one waits for it. framing: how
    photos of another shape are resized. check: reads all
    of a file that is there and holds it against its checksum, once for a study.
    on_progress(done, total) is called after each photo that is decoded. Raises DataError where a photo has changed or
    gone since the manifest was made, and where the disk is full or not to be written.
    """
    key = _key(manifest, height, width, framing)
    path, shape = folder / f"{key}.npy", (len(manifest.photos), height, width, 3)
    for place in result_cache.places(folder):
        found = _open(place / path.name, shape, check)
        if found is not None:
            return found
    try:
        disk.make_folder(folder)
        with _locked(folder / f"{key}.lock"):
            found = _open(path, shape, check)  # another process may have built it meanwhile
            if found is None:
                if path.exists():
                    disk.quarantine(path)
                _build(manifest, path, shape, framing, on_progress)
                found = _open(path, shape)
    except OSError as error:
        raise DataError(_cannot_write(folder, shape, error)) from error
    if found is None:
        message = _(
            "{path}: the decoded images changed right after they were written; the disk may be faulty, "
            "or another program changed them"
        )
        raise DataError(message.format(path=path))
    return found


def room(
    manifest: Manifest, height: int, width: int, folder: Path, budget: int | None = None, framing: Framing = SQUASHED
) -> int | None:
    """None where the images are in the cache or fit there; else the bytes that they may take, which are too few.

    budget: bytes that all images in the folder may take together.
    """
    shape = (len(manifest.photos), height, width, 3)
    for place in result_cache.places(folder):
        with contextlib.suppress(OSError, ValueError):
            if _shape(place / f"{_key(manifest, height, width, framing)}.npy") == shape:
                return None
    there = next((above for above in (folder, *folder.parents) if above.is_dir()), Path())
    may_take = shutil.disk_usage(there).free
    if budget is not None:
        may_take = min(may_take, max(budget - sum(entry.bytes for entry in entries(folder)), 0))
    return None if needed(shape) <= may_take else may_take


def needed(shape: tuple[int, ...]) -> int:
    """Bytes of decoded images of this shape."""
    return int(np.prod(shape, dtype=np.int64))


def pixels(
    root: str, photo: Photo, height: int, width: int, range: Range | None, framing: Framing = SQUASHED
) -> np.ndarray:
    """As image.pixels, but of this photo and no other: its contents are in the cache's key."""
    if root.startswith(image.BUILTIN):
        return image.pixels(root, photo.path, height, width, framing=framing)
    return framed(picture(root, photo, range), height, width, framing)


def picture(root: str, photo: Photo, range: Range | None) -> Image.Image:
    """As image.read, but of this photo and no other. Raises DataError."""
    path = file_of(root, photo.path, photo.stored)
    try:
        data = image.read_bytes(path)
        if hashlib.sha256(data).hexdigest() != photo.sha256:
            raise DataError(N_("has changed since it was first read; start again"))
        return image.decode(data, range=range)
    except DataError as error:
        raise DataError(f"{path}: {translate(error.reason)}") from None


def entries(folder: Path) -> list[Entry]:
    """What the cache holds, last used first."""
    found = []
    for path in filter(_ours, folder.glob("*.npy")):
        with contextlib.suppress(OSError, ValueError):  # torn, or cleared meanwhile by another process
            status, (n, height, width, _) = path.stat(), _shape(path)
            used = datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="seconds")
            root = str(_about(path).get("root", ""))
            found.append(Entry(path.stem, root, n, height, width, status.st_size, used))
    return sorted(found, key=lambda entry: (entry.last_used, entry.key), reverse=True)


def clear(folder: Path, keys: Iterable[str] | None = None) -> int:
    """Deletes sets of images and memos, and returns the bytes freed. Without keys all, with copies of shards and
    downloads.

    A process that reads one keeps its view of it (on Linux and macOS; elsewhere the file stays); one that is being
    built is left alone.
    """
    names = {path.name.lstrip(".").partition(".")[0] for path in folder.glob("*") if _ours(path)}
    freed = packs.clear(folder) + remote.clear(folder) if keys is None else 0
    for key in sorted(names if keys is None else names & set(keys)):
        lock = filelock.FileLock(folder / f"{key}.lock")
        with contextlib.suppress(filelock.Timeout, OSError), lock.acquire(timeout=0):
            whole = [folder / f"{key}{suffix}" for suffix in (".npy", ".json", result_cache.SUFFIX)]
            for path in [*whole, *_torn(folder, key), *folder.glob(f"{key}.*.set-aside-*")]:
                with contextlib.suppress(OSError):
                    size = path.stat().st_size
                    path.unlink()
                    freed += size
    return freed


def _key(manifest: Manifest, height: int, width: int, framing: Framing) -> str:
    digest = hashlib.sha256(f"commongarden images {FORMAT} {height} {width}\n".encode())
    if framing != SQUASHED:
        digest.update(f"{framing.resize} {framing.interpolation} {framing.crop_share:.17g}\n".encode())
    if manifest.range is not None:
        digest.update("range {:.17g} {:.17g}\n".format(*manifest.range).encode())
    for photo in manifest.photos:
        digest.update(photo.sha256.encode() + b"\n")
    return digest.hexdigest()


def _locked(path: Path) -> filelock.BaseFileLock:
    """The system's lock, or where the file system has none a file that stands for it."""
    lock = filelock.FileLock(path)
    try:
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        if isinstance(error, PermissionError) and error.errno != errno.EPERM:
            raise  # the folder cannot be written to
        return filelock.SoftFileLock(path.with_suffix(".soft.lock"))
    lock.release()
    return lock


def _open(path: Path, shape: tuple[int, ...], check: bool = False) -> np.ndarray | None:
    """The images in a file, if it is whole and what it should be."""
    try:
        if _shape(path) != shape or (check and not _is_as_written(path)):
            return None
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None
    with contextlib.suppress(OSError):  # a cache that others own may be read-only
        os.utime(path)
    return array


def _shape(path: Path) -> tuple[int, ...]:
    """The shape in a file's header. Raises ValueError where the file is not a whole array of images."""
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        expected = file.tell() + needed(shape)
    if fortran or dtype != np.uint8 or len(shape) != 4 or path.stat().st_size != expected:
        raise ValueError(f"{path}: not a whole array of images")
    return shape


def _is_as_written(path: Path) -> bool:
    """Whether the file has the checksum that stands beside it; where none does, an earlier version wrote it."""
    wanted = _about(path).get("sha256")
    with path.open("rb") as file:
        return wanted is None or hashlib.file_digest(file, "sha256").hexdigest() == wanted


def _build(
    manifest: Manifest,
    path: Path,
    shape: tuple[int, ...],
    framing: Framing,
    on_progress: image.OnProgress | None,
) -> None:
    folder, key = path.parent, path.stem
    for torn in _torn(folder, key):  # left by a process that was killed; the lock says that no other one is alive
        torn.unlink(missing_ok=True)
    if shutil.disk_usage(folder).free < needed(shape):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    is_elsewhere = manifest.root.startswith(image.BUILTIN) or remote.is_remote(manifest.root)
    root = manifest.root if is_elsewhere else str(Path(manifest.root).resolve())
    about = {"root": root, "n": shape[0], "size": list(shape[1:3]), "created": datetime.now(UTC).isoformat()}
    decode = partial(pixels, manifest.root, height=shape[1], width=shape[2], range=manifest.range, framing=framing)
    digest = hashlib.sha256()
    with disk.replacing(path) as file:
        # written, not mapped: on a full disk a write fails, whereas a map kills the process
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        decoded = image.in_threads(decode, manifest.photos, on_progress)
        for data in chain([header.getvalue()], map(np.ndarray.tobytes, decoded)):
            digest.update(data)
            disk.write(file, data)
        # the checksum gets its name first: a kill in between leaves one without images, which are then built
        with disk.replacing(folder / f"{key}.json") as beside:
            disk.write(beside, json.dumps({**about, "sha256": digest.hexdigest()}, ensure_ascii=False).encode())


def _torn(folder: Path, key: str) -> list[Path]:
    return list(folder.glob(f".{key}.*.tmp"))


def _ours(path: Path) -> bool:
    """Whether a file is one that this module writes; a cache folder may hold others."""
    key = path.name.lstrip(".").partition(".")[0]
    return (
        len(key) == 64
        and set(key) <= set("0123456789abcdef")
        and (path.suffix in (".npy", ".json", result_cache.SUFFIX, ".lock", ".tmp") or ".set-aside-" in path.name)
    )


def _about(path: Path) -> dict[str, object]:
    try:
        about = json.loads(path.with_suffix(".json").read_bytes())
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def _cannot_write(folder: Path, shape: tuple[int, ...], error: OSError) -> str:
    other = _("choose another folder with --cache-dir or COMMONGARDEN_CACHE")
    if error.errno == errno.ENOSPC:
        return _(
            "{folder}: the disk is full; the image cache needs {needed:,} bytes ({n:,} photos at "
            "{width}x{height}). Free some space (commongarden cache --clear), or {other}."
        ).format(folder=folder, needed=needed(shape), n=shape[0], width=shape[2], height=shape[1], other=other)
    text = _("{folder}: the image cache cannot be written: {reason}; {other}")
    return text.format(folder=folder, reason=error.strerror or error, other=other)
