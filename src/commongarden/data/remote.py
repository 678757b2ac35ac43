"""Photos at an address (s3://, gs://, hf://, http), through fsspec: listed there, kept here as far as there is room.

A file is downloaded when it is first read, below "remote" in the cache folder, under a hash of its address:

    AB/KEY         the file, whole or not at all; its time of access is the time of its last use
    ROOT.json      what the address listed when it was last asked: size and version of each file, by path

All of them together take no more than $COMMONGARDEN_DOWNLOAD_BUDGET; those used longest ago are deleted first and
downloaded again when they are read.
"""

from __future__ import annotations

import errno
import hashlib
import os
import posixpath
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec

from commongarden.data.cache_folder import default_folder
from commongarden.errors import RemoteError
from commongarden.i18n.language import N_, _
from commongarden.io import disk
from commongarden.io.sizes import size_in_bytes

FOLDER = "remote"
BUDGET, DEFAULT_BUDGET = "COMMONGARDEN_DOWNLOAD_BUDGET", "50GB"
ATTEMPTS, FIRST_PAUSE = 4, 0.25  # seconds, doubled each time
KEPT_SHARE = 0.9  # of the budget, once it was exceeded
OWN = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)  # errors of this machine's disk
ADDRESS = re.compile(r"(?i)(s3|s3a|gs|gcs|hf|http|https)://.+")
# "encoded": names are written as they are, not as in links; "on_error": a part that cannot be listed is an error
OPTIONS = {"http": {"encoded": False}, "https": {"encoded": False}}
STRICT = {"http": {"on_error": "raise"}, "https": {"on_error": "raise"}}
Result = TypeVar("Result")


def is_remote(source: str) -> bool:
    """Whether a source is an address."""
    return ADDRESS.fullmatch(source) is not None


@dataclass(frozen=True)
class RemoteFile:
    """A file at an address. root: the address of the data; path: from there."""

    root: str
    path: str

    def __str__(self) -> str:
        return f"{self.root}/{self.path}"

    def opened(self) -> BufferedReader:
        """The file, open for its bytes. Raises OSError, RemoteError."""
        while True:
            kept = self.local()
            with suppress(FileNotFoundError):  # deleted for want of room since it was looked for
                return kept.open("rb")

    def local(self) -> Path:
        """The file as it is kept here, downloaded where it is not. Raises OSError where it does not exist, RemoteError
        where it cannot be reached."""
        return _local(self.root, self.path)


@dataclass(frozen=True)
class Entry:
    """A file as an address lists it. size: None where that is not known. version: what changes with its contents."""

    size: int | None
    version: str = ""


def listing(root: str) -> dict[str, Entry]:
    """The files at an address by path. What is kept of files that have changed is deleted. Raises RemoteError."""
    system, place = _filesystem(root, os.getpid())
    try:
        found: Mapping[str, Mapping[str, Any]] = _tried(
            root, lambda: system.find(place, detail=True, **STRICT.get(_protocol(root), {}))
        )
    except OSError as error:
        raise RemoteError(f"{root}: {error.strerror or error}") from None
    start = f"{system._strip_protocol(place).rstrip('/')}/"
    unquoted = unquote if _protocol(root) in OPTIONS else str
    entries = {
        unquoted(name.removeprefix(start)): Entry(about.get("size"), _version(about))
        for name, about in found.items()
        if name.startswith(start) and about.get("type", "file") == "file"
    }
    if not entries:
        raise RemoteError(_("{address}: found no files").format(address=root))
    _keep_index(root, entries)
    return entries


def one(root: str, path: str) -> RemoteFile:
    """A single file at an address; what is kept of it is deleted where it has changed. Raises RemoteError."""
    system, place = _filesystem(root, os.getpid())
    address = f"{root}/{path}"
    try:
        about: Mapping[str, Any] = _tried(address, lambda: system.info(posixpath.join(place, path)))
    except OSError as error:
        raise RemoteError(f"{address}: {error.strerror or error}") from None
    _keep_index(root, _read_index(_index_of(root)) | {path: Entry(about.get("size"), _version(about))})
    return RemoteFile(root, path)


def _keep_index(root: str, entries: Mapping[str, Entry]) -> None:
    """Keeps what an address lists, and deletes what is kept of files that have changed since."""
    index = _index_of(root)
    before = _read_index(index)
    for path, entry in entries.items():
        if path in before and before[path] != entry:
            disk.remove(_kept(root, path))
    disk.make_folder(index.parent)
    with disk.replacing(index) as file:
        disk.write(file, msgspec.json.encode(entries))
    _index.cache_clear()


def clear(folder: Path) -> int:
    """Deletes all that was downloaded below a cache folder, and returns the bytes freed."""
    return sum(_deleted(path) for path in (folder / FOLDER).rglob("*") if path.is_file())


def _local(root: str, path: str) -> Path:
    kept = _kept(root, path)
    try:
        status = kept.stat()
        os.utime(kept, ns=(time.time_ns(), status.st_mtime_ns))
        return kept
    except OSError:
        pass
    system, place = _filesystem(root, os.getpid())
    address = posixpath.join(place, path)
    temporary = kept.with_name(f".{kept.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    size = _index(_index_of(root)).get(path, Entry(None)).size

    def fetch() -> None:
        system.get_file(address, str(temporary))
        found = temporary.stat().st_size
        if size is not None and found != size:
            raise ConnectionError(f"{found:,} of {size:,} bytes")

    disk.make_folder(kept.parent)
    try:
        _tried(f"{root}/{path}", fetch)
        disk.rename(temporary, kept)
    finally:
        disk.remove(temporary)
    _room.added(kept)
    return kept


def _tried(address: str, do: Callable[[], Result]) -> Result:
    """What it returns; tried again where the connection or the server fails. Raises OSError for what does not exist and
    for this machine's disk, RemoteError."""
    for attempt in range(ATTEMPTS):
        try:
            return do()
        except FileNotFoundError:
            raise OSError(errno.ENOENT, N_("no such file at the address")) from None
        except PermissionError as error:
            raise RemoteError(_("{address}: access denied: {reason}").format(address=address, reason=error)) from None
        except ImportError as error:
            raise RemoteError(_missing(address, error)) from None
        except Exception as error:
            if isinstance(error, OSError) and error.errno in OWN:
                raise
            reason, last = str(error) or type(error).__name__, attempt == ATTEMPTS - 1
        if not last:
            time.sleep(FIRST_PAUSE * 2**attempt)
    text = _("{address}: cannot be read after {n} attempts: {reason}. Repeat the command to resume.")
    raise RemoteError(text.format(address=address, n=ATTEMPTS, reason=reason))


@lru_cache(maxsize=64)
def _filesystem(root: str, _process: int) -> tuple[Any, str]:
    """fsspec's file system of an address, one for each process, and the place in it."""
    try:
        import fsspec

        system = fsspec.filesystem(
            _protocol(root), skip_instance_cache=True, use_listings_cache=False, **OPTIONS.get(_protocol(root), {})
        )
    except (ImportError, ValueError) as error:
        raise RemoteError(_missing(root, error)) from None
    return system, system._strip_protocol(root).rstrip("/")


def _missing(address: str, error: Exception) -> str:
    text = _("{address}: a package is missing: {reason}; accepted: pip install 'commongarden[remote]'")
    return text.format(address=address, reason=error)


def _version(about: Mapping[str, Any]) -> str:
    keys = ("ETag", "etag", "md5Hash", "blob_id", "xet_hash", "LastModified", "updated")
    return next((str(about[key]) for key in keys if about.get(key)), "")


def _folder() -> Path:
    return default_folder() / FOLDER


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _index_of(root: str) -> Path:
    return _folder() / f"{_key(root)}.json"


def _protocol(root: str) -> str:
    return root.partition("://")[0].lower()


def _kept(root: str, path: str) -> Path:
    key = _key(f"{root}\0{path}")
    return _folder() / key[:2] / key


@lru_cache(maxsize=8)
def _index(path: Path) -> dict[str, Entry]:
    return _read_index(path)


def _read_index(path: Path) -> dict[str, Entry]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Entry])
    except (OSError, msgspec.DecodeError):
        return {}


def _deleted(path: Path) -> int:
    size = 0
    with suppress(OSError):
        size = path.stat().st_size
        path.unlink()
    return size


class _Room:
    """The bytes that downloads take, as far as this process knows; counted anew before any is deleted."""

    def __init__(self) -> None:
        self.lock, self.used, self.folder = threading.Lock(), -1, Path()

    def added(self, kept: Path) -> None:
        """Deletes the files used longest ago where the downloads exceed their budget; never the one just added."""
        budget = size_in_bytes(os.environ.get(BUDGET) or DEFAULT_BUDGET)
        if budget is None:
            text = _("{name}: found {text!r}, accepted: a number with a unit, such as 500MB or 20GB")
            raise RemoteError(text.format(name=BUDGET, text=os.environ[BUDGET]))
        with self.lock:
            if self.folder != _folder():
                self.folder, self.used = _folder(), -1
            if self.used >= 0:
                self.used += kept.stat().st_size
                if self.used <= budget:
                    return
            files = []
            for path in self.folder.glob("??/[!.]*"):  # none that is being written
                with suppress(OSError):
                    files.append((path.stat().st_atime_ns, path.stat().st_size, path))
            self.used = sum(size for _time, size, _path in files)
            most = budget if self.used <= budget else KEPT_SHARE * budget
            for _time, _size, path in sorted(files):
                if self.used <= most:
                    break
                if path != kept:
                    self.used -= _deleted(path)


_room = _Room()
