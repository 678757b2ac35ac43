"""From a folder or a CSV file to a manifest: every file judged by reading it, none changed, none dropped in silence."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import os
import posixpath
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from commongarden.data import image
from commongarden.data.split import PARTS, duplicates
from commongarden.errors import DataError, unknown
from commongarden.records import LeftOut, Manifest, Photo

ACCEPTED = (
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
EXTENSIONS = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif",
                        ".tiff", ".heic", ".heif", ".avif"))  # fmt: skip
IGNORED = frozenset(("thumbs.db", "desktop.ini", "__macosx", "@eadir"))
MOST_UNREADABLE = 0.05


@dataclass(frozen=True)
class _Candidate:
    """A file that may be a photo. counts: among the share that may be unreadable; reason: why it is out already."""

    path: str
    label: str
    part: str = ""
    counts: bool = True
    reason: str = ""


def scan(source: str, *, keep_going: bool = False, on_progress: Callable[[int, int], None] | None = None) -> Manifest:
    """Reads every photo of `source` to the last pixel and says which take part, and why the others do not.

    source: a folder of class folders (folders inside one belong to the class), a folder of train, val and test
    folders with class folders in each, a CSV file (path,label[,split], paths from its own folder), or
    "builtin:flowers[/N]". on_progress(done, total) is called after each file.

    Raises DataError for a layout that is none of these, for fewer than two classes, for a class that is missing from
    a declared part, and where more than 5 % of the photos are unreadable and `keep_going` is false.
    """
    if source.startswith(image.BUILTIN):
        return _builtin(source)
    path = Path(source)
    if path.is_dir():
        root, candidates = path, list(_in_folder(path))
    elif path.is_file() and path.suffix.lower() == ".csv":
        root, candidates = path.parent, _in_table(path)
    else:
        raise DataError(f"{source}: {_why_not(path)}; {ACCEPTED}")
    candidates = sorted((_valid_name(candidate) for candidate in candidates), key=lambda candidate: candidate.path)
    _check_classes(source, {candidate.label for candidate in candidates} - {""})
    judged = list(image.in_threads(partial(_judge, root), candidates, on_progress))
    photos = tuple(one for one in judged if isinstance(one, Photo))
    left_out = [one for one in judged if isinstance(one, LeftOut)]
    if not keep_going:
        counted = {candidate.path for candidate in candidates if candidate.counts}
        _check_readable(source, [out for out in left_out if out.path in counted], len(counted))
    _check_classes(source, {photo.label for photo in photos})
    _check_parts(source, photos)
    return Manifest(str(root), photos, tuple(left_out))


def summary(manifest: Manifest) -> dict[str, Any]:
    """What `commongarden data check --json` prints.

    classes: photos by label; parts: by declared part and label (empty where none is declared); smallest, largest:
    class and its photos; duplicates: lists of paths with the same bytes and one label; conflicts: the same bytes
    under several labels; left_out: path and reason.
    """
    classes = Counter(photo.label for photo in manifest.photos)
    groups = [group for group in duplicates(manifest.photos) if len(group) > 1]
    parts = {part: Counter(photo.label for photo in manifest.photos if photo.part == part) for part in PARTS}
    sizes = sorted((n, label) for label, n in classes.items())
    return {
        "root": manifest.root,
        "n_photos": len(manifest.photos),
        "classes": {label: classes[label] for label in manifest.classes},
        "parts": {part: dict(sorted(labels.items())) for part, labels in parts.items() if labels},
        "smallest": {"label": sizes[0][1], "n_photos": sizes[0][0]} if sizes else None,
        "largest": {"label": sizes[-1][1], "n_photos": sizes[-1][0]} if sizes else None,
        "duplicates": [[photo.path for photo in group] for group in groups if len(_labels(group)) == 1],
        "conflicts": [
            {"labels": _labels(group), "paths": [photo.path for photo in group]}
            for group in groups
            if len(_labels(group)) > 1
        ],
        "left_out": [{"path": out.path, "reason": out.reason} for out in manifest.left_out],
    }


def describe(found: dict[str, Any]) -> str:
    """A `summary` in lines to read."""
    lines = [f"{found['root']}: {found['n_photos']:,} photos in {len(found['classes'])} classes"]
    width = max((len(label) for label in found["classes"]), default=0)
    for label, n in found["classes"].items():
        parts = ", ".join(f"{part} {labels.get(label, 0):,}" for part, labels in found["parts"].items())
        lines.append(f"  {label:<{width}} {n:>7,}" + (f"  ({parts})" if parts else ""))
    if found["smallest"]:
        ratio = found["largest"]["n_photos"] / found["smallest"]["n_photos"]
        lines.append(
            f"largest class: {found['largest']['label']}, {ratio:.1f} times the smallest, {found['smallest']['label']}"
        )
    lines.append(f"exact duplicates: {len(found['duplicates'])} groups")
    lines += [f"  {' = '.join(paths)}" for paths in found["duplicates"]]
    lines.append(f"same photo under two labels: {len(found['conflicts'])}")
    lines += [f"  {' = '.join(conflict['paths'])}" for conflict in found["conflicts"]]
    lines.append(f"left out: {len(found['left_out'])}")
    lines += [f"  {out['path']}: {out['reason']}" for out in found["left_out"]]
    return "\n".join(lines)


def _labels(group: Iterable[Photo]) -> list[str]:
    return sorted({photo.label for photo in group})


def _builtin(source: str) -> Manifest:
    from commongarden.data import drawn

    photos = []
    for index in range(image.builtin_photos(source)):
        label = drawn.CLASSES[drawn.label(index)]
        sha256 = hashlib.sha256(f"{image.BUILTIN}flowers {drawn.VERSION} 0 {index}".encode()).hexdigest()
        photos.append(Photo(f"{label}/{index:05d}.png", label, "", sha256))
    _check_classes(source, {photo.label for photo in photos})
    return Manifest(source, tuple(sorted(photos, key=lambda photo: photo.path)))


def _judge(root: Path, candidate: _Candidate) -> Photo | LeftOut:
    if candidate.reason:
        return LeftOut(candidate.path, candidate.reason)
    try:
        data = image.read_bytes(root / candidate.path)
        image.decode(data)
    except DataError as error:
        return LeftOut(candidate.path, str(error))
    return Photo(candidate.path, candidate.label, candidate.part, hashlib.sha256(data).hexdigest())


def _valid_name(candidate: _Candidate) -> _Candidate:
    """A name that is no Unicode cannot be written to a manifest."""
    shown = candidate.path.encode("utf-8", "replace").decode()
    if shown == candidate.path:
        return candidate
    return replace(candidate, path=shown, label="", reason="its name is not valid Unicode; rename it")


def _in_folder(root: Path) -> Iterator[_Candidate]:
    """The files of class folders, or of class folders in part folders."""
    folders, files = _listed(root)
    if not folders:
        found = f"{len(files)} files directly in it and no class folders" if files else "an empty folder"
        raise DataError(f"{root}: found {found}; {ACCEPTED}")
    parts = _parts(root, folders)
    if not parts and len(folders) == 1 and len(inside := _listed(root / folders[0])[0]) > 1:
        raise DataError(
            f"{root}: found 1 class folder, {folders[0]!r}, which holds folders itself ({', '.join(inside[:5])}); "
            f"did you mean {(root / folders[0]).as_posix()!r}?"
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
            found = f"beside {', '.join(others)}" if others else "but no train"
            raise DataError(
                f"{root}: found the part folders {', '.join(parts)} {found}; accepted: train, val and test alone "
                "(train at least), or class folders alone"
            )
        return {}
    if len(set(parts.values())) < len(parts):
        raise DataError(f"{root}: found {', '.join(parts)}; accepted: one folder for each of train, val, test")
    return parts


def _in_class(root: Path, folder: str, label: str, part: str) -> Iterator[_Candidate]:
    files = sorted(_walk(root, folder, {_identity(root)}))
    if not files:
        yield _Candidate(f"{folder}/", "", part, counts=False, reason="an empty folder, not taken for a class")
    for path in files:
        reason = "" if (root / path).is_file() else "a link to nothing, or not a file"
        meant = posixpath.splitext(path)[1].lower() in EXTENSIONS
        yield _Candidate(path, unicodedata.normalize("NFC", label), part, counts=meant, reason=reason)


def _walk(root: Path, folder: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    """Files at any depth. Each folder is entered once, so links that lead back end the walk."""
    if (identity := _identity(root / folder)) in seen:
        return
    seen.add(identity)
    folders, files = _listed(root / folder)
    yield from (f"{folder}/{name}" for name in files)
    for name in sorted(folders, key=lambda name: ((root / folder / name).is_symlink(), name)):
        yield from _walk(root, f"{folder}/{name}", seen)


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
        raise DataError(f"{folder}: the folder cannot be read: {error.strerror}") from None


def _ignored(name: str) -> bool:
    return name.startswith(".") or name.lower() in IGNORED


def _stray(path: str) -> _Candidate:
    photo = posixpath.splitext(path)[1].lower() in EXTENSIONS
    return _Candidate(path, "", counts=False, reason="in no class folder" if photo else "not an image file")


def _in_table(file: Path) -> list[_Candidate]:
    """The rows of a CSV file. A photo listed twice is taken once, and left out where its labels differ."""
    found: dict[str, tuple[int, _Candidate]] = {}
    for line, written, label, part in _rows(file):
        candidate = _located(file.parent, written, label, part)
        first_line, first = found.setdefault(candidate.path, (line, candidate))
        if first.part != part:
            raise DataError(
                f"{file}: line {line}: found {written} for {part or 'no part'}, and in line {first_line} for "
                f"{first.part or 'no part'}; accepted: one part"
            )
        if first.label != candidate.label and not first.reason:
            labels = f"{first.label} in line {first_line}, {candidate.label} in line {line}"
            found[candidate.path] = (first_line, replace(first, reason=f"conflicting labels: {labels}", counts=False))
    candidates = [candidate for _, candidate in found.values()]
    undeclared = next((candidate for candidate in candidates if not candidate.part), None)
    if undeclared is not None and any(candidate.part for candidate in candidates):
        line = found[undeclared.path][0]
        raise DataError(f"{file}: line {line}: found no split; accepted: train, val, test in every line, or in none")
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
                f"{file}: line 1: found the header {','.join(header)!r}; accepted: path,label or path,label,split "
                "in any order, separated by commas"
            )
        for row in reader:
            where = f"{file}: line {reader.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(names):
                raise DataError(f"{where}: found {len(row)} cells, accepted: {len(names)}, as in the header")
            cells = dict(zip(names, (cell.strip() for cell in row), strict=True))
            if not cells["path"] or not cells["label"]:
                raise DataError(f"{where}: found {','.join(row)!r}; accepted: a path and a label in every line")
            part = cells.get("split", "").lower()
            if part and part not in PART_NAMES:
                raise DataError(unknown("split", cells["split"], PART_NAMES, where=where))
            yield reader.line_num, cells["path"], cells["label"], PART_NAMES.get(part, "")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 text (byte {error.start}); save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{file}: not a CSV file: {error}") from None


def _located(root: Path, written: str, label: str, part: str) -> _Candidate:
    """The file that a row means, also where it was written on Windows or in another Unicode form."""
    spellings = [written, written.replace("\\", "/")]
    spellings += [unicodedata.normalize(form, spellings[1]) for form in ("NFC", "NFD")]
    path = next((spelling for spelling in spellings if (root / spelling).is_file()), spellings[1])
    reason = "" if (root / path).is_file() else "not a file" if (root / path).exists() else "no such file"
    return _Candidate(posixpath.normpath(path), unicodedata.normalize("NFC", label), part, reason=reason)


def _why_not(path: Path) -> str:
    if path.exists():
        return "found a file that is not a CSV"
    try:
        siblings = [entry.name for entry in path.parent.iterdir() if entry.is_dir() or entry.suffix.lower() == ".csv"]
    except OSError:
        siblings = []
    near = difflib.get_close_matches(path.name, siblings, n=1, cutoff=0.5)
    return "no such folder or file" + (f"; did you mean {(path.parent / near[0]).as_posix()!r}?" if near else "")


def _check_readable(source: str, unreadable: list[LeftOut], n: int) -> None:
    if len(unreadable) <= MOST_UNREADABLE * n:
        return
    shown = "".join(f"\n  {out.path}: {out.reason}" for out in unreadable[:3])
    more = f"\n  and {len(unreadable) - 3} more" if len(unreadable) > 3 else ""
    raise DataError(
        f"{source}: {len(unreadable)} of {n} photos cannot be read, more than {MOST_UNREADABLE:.0%}:{shown}{more}\n"
        "Mend or remove them, or leave them out with --keep-going."
    )


def _check_classes(source: str, labels: set[str]) -> None:
    if len(labels) < 2:
        found = f"1 class ({next(iter(labels))})" if labels else "no class"
        raise DataError(f"{source}: found {found} with photos; a comparison needs at least 2. {ACCEPTED.capitalize()}")


def _check_parts(source: str, photos: tuple[Photo, ...]) -> None:
    labels: defaultdict[str, set[str]] = defaultdict(set)
    for photo in photos:
        labels[photo.part].add(photo.label)
    if set(labels) == {""}:
        return
    if "train" not in labels:
        raise DataError(f"{source}: found the parts {', '.join(labels)}; accepted: train, and val and test beside it")
    everywhere = set.union(*labels.values())
    for part, present in labels.items():
        for label in sorted(everywhere - present):
            raise DataError(
                f"{source}: class {label!r} has no readable photo in the {part} part; "
                f"accepted: every class in each of {', '.join(labels)}"
            )
