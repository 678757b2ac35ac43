"""What `commongarden data check` says of photos: as plain data, in lines to read, and as a sheet of pictures."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from commongarden.data import folder, image
from commongarden.data.stored import file_of
from commongarden.errors import DataError
from commongarden.i18n.language import _, ngettext
from commongarden.records import Manifest, inspection
from commongarden.records.inspection import Inspection

MOST_LINES = 10  # of one kind of finding
PICTURE = 128
GAP = 6
WIDTH = 1400
LETTERS = 11  # pixels
# as Linux distributions, Windows and macOS call theirs; Pillow looks where each keeps its fonts
KOREAN_FONTS = ("NanumGothic.ttf", "NotoSansCJK-Regular.ttc", "malgun.ttf", "AppleSDGothicNeo.ttc")
MOST_ON_SHEET = 200  # photos
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def summary(manifest: Manifest, found: Inspection | None) -> dict[str, Any]:
    """What is added to `folder.summary`: pictures that are there more than once (groups with the labels and declared
    parts of their photos, the confirmed pairs with their likeness), sizes, modes, formats, unusual photos; notes on
    photos, on classes and on groups (patients, plants, videos), the photos of each group, and the groups that declared
    parts divide; greys where photos have more than 8 bits per channel. Without an inspection (drawn photos) the last
    four alone."""
    parts = {photo.path: photo.part for photo in manifest.photos if photo.part}
    table: dict[str, Any] = {
        "notes": [*inspection.greys(manifest), *inspection.classes(manifest), *inspection.grouping(manifest)],
        "groups": dict(sorted(inspection.groups(manifest).items())),
        "divided_groups": {name: list(found) for name, found in inspection.divided(manifest, parts).items()},
    }
    if manifest.deep is not None:
        table["greys"] = {**dataclasses.asdict(manifest.deep), "range": manifest.range}
    if found is None:
        return table
    of = {photo.path: photo for photo in manifest.photos}
    return table | {
        "near_duplicates": [
            {
                "paths": list(group),
                "labels": [of[path].label for path in group],
                "parts": [of[path].part for path in group if of[path].part],
            }
            for group in found.groups
        ],
        "pairs": [
            {"paths": [pair.one, pair.two], "likeness": pair.likeness, "mirrored": pair.mirrored}
            for pair in found.pairs
        ],
        "sizes": found.sizes,
        "modes": found.modes,
        "formats": found.formats,
        "unusual": [{"path": item.path, "kind": item.kind, "found": item.found} for item in found.unusual],
    }


def describe(found: dict[str, Any], inspected: Inspection | None) -> str:
    """Both summaries in lines to read."""
    lines = [folder.describe(found), *found["notes"]]
    if inspected is None:
        return "\n".join([*lines, _("the photos are synthetic and all different; duplicates were not searched for")])
    lines += inspection.describe(inspected)
    lines.append(inspection.count(inspected))
    groups = found["near_duplicates"]
    n_labels, n_parts = (sum(len(set(group[key])) > 1 for group in groups) for key in ("labels", "parts"))
    weighed = sorted(groups, key=lambda group: (-len(set(group["labels"])), -len(set(group["parts"])), group["paths"]))
    lines += _shortened([f"  {' = '.join(group['paths'])}" for group in weighed])
    lines.append(_("  of these with two or more labels: {n}").format(n=n_labels))
    if found["parts"]:
        lines.append(_("  in two or more sets: {n}").format(n=n_parts))
    chains = inspection.in_chains(inspected)
    if chains:
        text = ngettext(
            "  {n} more pair of duplicates links two groups whose other photos differ",
            "  {n} more pairs of duplicates link two groups whose other photos differ",
            len(chains),
        )
        lines.append(text.format(n=len(chains)))
    lines.append(_("unusual photos: {n}").format(n=len({item.path for item in inspected.unusual})))
    kinds = Counter(item.kind for item in inspected.unusual)
    for kind in kinds:
        said = [f"  {item.path}: {inspection.says(item)}" for item in inspected.unusual if item.kind == kind]
        lines += _shortened(said)
    return "\n".join(lines)


def draw_sheet(manifest: Manifest, found: Inspection | None, path: Path) -> None:
    """A picture of every group, a frame round each and its labels below. Raises DataError where it cannot be written,
    and where there is nothing to draw."""
    groups = [] if found is None else list(found.groups)
    if not groups:
        raise DataError(_("{path}: not written, no duplicates were found").format(path=path))
    of = {photo.path: photo.label for photo in manifest.photos}
    stored = {photo.path: photo.stored for photo in manifest.photos}
    places, height = _laid_out(groups)
    sheet = Image.new("RGB", (WIDTH, height), "white")
    pen = ImageDraw.Draw(sheet)
    font, names = _lettered({path: f"{of[path]}: {Path(path).name}"[:22] for group, _ in places for path in group})
    for group, corners in places:
        for photo, (x, y) in zip(group, corners, strict=True):
            with suppress(DataError):  # gone since it was read: its place stays empty
                picture = image.read(file_of(manifest.root, photo, stored[photo]), manifest.range)
                picture.thumbnail((PICTURE, PICTURE))
                sheet.paste(picture, (x, y))
            pen.text((x, y + PICTURE + 2), names[photo], "black", font)
        left, top = corners[0]
        right, bottom = corners[-1]
        if top == bottom:
            pen.rectangle((left - 3, top - 3, right + PICTURE + 2, bottom + PICTURE + 16), outline="#999999")
    try:
        sheet.save(path)
    except (OSError, ValueError) as error:
        message = _("{path}: cannot be written ({reason}); accepted: a name that ends in .png or .jpg")
        raise DataError(message.format(path=path, reason=error)) from None


def _lettered(names: Mapping[str, str]) -> tuple[Font, Mapping[str, str]]:
    """A font, and the names as it can write them: Pillow's own knows European letters only, so that for others it is
    the first of the system's that knows Korean ones too, and without any they are question marks."""
    european = {photo: name.encode("latin-1", "replace").decode("latin-1") for photo, name in names.items()}
    if european != names:
        for file in KOREAN_FONTS:
            with suppress(OSError):
                return ImageFont.truetype(file, LETTERS), names
    return ImageFont.load_default(size=LETTERS), european


def _laid_out(groups: Sequence[Sequence[str]]) -> tuple[list[tuple[Sequence[str], list[tuple[int, int]]]], int]:
    """Each group with a corner for each photo, in rows of WIDTH pixels; and the height that they take."""
    x, y, places, n = GAP, GAP, [], 0
    for group in groups:
        if n >= MOST_ON_SHEET:
            break
        n += len(group)
        width = len(group) * (PICTURE + 2)
        if x > GAP and x + width > WIDTH:
            x, y = GAP, y + PICTURE + 20 + GAP
        corners = []
        for _photo in group:
            if x + PICTURE > WIDTH:
                x, y = GAP, y + PICTURE + 20 + GAP
            corners.append((x, y))
            x += PICTURE + 2
        places.append((group, corners))
        x += 2 * GAP
    return places, y + PICTURE + 20 + GAP


def _shortened(lines: Sequence[str]) -> list[str]:
    if len(lines) <= MOST_LINES:
        return list(lines)
    return [*lines[:MOST_LINES], _("  and {n} more (--json lists all)").format(n=f"{len(lines) - MOST_LINES:,}")]
