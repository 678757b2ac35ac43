"""From a folder or a CSV file to a manifest: every file judged by reading it, none changed, none dropped in silence."""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from commongarden.data import greys, image, memo
from commongarden.data.greys import Span
from commongarden.data.listing import ACCEPTED, Candidate, in_folder, in_table
from commongarden.data.split import PARTS, duplicates
from commongarden.errors import DataError
from commongarden.language import N_, _, told
from commongarden.records import LeftOut, Manifest, Photo, Range
from commongarden.terminal import NOT_IN_NAMES

MOST_UNREADABLE = 0.05


def scan(
    source: str,
    *,
    keep_going: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    cache_folder: Path | None = None,
    tell: memo.Tell | None = None,
    range: Range | None = None,
) -> Manifest:
    """Reads every photo of `source` to the last pixel and says which take part, and why the others do not.

    cache_folder: where it is kept which contents this version of Pillow could read; those are hashed, but not decoded
    again. tell: hears where that was torn. range: of values of more than 8 bits, those that become 0 and 255; without
    it, it is found from all photos together.

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
        root, candidates = path, list(in_folder(path))
    elif path.is_file() and path.suffix.lower() == ".csv":
        root, candidates = path.parent, in_table(path)
    else:
        raise DataError(
            _("{source}: {problem}; {accepted}").format(source=source, problem=_why_not(path), accepted=_(ACCEPTED))
        )
    candidates = sorted((_valid_name(candidate) for candidate in candidates), key=lambda candidate: candidate.path)
    _check_classes(source, {candidate.label for candidate in candidates} - {""})
    key = memo.key("readable", [str(path.resolve())], ["pillow"])
    known = _readable(cache_folder, key, tell)
    judged = list(image.in_threads(partial(_judge, root, known), candidates, on_progress))
    read = [one for one in judged if not isinstance(one, LeftOut)]
    photos = tuple(photo for photo, _span in read)
    readable = {photo.sha256: span for photo, span in read}
    if cache_folder is not None and readable != known:
        memo.keep(cache_folder, key, msgspec.json.encode(readable, order="sorted"))
    left_out = [one for one in judged if isinstance(one, LeftOut)]
    if not keep_going:
        counted = {candidate.path for candidate in candidates if candidate.counts}
        _check_readable(source, [out for out in left_out if out.path in counted], len(counted))
    _check_classes(source, {photo.label for photo in photos})
    _check_parts(source, photos)
    found, deep = greys.together((span for _photo, span in read if span is not None), range)
    return Manifest(str(root), photos, tuple(left_out), found, deep)


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
    lines = [
        _("{root}: {n_photos:,} photos in {n_classes} classes").format(
            root=found["root"], n_photos=found["n_photos"], n_classes=len(found["classes"])
        )
    ]
    width = max((len(label) for label in found["classes"]), default=0)
    for label, n in found["classes"].items():
        parts = ", ".join(f"{_(part)} {labels.get(label, 0):,}" for part, labels in found["parts"].items())
        lines.append(f"  {label:<{width}} {n:>7,}" + (f"  ({parts})" if parts else ""))
    if found["smallest"]:
        ratio = found["largest"]["n_photos"] / found["smallest"]["n_photos"]
        lines.append(
            _("largest class: {largest}, {ratio:.1f} times the smallest, {smallest}").format(
                largest=found["largest"]["label"], ratio=ratio, smallest=found["smallest"]["label"]
            )
        )
    lines.append(_("exact duplicates: {n} groups").format(n=len(found["duplicates"])))
    lines += [f"  {' = '.join(paths)}" for paths in found["duplicates"]]
    lines.append(_("same photo under two labels: {n}").format(n=len(found["conflicts"])))
    lines += [f"  {' = '.join(conflict['paths'])}" for conflict in found["conflicts"]]
    lines.append(_("left out: {n}").format(n=len(found["left_out"])))
    lines += [f"  {out['path']}: {told(out['reason'])}" for out in found["left_out"]]
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


def _readable(cache_folder: Path | None, key: str, tell: memo.Tell | None) -> dict[str, Span | None]:
    """SHA-256 of contents that were decoded to the last pixel before, with their values where those have more than 8
    bits. Under the source's place, not its contents, since those are known only when all is read; what is believed is
    each photo's own hash."""
    kept = None if cache_folder is None else memo.recall(cache_folder, key, tell)
    return {} if kept is None else msgspec.json.decode(kept, type=dict[str, Span | None])


def _judge(
    root: Path, readable: Mapping[str, Span | None], candidate: Candidate
) -> tuple[Photo, Span | None] | LeftOut:
    if candidate.reason:
        return LeftOut(candidate.path, candidate.reason)
    try:
        data = image.read_bytes(root / candidate.path)
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 in readable:
            span = readable[sha256]
        else:
            image.decode(data)
            span = image.span(data)
    except DataError as error:
        return LeftOut(candidate.path, str(error))
    return Photo(candidate.path, candidate.label, candidate.part, sha256), span


def _valid_name(candidate: Candidate) -> Candidate:
    """A name that is no Unicode cannot be written to a manifest; one with control characters could do harm where it is
    shown."""
    shown = candidate.path.encode("utf-8", "replace").decode()
    if shown != candidate.path:
        return replace(candidate, path=shown, label="", reason=N_("its name is not valid Unicode; rename it"))
    if NOT_IN_NAMES.search(shown):
        shown = NOT_IN_NAMES.sub(lambda found: repr(found[0])[1:-1], shown)
        return replace(candidate, path=shown, label="", reason=N_("its name holds control characters; rename it"))
    return candidate


def _why_not(path: Path) -> str:
    if path.exists():
        return _("found a file that is not a CSV")
    try:
        siblings = [entry.name for entry in path.parent.iterdir() if entry.is_dir() or entry.suffix.lower() == ".csv"]
    except OSError:
        siblings = []
    near = difflib.get_close_matches(path.name, siblings, n=1, cutoff=0.5)
    return _("no such folder or file") + (
        _("; did you mean {near!r}?").format(near=(path.parent / near[0]).as_posix()) if near else ""
    )


def _check_readable(source: str, unreadable: list[LeftOut], n: int) -> None:
    if len(unreadable) <= MOST_UNREADABLE * n:
        return
    shown = "".join(f"\n  {out.path}: {told(out.reason)}" for out in unreadable[:3])
    more = _("\n  and {n} more").format(n=len(unreadable) - 3) if len(unreadable) > 3 else ""
    raise DataError(
        _(
            "{source}: {n_unreadable} of {n} photos cannot be read, more than "
            "{share:.0%}:{shown}{more}\nMend or remove them, or leave them out with "
            "--keep-going."
        ).format(source=source, n_unreadable=len(unreadable), n=n, share=MOST_UNREADABLE, shown=shown, more=more)
    )


def _check_classes(source: str, labels: set[str]) -> None:
    if len(labels) < 2:
        found = _("1 class ({label})").format(label=next(iter(labels))) if labels else _("no class")
        raise DataError(
            _("{source}: found {found} with photos; a comparison needs at least 2. {accepted}").format(
                source=source, found=found, accepted=_(ACCEPTED)[:1].upper() + _(ACCEPTED)[1:]
            )
        )


def _check_parts(source: str, photos: tuple[Photo, ...]) -> None:
    labels: defaultdict[str, set[str]] = defaultdict(set)
    for photo in photos:
        labels[photo.part].add(photo.label)
    if set(labels) == {""}:
        return
    if "train" not in labels:
        raise DataError(
            _("{source}: found the parts {labels}; accepted: train, and val and test beside it").format(
                source=source, labels=", ".join(labels)
            )
        )
    everywhere = set.union(*labels.values())
    for part, present in labels.items():
        for label in sorted(everywhere - present):
            raise DataError(
                _(
                    "{source}: class {label!r} has no readable photo in the {part} part; accepted: every "
                    "class in each of {labels}"
                ).format(source=source, label=label, part=_(part), labels=", ".join(labels))
            )
