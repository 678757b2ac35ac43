"""From a manifest to its inspection: every photo looked at small, all compared with all; kept beside decoded images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np
import numpy.typing as npt

from commongarden.data import image, near_duplicates, result_cache
from commongarden.data.looks import FileFacts, Looks
from commongarden.data.near_duplicates import Match
from commongarden.data.split import duplicates
from commongarden.errors import DataError
from commongarden.i18n.language import _
from commongarden.records import Manifest, Photo
from commongarden.records.inspection import INSPECTION_SCHEMA, Inspection, Kind, Pair, Unusual

MOST_SHOWN = 40  # groups whose pictures are kept
MOST_IN_GROUP = 8
PICTURE_PIXELS = 128
SMALL = 32
NARROW = 4
HUGE = 50_000_000
RARE = 0.05
_SUFFIXES = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "MPO": {".jpg", ".jpeg", ".mpo"},
    "PNG": {".png", ".apng"},
    "WEBP": {".webp"},
    "BMP": {".bmp", ".dib"},
    "GIF": {".gif"},
    "TIFF": {".tif", ".tiff"},
    "AVIF": {".avif", ".avifs"},
    "HEIF": {".heic", ".heif", ".hif"},
    "JPEG2000": {".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"},
    "PPM": {".ppm", ".pgm", ".pbm", ".pnm", ".pfm"},
    "TGA": {".tga"},
}

OnProgress = Callable[[str, int, int], None]  # what is being done, how many done, how many in all


def inspect(
    manifest: Manifest,
    cache_folder: Path | None,
    on_progress: OnProgress | None = None,
    tell: result_cache.Tell | None = None,
    looks: Looks | None = None,
) -> Inspection | None:
    """The inspection of a manifest's photos, made once for their contents and names and kept in `cache_folder`.

    None for a built-in data set, whose photos are drawn one unlike the other. tell: hears where what was kept was torn.
    looks: what was seen of the photos when they were read for the manifest; the others are read here.
    A photo that cannot be read any more takes no part, and the inspection is then not kept.
    """
    if manifest.root.startswith(image.BUILTIN):
        return None
    key = result_cache.key("inspection", [manifest.hash], ["pillow", "scipy"])
    kept = None if cache_folder is None else result_cache.recall(cache_folder, key, tell)
    if kept is not None:
        return msgspec.json.decode(kept, type=Inspection)
    found, gone = _inspected(manifest, on_progress, looks)
    if gone and tell is not None:
        text = _("photos that can no longer be read: {n}, such as {path}")
        tell(text.format(n=len(gone), path=gone[0]))
    if cache_folder is not None and not gone:
        result_cache.keep(cache_folder, key, msgspec.json.encode(found))
    return found


def _inspected(manifest: Manifest, on_progress: OnProgress | None, looks: Looks | None) -> tuple[Inspection, list[str]]:
    def told(what: str) -> Callable[[int, int], None] | None:
        return None if on_progress is None else lambda done, total: on_progress(what, done, total)

    copies = duplicates(manifest.photos)
    first = [group[0] for group in copies]
    looks = looks or Looks(len(first))
    each = partial(looks.of, manifest.root, manifest.range)
    found = list(image.in_threads(each, first, told(_("inspecting photos"))))
    gone = [photo.path for photo, place in zip(first, found, strict=True) if place is None]
    copies = [group for group, place in zip(copies, found, strict=True) if place is not None]
    places = np.array([place for place in found if place is not None], dtype=np.int64)
    first, facts = [group[0] for group in copies], [looks.facts[place] for place in places]
    plain = near_duplicates.featureless(looks.small, places)
    matches = near_duplicates.matches(looks.small, places, plain, told(_("comparing photos")))
    pairs = tuple(
        Pair(first[match.one].path, first[match.two].path, match.likeness, match.mirrored) for match in matches
    )
    groups = _groups(copies, matches)
    inspection = Inspection(
        schema=INSPECTION_SCHEMA,
        data=manifest.hash,
        pairs=pairs,
        groups=groups,
        sizes=_counted(copies, [f"{one.width}x{one.height}" for one in facts]),
        modes=_counted(copies, [one.mode for one in facts]),
        formats=_counted(copies, [one.format for one in facts]),
        unusual=_unusual(copies, facts, plain),
        pictures=_pictures(manifest, groups),
    )
    return inspection, gone


def _groups(copies: Sequence[tuple[Photo, ...]], matches: Sequence[Match]) -> tuple[tuple[str, ...], ...]:
    near = near_duplicates.groups(matches)
    inside = {place for group in near for place in group}
    near += [(place,) for place, photos in enumerate(copies) if len(photos) > 1 and place not in inside]
    return tuple(sorted(tuple(sorted(photo.path for place in group for photo in copies[place])) for group in near))


def _counted(copies: Sequence[tuple[Photo, ...]], values: Sequence[str]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for photos, value in zip(copies, values, strict=True):
        counts[value] += len(photos)
    return dict(sorted(counts.items()))


def _unusual(
    copies: Sequence[tuple[Photo, ...]], facts: Sequence[FileFacts], plain: npt.NDArray[np.bool_]
) -> tuple[Unusual, ...]:
    modes = Counter(one.mode for one in facts)
    found = []
    for photos, one, is_plain in zip(copies, facts, plain, strict=True):
        sides, size = sorted((one.width, one.height)), f"{one.width}x{one.height}"
        for photo in photos:
            suffix = PurePosixPath(photo.path).suffix.lower()
            seen: tuple[tuple[Kind, str, bool], ...] = (
                ("wrong extension", one.format, suffix not in _SUFFIXES.get(one.format, {suffix})),
                ("several frames", str(one.n_frames), one.n_frames > 1 and one.format != "MPO"),
                ("broken frames", "", one.n_frames == 0),
                ("nearly one colour", "", is_plain),
                ("small", size, sides[0] < SMALL),
                ("long and narrow", size, sides[1] >= NARROW * sides[0]),
                ("huge", size, one.width * one.height > HUGE),
                ("rare mode", one.mode, modes[one.mode] < RARE * len(facts)),
            )
            found += [Unusual(photo.path, kind, what) for kind, what, is_so in seen if is_so]
    return tuple(sorted(found, key=lambda item: (item.kind, item.path)))


def _pictures(manifest: Manifest, groups: Sequence[tuple[str, ...]]) -> dict[str, bytes]:
    """Of the groups that matter most: those under several labels, then the largest."""
    label = {photo.path: photo.label for photo in manifest.photos}
    ordered = sorted(groups, key=lambda group: (len({label[path] for path in group}) == 1, -len(group), group))
    shown = [path for group in ordered[:MOST_SHOWN] for path in group[:MOST_IN_GROUP]]
    stored, pictures = {photo.path: photo.stored for photo in manifest.photos}, {}
    for path in shown:
        with suppress(DataError):  # gone since it was read: the others are shown
            pictures[path] = image.jpeg(manifest.root, path, PICTURE_PIXELS, manifest.range, stored=stored[path])
    return pictures
