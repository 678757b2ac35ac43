"""What reading the photos of a study found beyond their classes: plain data, to be kept, and told in sentences.

Kept in the study's folder as inspection.json, as it was when the study was begun: a later version that finds more does
not change what the split was made from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from commongarden.i18n.language import N_, _, ngettext
from commongarden.io import reader
from commongarden.records import Manifest, Range, Split

INSPECTION_SCHEMA = 1
FILE = "inspection.json"
FEW_PHOTOS = 20  # of a class: 5 % of them validate with one photo
LARGE_RATIO = 3.0

Kind = Literal[
    "wrong extension",
    "several frames",
    "broken frames",
    "nearly one colour",
    "small",
    "long and narrow",
    "huge",
    "rare mode",
]


@dataclass(frozen=True)
class Pair:
    """Two photos that were confirmed to show the same picture, though their files differ. likeness: up to 1."""

    one: str
    two: str
    likeness: float
    mirrored: bool


@dataclass(frozen=True)
class Unusual:
    """A photo that is read, but looks as nobody may have meant it. found: what it has, as a fact to be filled in."""

    path: str
    kind: Kind
    found: str


@dataclass(frozen=True)
class Inspection:
    """data: hash of the manifest. pairs: of different files. groups: every photo of one is the same picture as every
    other one, exact copies among them; sorted, as their paths are. sizes, modes, formats: photos by "WIDTHxHEIGHT", by
    Pillow's mode and by file format. pictures: small JPEGs of the photos in groups, by path, of the first groups only.
    """

    schema: int
    data: str
    pairs: tuple[Pair, ...]
    groups: tuple[tuple[str, ...], ...]
    sizes: dict[str, int]
    modes: dict[str, int]
    formats: dict[str, int]
    unusual: tuple[Unusual, ...]
    pictures: dict[str, bytes]


KIND = reader.Kind(FILE, N_("the result of inspecting the photos"), reader.json_of(Inspection))


def across_labels(found: Inspection, manifest: Manifest) -> list[tuple[str, ...]]:
    """The groups that are under more than one label."""
    label = {photo.path: photo.label for photo in manifest.photos}
    return [group for group in found.groups if len({label[path] for path in group}) > 1]


def apart(found: Inspection, split: Split) -> list[Pair]:
    """The pairs whose photos are in two parts: what was trained on is then tested with."""
    part = part_of(split)
    placed = (pair for pair in found.pairs if pair.one in part and pair.two in part)
    return [pair for pair in placed if part[pair.one] != part[pair.two]]


def part_of(split: Split) -> dict[str, str]:
    """The part of every photo that is in one."""
    return {path: part for part in ("train", "val", "test") for path in getattr(split, part)}


def divided(manifest: Manifest, part: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The groups (patients, plants, videos) whose photos are in more than one part, with those parts.

    A split that is made here has none; declared parts are kept as they are. part: of each photo that is in one.
    """
    parts: dict[str, set[str]] = {}
    for photo in manifest.photos:
        if photo.group and photo.path in part:
            parts.setdefault(photo.group, set()).add(part[photo.path])
    order = ("train", "val", "test")
    return {name: tuple(sorted(found, key=order.index)) for name, found in sorted(parts.items()) if len(found) > 1}


def divided_warnings(manifest: Manifest, part: Mapping[str, str]) -> list[str]:
    """What is to be said of groups in several parts; empty where there are none."""
    found = divided(manifest, part)
    if not found:
        return []
    leaked = Counter(
        part[photo.path]
        for photo in manifest.photos
        if photo.group in found and photo.path in part and part[photo.path] != found[photo.group][0]
    )
    sizes = Counter(part.values())
    shares = [
        said.format(n=f"{leaked[name]:,}", all=f"{sizes[name]:,}")
        for name, said in (("test", _("{n} of {all} test photos")), ("val", _("{n} of {all} validation photos")))
        if leaked[name]
    ]
    name, parts = next(iter(found.items()))
    text = ngettext(
        "{n} group is in two or more sets ({group}: {parts}): {shares} belong to groups that are "
        "in another set too, so accuracy is probably overestimated",
        "{n} groups are in two or more sets ({group}: {parts}): {shares} belong to groups that are "
        "in another set too, so accuracy is probably overestimated",
        len(found),
    )
    where = ", ".join(map(_, parts)) + ("; ..." if len(found) > 1 else "")
    return [text.format(n=f"{len(found):,}", group=name, parts=where, shares=", ".join(shares))]


def groups(manifest: Manifest) -> Counter[str]:
    """The photos of each group that a photo was given."""
    return Counter(photo.group for photo in manifest.photos if photo.group)


def grouping(manifest: Manifest) -> list[str]:
    """How many groups there are, how large, and what is wrong with the parts that were declared for their photos."""
    sizes = groups(manifest)
    if not sizes:
        return []
    n_single = len(manifest.photos) - sizes.total()
    text = ngettext(
        "{n} group of photos (patient, plant, video) is kept in one set; photos in it: {sizes}",
        "{n} groups of photos (patient, plant, video) are each kept in one set; photos in each: {sizes}",
        len(sizes),
    )
    least, most = f"{min(sizes.values()):,}", f"{max(sizes.values()):,}"
    each = most if least == most else _("{low} to {high}").format(low=least, high=most)
    said = text.format(n=f"{len(sizes):,}", sizes=each)
    if n_single:
        without = ngettext("{groups}; {n} photo has no group", "{groups}; {n} photos have no group", n_single)
        said = without.format(groups=said, n=f"{n_single:,}")
    return [said, *divided_warnings(manifest, {photo.path: photo.part for photo in manifest.photos if photo.part})]


def in_chains(found: Inspection) -> list[Pair]:
    """The pairs that are in no group together, because others of their groups are not confirmed to be the same."""
    group = {path: number for number, paths in enumerate(found.groups) for path in paths}
    return [pair for pair in found.pairs if group.get(pair.one, -1) != group.get(pair.two, -2)]


def warnings(found: Inspection, manifest: Manifest, split: Split) -> list[str]:
    """What may make a study's figures wrong, a sentence each."""
    said = []
    if several := across_labels(found, manifest):
        text = ngettext(
            "{n} group of duplicates has two or more labels ({paths})",
            "{n} groups of duplicates have two or more labels ({paths})",
            len(several),
        )
        said.append(text.format(n=len(several), paths=_listed(several[0], len(several))))
    if leaking := apart(found, split):
        text = ngettext(
            "data leakage: {n} pair of near duplicates is split across two sets ({paths})",
            "data leakage: {n} pairs of near duplicates are split across two sets ({paths})",
            len(leaking),
        )
        said.append(text.format(n=len(leaking), paths=_listed((leaking[0].one, leaking[0].two), len(leaking))))
    return said


def _listed(paths: Sequence[str], n: int) -> str:
    return " = ".join(paths) + (", ..." if n > 1 else "")


def count(found: Inspection) -> str:
    """How many groups there are, in a sentence."""
    if not found.groups:
        return _("no near duplicates")
    n_photos = sum(map(len, found.groups))
    return ngettext(
        "{n} group of near duplicates ({photos} photos), kept in one set",
        "{n} groups of near duplicates ({photos} photos), each kept in one set",
        len(found.groups),
    ).format(n=f"{len(found.groups):,}", photos=f"{n_photos:,}")


def describe(found: Inspection) -> list[str]:
    """Sizes, modes and formats, a line each."""
    sizes = sorted((tuple(map(int, size.split("x"))) for size in found.sizes), key=lambda size: size[0] * size[1])
    lines = []
    if len(sizes) == 1:
        lines.append(_("sizes: all {width}x{height}").format(width=sizes[0][0], height=sizes[0][1]))
    elif sizes:
        common, n = max(found.sizes.items(), key=lambda pair: (pair[1], pair[0]))
        least, most = (f"{width}x{height}" for width, height in (sizes[0], sizes[-1]))
        text = _("sizes: {least} to {most}, {n_sizes} different, most common {common} ({n})")
        lines.append(text.format(least=least, most=most, n_sizes=f"{len(sizes):,}", common=common, n=f"{n:,}"))
    lines.append(_("colour modes: {counts}").format(counts=_counts(found.modes)))
    lines.append(_("file formats: {counts}").format(counts=_counts(found.formats)))
    return lines


def _counts(of: Mapping[str, int]) -> str:
    ordered = sorted(of.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{name} {n:,}" for name, n in ordered)


def greys(manifest: Manifest) -> list[str]:
    """What is done with photos of more than 8 bits per channel, where there are any."""
    deep = manifest.deep
    if manifest.range is None:
        if deep is None:
            return []
        text = ngettext(
            "{n} photo has more than 8 bits per channel and is scaled by its file type, as when the "
            "study started; in a new folder (--out) all photos share one range",
            "{n} photos have more than 8 bits per channel and are scaled by their file types, as when "
            "the study started; in a new folder (--out) all photos share one range",
            deep.n_photos,
        )
        return [text.format(n=f"{deep.n_photos:,}")]
    low, high = map(value, manifest.range)
    if deep is None:
        text = _("range {low} to {high}: no effect, no photo has more than 8 bits per channel")
        return [text.format(low=low, high=high)]
    text = ngettext(
        "{n} photo has more than 8 bits per channel, with values from {least} to {most}: {low} is "
        "black and {high} is white (--range LOW-HIGH changes this)",
        "{n} photos have more than 8 bits per channel, with values from {least} to {most}: {low} "
        "is black and {high} is white (--range LOW-HIGH changes this)",
        deep.n_photos,
    )
    said = [text.format(n=f"{deep.n_photos:,}", least=value(deep.low), most=value(deep.high), low=low, high=high)]
    if deep.n_dark:
        text = ngettext(
            "{n} of these photos uses less than a sixteenth of the range {low} to {high} and is nearly black",
            "{n} of these photos use less than a sixteenth of the range {low} to {high} and are nearly black",
            deep.n_dark,
        )
        said.append(text.format(n=f"{deep.n_dark:,}", low=low, high=high))
    return said


def scaled(range: Range) -> str:
    """How grey values became pixels, in a sentence for the report."""
    low, high = map(value, range)
    text = _("Of photos with more than 8 bits per channel, the values {low} to {high} were scaled to 0 to 255.")
    return text.format(low=low, high=high)


def value(number: float) -> str:
    """A grey value as people write it."""
    return f"{number:,.0f}" if number == int(number) else f"{number:.4g}"


def classes(manifest: Manifest) -> list[str]:
    """What is told of classes with few photos, and of classes of very different sizes."""
    counts = Counter(photo.label for photo in manifest.photos)
    said = []
    for label in sorted(counts):
        if counts[label] < FEW_PHOTOS:
            text = ngettext(
                "class {label!r} has {n} photo; with fewer than {least} its results are unreliable",
                "class {label!r} has {n} photos; with fewer than {least} its results are unreliable",
                counts[label],
            )
            said.append(text.format(label=label, n=counts[label], least=FEW_PHOTOS))
    largest, smallest = max(counts, key=lambda label: counts[label]), min(counts, key=lambda label: counts[label])
    ratio = counts[largest] / counts[smallest]
    if ratio >= LARGE_RATIO:
        text = _(
            "imbalanced classes: {largest!r} has {ratio:.1f} times as many photos as {smallest!r}; "
            "balanced accuracy weights all classes equally, accuracy does not"
        )
        said.append(text.format(largest=largest, ratio=ratio, smallest=smallest))
    return said


def says(unusual: Unusual) -> str:
    """One unusual photo, in words."""
    texts: dict[Kind, str] = {
        "wrong extension": _("its content is {found}, unlike its extension"),
        "several frames": _("{found} frames, only the first is used"),
        "broken frames": _("the first frame is used; the rest of the file is corrupt"),
        "nearly one colour": _("nearly a single colour"),
        "small": _("only {found} pixels"),
        "long and narrow": _("{found} pixels; it is distorted when resized to a square"),
        "huge": _("{found} pixels"),
        "rare mode": _("colour mode {found}, unlike almost all others"),
    }
    return texts[unusual.kind].format(found=unusual.found)
