"""Which files may be photos, of which class and part: from the layout of folders, or from the rows of a CSV file."""

from __future__ import annotations

import csv
import io
import os
import posixpath
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from commongarden.data import image
from commongarden.errors import DataError, unknown
from commongarden.language import N_, _
from commongarden.terminal import NOT_IN_NAMES

ACCEPTED = N_(
    "accepted: a folder with a folder of photos for each class, a folder with train/, val/, test/ and class folders "
    "in each, a CSV file of path,label[,split], or builtin:flowers"
)
PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
# a file that bears one of these was meant as a photo, so it counts where it cannot be read
EXTENSIONS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff",
     ".heic", ".heif", ".hif", ".avif", ".avifs", ".apng", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx",
     ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga")
)  # fmt: skip
IGNORED = frozenset(("thumbs.db", "desktop.ini", "__macosx", "@eadir"))


@dataclass(frozen=True)
class Candidate:
    """A file that may be a photo. counts: among the share that may be unreadable; reason: why it is out already."""

    path: str
    label: str
    part: str = ""
    counts: bool = True
    reason: str = ""


def files(folder: Path) -> Iterator[Path]:
    """Every file in a folder at any depth, but for what systems leave there."""
    yield from (folder / path for path in _walk(folder, "", set()))


def is_photo(path: Path) -> bool:
    """Whether a file was meant as a photo: by its name's ending, or by its first bytes."""
    return path.suffix.lower() in EXTENSIONS or image.begins_as_photo(path)


def in_folder(root: Path) -> Iterator[Candidate]:
    """The files of class folders, or of class folders in part folders."""
    folders, files = _listed(root)
    if not folders:
        found = (
            _("{n} files directly in it and no class folders").format(n=len(files)) if files else _("an empty folder")
        )
        raise DataError(_("{root}: found {found}; {accepted}").format(root=root, found=found, accepted=_(ACCEPTED)))
    parts = _parts(root, folders)
    if not parts and len(folders) == 1 and len(inside := _listed(root / folders[0])[0]) > 1:
        raise DataError(
            _(
                "{root}: found 1 class folder, {name!r}, which holds folders itself ({inside}); did you mean {near!r}?"
            ).format(root=root, name=folders[0], inside=", ".join(inside[:5]), near=(root / folders[0]).as_posix())
        )
    yield from (_stray(name) for name in files)
    for name in folders:
        if parts:
            classes, beside = _listed(root / name)
            yield from (_stray(f"{name}/{file}") for file in beside)
            for label in classes:
                yield from _in_class(root, f"{name}/{label}", label, parts[name])
        else:
            yield from _in_class(root, name, name, "")


def _parts(root: Path, folders: list[str]) -> dict[str, str]:
    """The part of each folder; empty where they are class folders ("train" may be a class, beside "bus")."""
    parts = {name: PART_NAMES[name.lower()] for name in folders if name.lower() in PART_NAMES}
    if "train" not in parts.values() or len(parts) < len(folders):
        others = [name for name in folders if name not in parts]
        classes = [set(_listed(root / name)[0]) for name in parts]
        if len(parts) > 1 and set.intersection(*classes):
            found = _("beside {others}").format(others=", ".join(others)) if others else _("but no train")
            raise DataError(
                _(
                    "{root}: found the part folders {parts} {found}; accepted: train, val and test alone "
                    "(train at least), or class folders alone"
                ).format(root=root, parts=", ".join(parts), found=found)
            )
        return {}
    if len(set(parts.values())) < len(parts):
        raise DataError(
            _("{root}: found {parts}; accepted: one folder for each of train, val, test").format(
                root=root, parts=", ".join(parts)
            )
        )
    return parts


def _in_class(root: Path, folder: str, label: str, part: str) -> Iterator[Candidate]:
    files = sorted(_walk(root, folder, {_identity(root)}))
    if not files:
        yield Candidate(f"{folder}/", "", part, counts=False, reason=N_("an empty folder, not taken for a class"))
    for path in files:
        reason = "" if (root / path).is_file() else N_("a link to nothing, or not a file")
        meant = posixpath.splitext(path)[1].lower() in EXTENSIONS
        yield Candidate(path, unicodedata.normalize("NFC", label), part, counts=meant, reason=reason)


def _walk(root: Path, folder: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    """Files at any depth. Each folder is entered once, so links that lead back end the walk."""
    if (identity := _identity(root / folder)) in seen:
        return
    seen.add(identity)
    folders, files = _listed(root / folder)
    yield from (posixpath.join(folder, name) for name in files)
    for name in sorted(folders, key=lambda name: ((root / folder / name).is_symlink(), name)):
        yield from _walk(root, posixpath.join(folder, name), seen)


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _listed(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the folders and of the files in a folder, sorted, without what systems leave there."""
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not _ignored(entry.name)]
            folders = sorted(entry.name for entry in visible if entry.is_dir())
            return folders, sorted(entry.name for entry in visible if not entry.is_dir())
    except OSError as error:
        raise DataError(
            _("{folder}: the folder cannot be read: {reason}").format(folder=folder, reason=error.strerror)
        ) from None


def _ignored(name: str) -> bool:
    return name.startswith(".") or name.lower() in IGNORED


def _stray(path: str) -> Candidate:
    photo = posixpath.splitext(path)[1].lower() in EXTENSIONS
    return Candidate(path, "", counts=False, reason=N_("in no class folder") if photo else N_("not an image file"))


def in_table(file: Path) -> list[Candidate]:
    """The rows of a CSV file. A photo listed twice is taken once, and left out where its labels differ."""
    found: dict[str, tuple[int, Candidate]] = {}
    for line, written, label, part in _rows(file):
        candidate = _located(file.parent, written, label, part)
        first_line, first = found.setdefault(candidate.path, (line, candidate))
        if first.part != part:
            raise DataError(
                _(
                    "{file}: line {line}: found {written} for {part}, and in line {first_line} for {first_part}; "
                    "accepted: one part"
                ).format(
                    file=file,
                    line=line,
                    written=written,
                    part=part or _("no part"),
                    first_line=first_line,
                    first_part=first.part or _("no part"),
                )
            )
        if first.label != candidate.label and not first.reason:
            reason = N_("conflicting labels: {label} in line {line}, {other} in line {other_line}").format(
                label=first.label, line=first_line, other=candidate.label, other_line=line
            )
            found[candidate.path] = (first_line, replace(first, reason=reason, counts=False))
    candidates = [candidate for _, candidate in found.values()]
    undeclared = next((candidate for candidate in candidates if not candidate.part), None)
    if undeclared is not None and any(candidate.part for candidate in candidates):
        line = found[undeclared.path][0]
        raise DataError(
            _("{file}: line {line}: found no split; accepted: train, val, test in every line, or in none").format(
                file=file, line=line
            )
        )
    return candidates


def _rows(file: Path) -> Iterator[tuple[int, str, str, str]]:
    """Line number, path, label and part ("" where the file has none) of every row."""
    try:
        reader = csv.reader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline=""))
        header = next(reader, [])
        names = [name.strip().lower() for name in header]
        names = ["split" if name == "part" else name for name in names]
        if "path" not in names or "label" not in names:
            raise DataError(
                _(
                    "{file}: line 1: found the header {header!r}; accepted: path,label or path,label,split "
                    "in any order, separated by commas"
                ).format(file=file, header=",".join(header))
            )
        for row in reader:
            where = f"{file}: line {reader.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(names):
                raise DataError(
                    _("{where}: found {n} cells, accepted: {wanted}, as in the header").format(
                        where=where, n=len(row), wanted=len(names)
                    )
                )
            cells = dict(zip(names, (cell.strip() for cell in row), strict=True))
            if not cells["path"] or not cells["label"]:
                raise DataError(
                    _("{where}: found {row!r}; accepted: a path and a label in every line").format(
                        where=where, row=",".join(row)
                    )
                )
            if NOT_IN_NAMES.search(cells["label"]):
                raise DataError(
                    _("{where}: found the label {label!r}; accepted: a label without control characters").format(
                        where=where, label=cells["label"]
                    )
                )
            part = cells.get("split", "").lower()
            if part and part not in PART_NAMES:
                raise DataError(unknown("split", cells["split"], PART_NAMES, where=where))
            yield reader.line_num, cells["path"], cells["label"], PART_NAMES.get(part, "")
    except UnicodeDecodeError as error:
        raise DataError(
            _("{file}: not UTF-8 text (byte {place}); save it as CSV in UTF-8").format(file=file, place=error.start)
        ) from None
    except csv.Error as error:
        raise DataError(_("{file}: not a CSV file: {reason}").format(file=file, reason=error)) from None


def _located(root: Path, written: str, label: str, part: str) -> Candidate:
    """The file that a row means, also where it was written on Windows or in another Unicode form."""
    spellings = [written, written.replace("\\", "/")]
    spellings += [unicodedata.normalize(form, spellings[1]) for form in ("NFC", "NFD")]
    path = next((spelling for spelling in spellings if (root / spelling).is_file()), spellings[1])
    reason = "" if (root / path).is_file() else N_("not a file") if (root / path).exists() else N_("no such file")
    return Candidate(posixpath.normpath(path), unicodedata.normalize("NFC", label), part, reason=reason)
