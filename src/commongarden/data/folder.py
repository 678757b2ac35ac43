"""From a folder or a CSV file to a manifest: every file judged by reading it, none changed, none dropped in silence."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from commongarden.data import classes, greys, image, losses, result_cache
from commongarden.data.finding import DEFAULT, Listed, check_classes, checked, find
from commongarden.data.greys import Span
from commongarden.data.listing import Candidate
from commongarden.data.looks import Looks
from commongarden.data.remote import is_remote
from commongarden.data.split import PARTS, duplicates, too_few_groups
from commongarden.data.stored import file_of
from commongarden.errors import DataError
from commongarden.i18n.coded import NOTHING, Coded
from commongarden.i18n.language import _, translate
from commongarden.records import LeftOut, Manifest, Photo, Range
from commongarden.study import SplitPlan
from commongarden.study.reading import DataOptions

MOST_LISTED = 10  # files that are left out for one reason


def scan(
    source: str,
    options: DataOptions = DEFAULT,
    *,
    keep_going: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    cache_folder: Path | None = None,
    tell: result_cache.Tell | None = None,
    listed: Listed | None = None,
    range: Range | None = None,
    looks: Looks | None = None,
) -> Manifest:
    """Reads every photo of `source` to the last pixel and says which take part, and why the others do not.

    listed: what `find` gave for the source, where that was asked before. cache_folder: where it is kept which contents
    this version of Pillow could read; those are hashed, but not decoded again. tell: hears where that was torn, and
    what is lost where `keep_going` is true. on_progress(done, total) is called after each file. range: of values of
    more than 8 bits, those that become 0 and 255; without it, it is found from all photos together. looks: what is
    seen of the photos that are decoded is kept there, for their inspection.

    Raises DataError as `find` does.
    """
    if listed is None:
        listed = find(source, options, keep_going=keep_going)
    if source.startswith(image.BUILTIN):
        return replace(_builtin(listed), range=range)
    key = result_cache.key("readable", [source if is_remote(source) else str(Path(source).resolve())], ["pillow"])
    known = _readable(cache_folder, key, tell)
    if looks is not None:
        looks.reserve(len(listed.candidates))
    judge = partial(_judge, listed.root, known, looks)
    judged = list(image.in_threads(judge, listed.candidates, on_progress))
    read = [one for one in judged if not isinstance(one, LeftOut)]
    readable = {photo.sha256: span for photo, span in read}
    if cache_folder is not None and readable != known:
        result_cache.keep(cache_folder, key, msgspec.json.encode(readable, order="sorted"))
    out = {one.path: one.text for one in judged if isinstance(one, LeftOut)}
    candidates = [replace(one, reason=out.get(one.path, one.reason)) for one in listed.candidates]
    again = checked(replace(listed, candidates=tuple(candidates)), keep_going)
    if tell is not None:
        for note in again.notes[len(listed.notes) :]:
            tell(translate(note))
    out |= {one.path: one.reason for one in again.candidates if one.reason}
    kept = [(photo, span) for photo, span in read if photo.path not in out]
    found, deep = greys.together((span for _photo, span in kept if span is not None), range)
    left_out = tuple(LeftOut(path, out[path]) for path in sorted(out))
    return Manifest(listed.root, tuple(photo for photo, _span in kept), left_out, found, deep)


def lost(listed: Listed, manifest: Manifest) -> list[losses.Loss]:
    """The classes that lose photos, those that lose all first."""
    return losses.by_class(listed.candidates, manifest.left_out)


def summary(manifest: Manifest, listed: Listed | None = None) -> dict[str, Any]:
    """What `commongarden data check --json` prints.

    classes: photos by label; parts: by declared part and label (empty where none is declared); smallest, largest:
    class and its photos; duplicates: lists of paths with the same bytes and one label; conflicts: the same bytes
    under several labels; left_out: path and reason. With what `find` gave also layout, in a sentence, remarks on how
    the data were read, losses by class, stops: why `run` would refuse these data, "" where it takes them, and the
    number of groups.
    """
    counts = Counter(photo.label for photo in manifest.photos)
    groups = [group for group in duplicates(manifest.photos) if len(group) > 1]
    parts = {part: Counter(photo.label for photo in manifest.photos if photo.part == part) for part in PARTS}
    sizes = sorted((n, label) for label, n in counts.items())
    told_first = {} if listed is None else _understood(manifest, listed)
    return told_first | {
        "root": manifest.root,
        "n_photos": len(manifest.photos),
        "classes": {label: counts[label] for label in manifest.classes},
        "parts": {part: dict(sorted(labels.items())) for part, labels in parts.items() if labels},
        "smallest": {"label": sizes[0][1], "n_photos": sizes[0][0]} if sizes else None,
        "largest": {"label": sizes[-1][1], "n_photos": sizes[-1][0]} if sizes else None,
        "duplicates": [[photo.path for photo in group] for group in groups if len(_labels(group)) == 1],
        "conflicts": [
            {"labels": _labels(group), "paths": [photo.path for photo in group]}
            for group in groups
            if len(_labels(group)) > 1
        ],
        "left_out": [{"path": out.path, "reason": out.text} for out in manifest.left_out],
    }


def _understood(manifest: Manifest, listed: Listed) -> dict[str, Any]:
    losing = lost(listed, manifest)
    out = {file.path: file.text for file in manifest.left_out}
    again = [replace(one, reason=out.get(one.path, one.reason)) for one in listed.candidates]
    again = [replace(one, reason=NOTHING) if one.reason == losses.NO_TRAINING else one for one in again]
    strict = replace(listed, candidates=tuple(again), notes=())
    try:
        remarks, stops = checked(strict, True).notes, ""
        checked(strict, False)
        stops = too_few_groups(again, SplitPlan())
    except DataError as error:
        stops = str(error)
    return {
        "layout": translate(listed.layout),
        "remarks": [translate(note) for note in dict.fromkeys((*listed.notes, *remarks))],
        "by_class": losses.lines(losing),
        "losses": [
            {"label": loss.label, "n_photos": loss.n, "n_lost": loss.n_lost, "reason": translate(loss.reason)}
            for loss in losing
        ],
        "stops": stops,
        "n_groups": len({photo.group for photo in manifest.photos} - {""}),
    }


def describe(found: dict[str, Any]) -> str:
    """A `summary` in lines to read."""
    lines = [found["layout"]] if "layout" in found else []
    lines += [_("note: {text}").format(text=text) for text in found.get("remarks", ())]
    if found.get("stops"):
        lines.append(_("`run` rejects this data: {reason}").format(reason=found["stops"]))
    count = _("{root}: {n_photos:,} photos in {n_classes} classes")
    lines.append(count.format(root=found["root"], n_photos=found["n_photos"], n_classes=len(found["classes"])))
    width = max((len(classes.shown(label)) for label in found["classes"]), default=0)
    for label, n in found["classes"].items():
        parts = ", ".join(f"{_(part)} {labels.get(label, 0):,}" for part, labels in found["parts"].items())
        lines.append(f"  {classes.shown(label):<{width}} {n:>7,}" + (f"  ({parts})" if parts else ""))
    if found["smallest"]:
        largest, smallest = found["largest"], found["smallest"]
        ratio = largest["n_photos"] / smallest["n_photos"]
        balance = _("largest class: {largest}, {ratio:.1f} times the smallest, {smallest}")
        lines.append(balance.format(largest=largest["label"], ratio=ratio, smallest=smallest["label"]))
    lines.append(_("identical files: {n} groups").format(n=len(found["duplicates"])))
    lines += [f"  {' = '.join(paths)}" for paths in found["duplicates"]]
    lines.append(_("identical files with different labels: {n}").format(n=len(found["conflicts"])))
    lines += [f"  {' = '.join(conflict['paths'])}" for conflict in found["conflicts"]]
    lines.append(_("left out: {n}").format(n=len(found["left_out"])))
    lines += _left_out(found["left_out"])
    lines += [f"  {line}" for line in found.get("by_class", ())]
    return "\n".join(lines)


def _left_out(files: Sequence[Mapping[str, Any]]) -> list[str]:
    """The files that take no part; of many with one reason the first ones."""
    by_reason: defaultdict[Coded, list[str]] = defaultdict(list)
    for out in files:
        by_reason[out["reason"]].append(out["path"])
    lines = []
    for reason, paths in by_reason.items():
        shown = paths if len(paths) <= MOST_LISTED else paths[:3]
        lines += [f"  {path}: {translate(reason)}" for path in shown]
        if len(shown) < len(paths):
            text = _("  and {n} more: {reason}")
            lines.append(text.format(n=f"{len(paths) - len(shown):,}", reason=translate(reason)))
    return lines


def _labels(group: Iterable[Photo]) -> list[str]:
    return sorted({photo.label for photo in group})


def _builtin(listed: Listed) -> Manifest:
    from commongarden.data.drawn_tasks import task

    name, version, photos = listed.root.partition(":")[2].partition("/")[0], task(listed.root).version, []
    for index, one in enumerate(listed.candidates):
        sha256 = hashlib.sha256(f"{image.BUILTIN}{name} {version} 0 {index}".encode()).hexdigest()
        photos.append(Photo(one.path, one.label, "", sha256, one.group))
    check_classes(listed, {photo.label for photo in photos})
    return Manifest(listed.root, tuple(sorted(photos, key=lambda photo: photo.path)))


def _readable(cache_folder: Path | None, key: str, tell: result_cache.Tell | None) -> dict[str, Span | None]:
    """SHA-256 of contents that were decoded to the last pixel before, with their values where those have more than 8
    bits. Under the source's place, not its contents, since those are known only when all is read; what is believed is
    each photo's own hash."""
    kept = None if cache_folder is None else result_cache.recall(cache_folder, key, tell)
    return {} if kept is None else msgspec.json.decode(kept, type=dict[str, Span | None])


def _judge(
    root: str, readable: Mapping[str, Span | None], looks: Looks | None, candidate: Candidate
) -> tuple[Photo, Span | None] | LeftOut:
    if candidate.reason:
        return LeftOut(candidate.path, candidate.reason)
    try:
        data = image.read_bytes(file_of(root, candidate.path, candidate.stored))
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 in readable:
            span = readable[sha256]
        else:
            picture = image.decode(data)
            span = image.span(data)
            if looks is not None and span is None:  # how the others are shown depends on all of them
                looks.add(sha256, data, picture)
    except DataError as error:
        return LeftOut(candidate.path, error.reason)
    photo = Photo(candidate.path, candidate.label, candidate.part, sha256, candidate.group, candidate.stored)
    return photo, span
