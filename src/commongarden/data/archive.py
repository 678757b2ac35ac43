"""Photos out of an archive (zip or tar) into class folders. Nothing of the archive decides where a file is written.

No name is used as a path: the class is one of those that are expected, and the file's own name must be a plain one.
Links, devices, names that climb out of the folder and names that act on a terminal are refused, and so is more than a
bounded number and size, whatever the headers say.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

from commongarden.data.tree import EXTENSIONS, IGNORED
from commongarden.errors import DataError
from commongarden.i18n.language import _
from commongarden.io.terminal import NOT_IN_NAMES

MOST_FILES = 200_000
MOST_BYTES = 4 * 2**30  # of all photos, unpacked
MOST_BYTES_EACH = 100 * 2**20
MOST_AT_ONCE = 2**16  # bytes of one read; long names and attributes of a tar are read whole into memory


@dataclass(frozen=True)
class Unpacked:
    """How many photos of each class, how many stood twice in the archive, and how many files were no photos."""

    photos: dict[str, int]
    repeated: int
    passed_over: int


def unpack(archive: Path, folder: Path, classes: Mapping[str, str]) -> Unpacked:
    """The photos of `archive` in `folder`/CLASS, which appears when it is whole.

    classes: what the archive calls a folder of photos -> the class it is. Folders above these may have any name; a
    photo found again under the same class and name is taken once, and must be the same.

    Raises DataError for what is no archive, holds other folders of photos, lacks a class, or tries to get out.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = _("{folder}: already exists; accepted: --out with a new folder")
        raise DataError(message.format(folder=folder))
    made = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        made.mkdir(parents=True)
        found = _taken(archive, made, classes)
        if folder.is_dir():
            folder.rmdir()
        made.rename(folder)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError,
            OverflowError, MemoryError) as error:  # fmt: skip
        message = _("{archive}: corrupt, or not an archive: {reason}; accepted: .tgz, .tar or .zip")
        raise DataError(message.format(archive=archive, reason=str(error) or type(error).__name__)) from None
    except OSError as error:
        message = _("{archive}: cannot be unpacked: {reason}")
        raise DataError(message.format(archive=archive, reason=error.strerror or error)) from None
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return found


def _taken(archive: Path, folder: Path, classes: Mapping[str, str]) -> Unpacked:
    photos: Counter[str] = Counter()
    repeated = passed_over = total = 0
    for label in set(classes.values()):
        (folder / label).mkdir()
    for n, (name, size, opened) in enumerate(_members(archive), 1):
        if n > MOST_FILES:
            raise DataError(_("{archive}: more than {most:,} files").format(archive=archive, most=MOST_FILES))
        path = safe_path(archive, name)
        if path.suffix.lower() not in EXTENSIONS or any(_ignored(part) for part in path.parts):
            passed_over += 1
            continue
        if size > MOST_BYTES_EACH:
            message = _("{archive}: {name!r} is larger than {most:,} bytes")
            raise DataError(message.format(archive=archive, name=name, most=MOST_BYTES_EACH))
        label = classes.get(path.parent.name.lower(), "")
        if not label:
            message = _("{archive}: found {name!r}; accepted: photos in the folders {classes}")
            raise DataError(message.format(archive=archive, name=name, classes=", ".join(classes)))
        target = folder / label / path.name
        with opened() as stream:
            data = b"".join(_blocks(stream))
        total += len(data)
        if total > MOST_BYTES or len(data) > MOST_BYTES_EACH:
            most = MOST_BYTES if total > MOST_BYTES else MOST_BYTES_EACH
            message = _("{archive}: {name!r} is larger than {most:,} bytes when unpacked")
            raise DataError(message.format(archive=archive, name=name, most=most))
        if target.exists():
            if target.read_bytes() != data:
                message = _("{archive}: found two different files {name!r} in class {label!r}")
                raise DataError(message.format(archive=archive, name=path.name, label=label))
            repeated += 1
            continue
        target.write_bytes(data)
        photos[label] += 1
    lacking = [label for label in dict.fromkeys(classes.values()) if not photos[label]]
    if lacking:
        message = _("{archive}: found no photos of {lacking}; accepted: photos in the folders {classes}")
        raise DataError(message.format(archive=archive, lacking=", ".join(lacking), classes=", ".join(classes)))
    return Unpacked(dict(sorted(photos.items())), repeated, passed_over)


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """The file in blocks, ended where it is longer than a photo may be, whatever its header says."""
    n = 0
    while n <= MOST_BYTES_EACH and (block := stream.read(MOST_AT_ONCE // 2)):
        n += len(block)
        yield block


def safe_path(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in name
        or ":" in name
        or NOT_IN_NAMES.search(name)
        or any(unicodedata.category(letter) == "Cs" for letter in name)
        or any(len(part.encode()) > 200 for part in path.parts)
        or not path.name
    ):
        message = _("{archive}: found the unsafe path {name!r}; accepted: paths inside the archive's folder")
        raise DataError(message.format(archive=archive, name=name[:200]))
    return path


def _ignored(part: str) -> bool:
    return part.startswith(".") or part.lower() in IGNORED


Opened = Callable[[], IO[bytes]]


def _members(archive: Path) -> Iterator[tuple[str, int, Opened]]:
    """Name, declared size and a way to open each file. Raises DataError for links and devices."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as whole:
            for info in whole.infolist():
                if not info.filename:
                    raise ValueError("a file without a name")
                kind = info.external_attr >> 28  # of a file made on Unix: 8 a file, 4 a folder, 10 a link
                if info.is_dir():
                    safe_path(archive, info.filename.rstrip("/") or "/")
                    continue
                if kind not in (0, 8):
                    raise no_file(archive, info.filename)
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ValueError(f"{info.filename!r}: method {info.compress_type}")
                yield info.filename, info.file_size, lambda info=info: whole.open(info)  # type: ignore[misc]
        return
    with archive.open("rb") as packed:
        zipped = packed.read(2) == b"\x1f\x8b"
    with gzip.open(archive) if zipped else archive.open("rb") as stream:
        bounded: Any = Bounded(archive, stream)
        with tarfile.open(fileobj=bounded, mode="r:") as tar:
            for member in tar:
                if member.isdir():
                    safe_path(archive, member.name.rstrip("/") or ".")
                elif not member.isreg() or member.issparse():
                    raise no_file(archive, member.name)
                else:
                    yield member.name, member.size, lambda member=member: tar.extractfile(member)  # type: ignore[misc]


class Bounded:
    """What a tar is read from. Its long names and attributes are read whole, so no read may be large; and what is
    passed over has to be unpacked as well, so the end may not be far."""

    def __init__(self, archive: Path, stream: BinaryIO | gzip.GzipFile, most: int | None = None) -> None:
        self.archive, self.stream, self.most = archive, stream, MOST_BYTES if most is None else most

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MOST_AT_ONCE:
            message = _("{archive}: found a file name or attribute longer than {most:,} bytes")
            raise DataError(message.format(archive=self.archive, most=MOST_AT_ONCE))
        self._check(self.stream.tell() + size)
        return self.stream.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        self._check(place)
        return self.stream.seek(place, whence)

    def tell(self) -> int:
        return self.stream.tell()

    def _check(self, place: int) -> None:
        if place > self.most:
            message = _("{archive}: larger than {most:,} bytes when unpacked")
            raise DataError(message.format(archive=self.archive, most=self.most))


def no_file(archive: Path, name: str) -> DataError:
    text = _("{archive}: found {name!r}, which is a link or a special file; accepted: files and folders")
    return DataError(text.format(archive=archive, name=name[:200]))
