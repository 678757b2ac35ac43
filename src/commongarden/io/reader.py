"""The one way in which a stored file is read: its size, its checksum, its form, its schema, in this order.

    contents(path, limit)   the bytes of a regular file that is not larger than its kind may be
    read(path, kind)        the record in it

Memory is reserved only for what a file may hold (limits.py). Whatever is wrong with a file is a StoreError that names
it: BROKEN lists what the readers of JSON, CSV, TOML and arrays raise on bytes that commongarden did not write.
"""

from __future__ import annotations

import csv
import hashlib
import os
import stat
import textwrap
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from commongarden.errors import CommonGardenError, StoreError
from commongarden.i18n.language import N_, _
from commongarden.io.limits import LIMITS, Limit

T = TypeVar("T")
S = TypeVar("S")
CHECKSUMS = "checksums.sha256"
CANNOT_BE_READ = N_("{path}: cannot be read: {reason}")
Digests = dict[str, tuple[str, ...]]
BROKEN = (
    msgspec.DecodeError, UnicodeDecodeError, csv.Error, zipfile.BadZipFile, zlib.error, NotImplementedError,
    RuntimeError, OSError, EOFError, ValueError, TypeError, KeyError, IndexError, SyntaxError, OverflowError,
    MemoryError, tokenize.TokenError, RecursionError, CommonGardenError,
)  # fmt: skip


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A kind of stored file.

    name: its row in the table of limits. what: what it is, after "not". parse: path, bytes and limit to the record; it
    may raise what BROKEN lists. accepted: what is read instead. said: the sentence for a broken file, with {path},
    {what}, {reason} and {accepted}. schema: the one that is read, None where the record has none; other_schema: the
    sentence for another one. absent: the sentence for a file that the system does not open.
    """

    name: str
    what: str
    parse: Callable[[Path, bytes, Limit], T]
    accepted: str = N_("the file as written by commongarden")
    said: str = N_("{path}: not {what}: {reason}; accepted: {accepted}")
    schema: int | None = None
    other_schema: str = N_("{path}: found schema {found}, accepted: {accepted}")
    absent: str = CANNOT_BE_READ


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read(path: Path, kind: Kind[T], *, within: Limit | None = None, root: Path | None = None) -> T:
    """The record in a stored file.

    within: a narrower limit than the kind's own, where the study allows for one. root: the folder whose list of
    checksums has the file, None where none does. Raises StoreError, naming the file.
    """
    limit = LIMITS[kind.name].within(within)
    data = contents(path, limit, kind.absent) if root is None else checked(root, path, limit)
    return parsed(path, data, kind, limit)


def parsed(path: Path, data: bytes, kind: Kind[T], limit: Limit | None = None) -> T:
    """The record in the bytes of a file. Raises StoreError, naming the file."""
    try:
        found = kind.parse(path, data, limit or LIMITS[kind.name])
    except BROKEN as error:
        if isinstance(error, CommonGardenError) and str(path) in str(error):
            raise  # it says all that there is to say
        raise StoreError(_broken(path, kind, error)) from None
    if kind.schema is not None and (schema := getattr(found, "schema", None)) != kind.schema:
        schemas = {"found": schema, "schema": schema, "accepted": kind.schema, "readable": kind.schema}
        raise StoreError(_(kind.other_schema).format(path=path, **schemas))
    return found


def contents(path: Path, limit: Limit, absent: str = CANNOT_BE_READ) -> bytes:
    """The whole file. Raises StoreError for one that is larger than its kind may be, or cannot be read."""
    try:
        with open(path, "rb", opener=_opened) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise StoreError(_("{path}: not a file; accepted: a regular file").format(path=path))
            data = file.read(limit.n_bytes + 1) if status.st_size <= limit.n_bytes else b""
    except OSError as error:
        raise StoreError(_(absent).format(path=path, reason=error.strerror or error)) from None
    if max(status.st_size, len(data)) > limit.n_bytes:
        text = _("{path}: found {size:,} bytes; accepted: up to {most:,} bytes")
        raise StoreError(text.format(path=path, size=max(status.st_size, len(data)), most=limit.n_bytes))
    return data


def checked(root: Path, path: Path, limit: Limit) -> bytes:
    """The bytes of a file that is what was written. root: the folder whose list has its checksum. Raises StoreError for
    any other."""
    data, known = contents(path, limit), listed(root)
    name = path.relative_to(root).as_posix()
    if known is not None and name in known and digest(data) not in known[name]:
        raise StoreError(not_as_written(path))
    return data


def listed(folder: Path) -> Digests | None:
    """What the files of a folder may be, by name; None where it has no list. Raises StoreError for a torn list."""
    path = folder / CHECKSUMS
    if not path.is_file():
        return None
    data = contents(path, LIMITS[CHECKSUMS]).decode(errors="replace")
    lines = data.split("\n")[:-2]
    text = "".join(f"{line}\n" for line in lines)
    if data != f"{text}# {digest(text.encode())}\n":
        message = _(
            "{path}: corrupt; accepted: the list as written by commongarden, or no list (files are then read unchecked)"
        )
        raise StoreError(message.format(path=path))
    found: Digests = {}
    for line in lines:
        value, _two_spaces, name = line.partition("  ")
        found[name] = (*found.get(name, ()), value)
    return found


def not_as_written(path: Path) -> str:
    """What is said of a torn or foreign file."""
    return _(
        "{path}: corrupt: its SHA-256 differs from {list}; `commongarden verify` lists all corrupt "
        "files, and repeating the command of the study moves them aside"
    ).format(path=path, list=CHECKSUMS)


def json_of(kind: type[S]) -> Callable[[Path, bytes, Limit], S]:
    """A parser of JSON that holds such a record."""

    def parse(_path: Path, data: bytes, _limit: Limit) -> S:
        return msgspec.json.decode(data, type=kind)

    return parse


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe without a writer does not hold the program up


def _broken(path: Path, kind: Kind[T], error: BaseException) -> str:
    reason = textwrap.shorten(str(error).partition("\n")[0], 300) or type(error).__name__
    return _(kind.said).format(path=path, what=_(kind.what), reason=reason, accepted=_(kind.accepted))
