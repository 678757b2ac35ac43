"""Tar files as WebDataset writes them: KEY.jpg beside KEY.cls or KEY.json, or the class in the folders of the key."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from commongarden.data.archive import Bounded, no_file, safe_path
from commongarden.data.members import Member, part_of_shard
from commongarden.data.stored import in_tar
from commongarden.data.tree import EXTENSIONS, IGNORED
from commongarden.errors import DataError
from commongarden.i18n.language import N_, _

LABEL_KEYS = ("cls", "label", "class", "category", "target")
MOST_LABEL = 2**20  # bytes of a file that names the class
SLACK = 2**20  # that may be asked for behind the end
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip")
NO_LABEL = N_("no label: found neither {key}.cls nor a class in {key}.json")


@dataclass(frozen=True)
class _File:
    """A regular file of a tar."""

    name: str
    offset: int
    size: int


def members(path: Path, shard: str) -> list[Member]:
    """The photos of the tar `path`, called `shard`, in its order. Raises DataError for what is no tar, and for a sample
    of several photos."""
    stem, part = posixpath.splitext(posixpath.basename(shard))[0], part_of_shard(shard)
    files = list(_files(path))
    photos = [file for file in files if posixpath.splitext(file.name)[1].lower() in EXTENSIONS]
    beside = {file.name: file for file in files if file.name.lower().endswith((".cls", ".json"))}
    if not beside:
        return [Member(file.name, in_tar(shard, file.offset, file.size), stem, None, part) for file in photos]
    found: list[Member] = []
    taken: dict[str, str] = {}
    with path.open("rb") as opened:
        for file in photos:
            key = _key(file.name)
            if key in taken:
                text = _("{shard}: found two photos in the sample {key!r}: {one} and {two}; accepted: one per sample")
                raise DataError(text.format(shard=path, key=key, one=taken[key], two=file.name))
            taken[key] = file.name
            label, group = _label(path, opened, key, beside)
            where = in_tar(shard, file.offset, file.size)
            if label:
                found.append(Member(file.name, where, stem, label, part, group))
            else:
                found.append(Member(file.name, where, stem, "", part, reason=NO_LABEL.format(key=key), counts=False))
    return found


def _files(path: Path) -> Iterator[_File]:
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            bounded: Any = Bounded(path, stream, size + SLACK)
            with tarfile.open(fileobj=bounded, mode="r:") as tar:
                for member in tar:
                    tar.members = []  # type: ignore[attr-defined]  # else each is kept, a kilobyte a photo
                    if member.isdir():
                        continue
                    if not member.isreg() or member.issparse():
                        raise no_file(path, member.name)
                    if member.offset_data + member.size > size:
                        raise tarfile.ReadError(_("{name!r} is cut off").format(name=member.name))
                    name = safe_path(path, member.name.removeprefix("./")).as_posix()
                    if not any(part.startswith(".") or part.lower() in IGNORED for part in name.split("/")):
                        yield _File(name, member.offset_data, member.size)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        text = _("{shard}: corrupt, or not a tar file: {reason}; accepted: uncompressed .tar files")
        raise DataError(text.format(shard=path, reason=error)) from None
    except OSError as error:
        text = _("{shard}: cannot be read: {reason}")
        raise DataError(text.format(shard=path, reason=error.strerror or error)) from None


def _key(name: str) -> str:
    """What the files of one sample share, as WebDataset has it: the name up to the first dot of its last part."""
    folder, base = posixpath.split(name)
    return posixpath.join(folder, base.partition(".")[0])


def _label(path: Path, opened: Any, key: str, beside: dict[str, _File]) -> tuple[str, str]:
    """(class, group) of a sample; "" where it has none."""
    if f"{key}.cls" in beside:
        return _read(path, opened, beside[f"{key}.cls"]).decode("utf-8", "replace").strip(), ""
    if f"{key}.json" not in beside:
        return "", ""
    file = beside[f"{key}.json"]
    try:
        about = msgspec.json.decode(_read(path, opened, file))
    except msgspec.DecodeError as error:
        text = _("{shard}: {name}: not JSON: {reason}")
        raise DataError(text.format(shard=path, name=file.name, reason=error)) from None
    if not isinstance(about, dict):
        return "", ""
    label = next((about[name] for name in LABEL_KEYS if isinstance(about.get(name), str | int)), "")
    group = about.get("group", "")
    return str(label).strip(), str(group) if isinstance(group, str | int) else ""


def _read(path: Path, opened: Any, file: _File) -> bytes:
    if file.size > MOST_LABEL:
        text = _("{shard}: {name} has {n:,} bytes; accepted: a class in at most {most:,}")
        raise DataError(text.format(shard=path, name=file.name, n=file.size, most=MOST_LABEL))
    opened.seek(file.offset)
    return bytes(opened.read(file.size))
