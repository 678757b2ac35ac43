"""From a manifest to its inspection: every photo looked at small, all compared with all; kept beside decoded images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np
from PIL import Image

from commongarden.data import image, near_duplicates, result_cache
from commongarden.data.near_duplicates import Match
from commongarden.data.split import duplicates
from commongarden.errors import DataError
from commongarden.i18n.language import _
from commongarden.records import Manifest, Photo, Range
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


@dataclass(frozen=True, eq=False)
class Looked:
    """One photo: what its file has, and a small grey picture of it, (SIDE, SIDE) uint8. n_frames: 0 where all behind
    the first are broken."""

    format: str
    mode: str
    width: int
    height: int
    n_frames: int
    small: np.ndarray


def inspect(
    manifest: Manifest,
    cache_folder: Path | None,
    on_progress: OnProgress | None = None,
    tell: result_cache.Tell | None = None,
) -> Inspection | None:
    """The inspection of a manifest's photos, made once for their contents and names and kept in `cache_folder`.

    None for a built-in data set, whose photos are drawn one unlike the other. tell: hears where what was kept was torn.
    A photo that cannot be read any more takes no part, and the inspection is then not kept.
    """
    if manifest.root.startswith(image.BUILTIN):
        return None
    key = result_cache.key("inspection", [manifest.hash], ["pillow", "scipy"])
    kept = None if cache_folder is None else result_cache.recall(cache_folder, key, tell)
    if kept is not None:
        return msgspec.json.decode(kept, type=Inspection)
    found, gone = _inspected(manifest, on_progress)
    if gone and tell is not None:
        text = _("photos that can no longer be read: {n}, such as {path}")
        tell(text.format(n=len(gone), path=gone[0]))
    if cache_folder is not None and not gone:
        result_cache.keep(cache_folder, key, msgspec.json.encode(found))
    return found


def look(root: Path, range: Range | None, photo: Photo) -> Looked | None:
    """Reads one photo; None where it is gone or changed since the manifest was made."""
    try:
        data = image.read_bytes(root / photo.path)
        kind, mode, width, height, n_frames = image.header(data)
        picture = image.decode(data, at_least=2 * near_duplicates.SIDE, range=range)
        return Looked(kind, mode, width, height, n_frames, small(picture))
    except DataError:
        return None


def small(picture: Image.Image) -> np.ndarray:
    """The grey picture that photos are compared by."""
    size = (near_duplicates.SIDE, near_duplicates.SIDE)
    return np.asarray(picture.convert("L").resize(size, Image.Resampling.BILINEAR))


def _inspected(manifest: Manifest, on_progress: OnProgress | None) -> tuple[Inspection, list[str]]:
    def told(what: str) -> Callable[[int, int], None] | None:
        return None if on_progress is None else lambda done, total: on_progress(what, done, total)

    copies = duplicates(manifest.photos)
    first = [group[0] for group in copies]
    each = partial(look, Path(manifest.root), manifest.range)
    seen = list(image.in_threads(each, first, told(_("inspecting photos"))))
    gone = [photo.path for photo, one in zip(first, seen, strict=True) if one is None]
    copies = [group for group, one in zip(copies, seen, strict=True) if one is not None]
    first, looked = [group[0] for group in copies], [one for one in seen if one is not None]
    matches = near_duplicates.matches(np.stack([one.small for one in looked]), told(_("comparing photos")))
    pairs = tuple(
        Pair(first[match.one].path, first[match.two].path, match.likeness, match.mirrored) for match in matches
    )
    groups = _groups(copies, matches)
    inspection = Inspection(
        schema=INSPECTION_SCHEMA,
        data=manifest.hash,
        pairs=pairs,
        groups=groups,
        sizes=_counted(copies, [f"{one.width}x{one.height}" for one in looked]),
        modes=_counted(copies, [one.mode for one in looked]),
        formats=_counted(copies, [one.format for one in looked]),
        unusual=_unusual(copies, looked),
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


def _unusual(copies: Sequence[tuple[Photo, ...]], looked: Sequence[Looked]) -> tuple[Unusual, ...]:
    modes = Counter(one.mode for one in looked)
    plain = near_duplicates.featureless(np.stack([one.small for one in looked]))
    found = []
    for photos, one, is_plain in zip(copies, looked, plain, strict=True):
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
                ("rare mode", one.mode, modes[one.mode] < RARE * len(looked)),
            )
            found += [Unusual(photo.path, kind, what) for kind, what, is_so in seen if is_so]
    return tuple(sorted(found, key=lambda item: (item.kind, item.path)))


def _pictures(manifest: Manifest, groups: Sequence[tuple[str, ...]]) -> dict[str, bytes]:
    """Of the groups that matter most: those under several labels, then the largest."""
    label = {photo.path: photo.label for photo in manifest.photos}
    ordered = sorted(groups, key=lambda group: (len({label[path] for path in group}) == 1, -len(group), group))
    shown = [path for group in ordered[:MOST_SHOWN] for path in group[:MOST_IN_GROUP]]
    pictures = {}
    for path in shown:
        with suppress(DataError):  # gone since it was read: the others are shown
            pictures[path] = image.jpeg(manifest.root, path, PICTURE_PIXELS, manifest.range)
    return pictures
