"""Photos with more than 8 bits per channel: their values, the one range of all photos of a study, scaled to 8 bits.

Cameras, microscopes and scanners write 10, 12 or 14 bits into files of 16. Which of the 65,536 values are black and
white is found from all photos together, since a scale for each photo would hide how bright they are.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from commongarden.data import mending
from commongarden.i18n.coded import NOTHING, Coded
from commongarden.i18n.language import N_
from commongarden.records import Deep, Range

LIMITS = (1, 255, 1023, 4095, 16383, 65535)  # white at a depth that cameras and scanners have; 1: a mask
FULL = (0.0, 65535.0)
DARK = 16  # a photo with values only in so small a share of the range has few of the 256 levels
_NATIVE = "L" if sys.byteorder == "little" else "B"
_OTHER_BYTE = {"L": "B", "B": "L", "N": {"L": "B", "B": "L"}[_NATIVE]}


@dataclass(frozen=True)
class Span:
    """The values of one photo: smallest, largest, whether all are whole numbers. declared: the range that its file
    names, where all of them are in it."""

    low: float
    high: float
    whole: bool
    declared: Range | None = None


def values(picture: Image.Image, again: Image.Image | None = None) -> np.ndarray | None:
    """The values of a loaded picture, (height, width) or (height, width, 3); None where it has 8 bits per channel.

    again: the same file, opened and not loaded. Pillow gives colours of 16 bits as their upper bytes; read with the
    other byte order, the lower ones come.
    """
    if picture.mode.startswith(("I", "F")):
        return np.asarray(picture)
    if again is None or not (raw := _raw_mode(again)):
        return None
    upper = np.asarray(picture)
    if raw == "LA;16B":  # four bytes a pixel, which are the two of the grey and the two of its transparency
        _set_raw_mode(again, "RGBA")
        bytes_of = np.asarray(again).astype(np.uint16)
        return np.repeat(bytes_of[..., :1] << 8 | bytes_of[..., 1:2], 3, axis=2)
    _set_raw_mode(again, raw[:-1] + _OTHER_BYTE[raw[-1]])
    lower = np.asarray(again)
    both: np.ndarray = upper[..., :3].astype(np.uint16) << 8 | lower[..., :3]
    return both


def has_deep_colours(picture: Image.Image) -> bool:
    """Whether an opened picture, not yet loaded, has colours of 16 bits, of which Pillow gives 8."""
    return bool(_raw_mode(picture))


def span(picture: Image.Image, data: bytes, found: np.ndarray) -> Span:
    """The values of one photo, from its file's bytes."""
    finite = found[np.isfinite(found)] if found.dtype.kind == "f" else found
    if not finite.size:
        return Span(0.0, 0.0, True)
    low, high = float(finite.min()), float(finite.max())
    declared = _declared(picture, data, high)
    if declared is not None and not declared[0] <= low <= high <= declared[1]:
        declared = None
    return Span(low, high, found.dtype.kind != "f" or bool(np.all(finite == np.rint(finite))), declared)


def together(spans: Iterable[Span], wanted: Range | None) -> tuple[Range | None, Deep | None]:
    """The range of a study's photos, and what was found in them; nothing where all have 8 bits.

    It is the one that is wanted, else the one that the files declare, else the smallest depth that holds all values.
    """
    all_of = list(spans)
    if not all_of:
        return wanted, None
    low, high = min(one.low for one in all_of), max(one.high for one in all_of)
    declared = [one.declared for one in all_of if one.declared is not None]
    if wanted is not None:
        range = wanted
    elif len(declared) == len(all_of):
        range = (min(one[0] for one in declared), max(one[1] for one in declared))
    else:
        range = _smallest(low, high, all(one.whole for one in all_of))
    dark = range[0] + (range[1] - range[0]) / DARK
    return range, Deep(len(all_of), low, high, sum(one.high < dark for one in all_of))


def other_range(found: Span | None, range: Range | None) -> Coded:
    """Why the values of a new photo may mean another brightness than those a network was trained on, as a record; ""
    where they mean the same. range: that of the training."""
    if found is None:
        return NOTHING
    if range is None:
        return N_("it has more than 8 bits per channel, and the model was trained on photos of 8 bits")
    low, high = range
    bounds = {"low": f"{low:g}", "high": f"{high:g}"}
    if found.low < low or found.high > high:
        return N_("it has values outside the range of the training photos, {low} to {high}").format(**bounds)
    if found.high < low + (high - low) / DARK:
        text = N_("all its values are in the darkest sixteenth of the range of the training photos, {low} to {high}")
        return text.format(**bounds)
    return NOTHING


def eight_bits(picture: Image.Image, range: Range | None) -> Image.Image:
    """A picture of mode I or F as mode L, or LA where the file names a transparent value."""
    values = np.asarray(picture).astype(np.float64)
    low, high = _own_range(picture, values) if range is None else range
    levels = scaled(values, (low, high))
    if range is not None and _white_is_zero(picture):
        levels = 255 - levels
    grey = Image.fromarray(levels)
    transparent = picture.info.get("transparency")
    if not isinstance(transparent, int):
        return grey
    alpha = Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, alpha))


def scaled(values: np.ndarray, range: Range) -> np.ndarray:
    """Values as 0 to 255, those beyond the range as its ends: uint8."""
    low, high = range
    finite = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
    return np.clip(np.rint((finite - low) * (255 / (high - low or 1))), 0, 255).astype(np.uint8)


def _white_is_zero(picture: Image.Image) -> bool:
    """Of a TIFF, as scanners of films write; Pillow turns such greys round where they have 8 bits, and no others."""
    tags = getattr(picture, "tag_v2", None)
    return tags is not None and tags.get(262) == 0


def _smallest(low: float, high: float, whole: bool) -> Range:
    if low >= 0 and (whole or high <= 1):
        limit = next((limit for limit in LIMITS if high <= limit), None)
        if limit is not None:
            return 0.0, float(limit)
    return low, high if high > low else low + 1


def _own_range(picture: Image.Image, values: np.ndarray) -> Range:
    """The rule of studies without a range, which were begun before there was one: 0 and the smallest limit that holds
    all values of this photo, else their own extremes."""
    if picture.mode.startswith("I;16") or picture.format == "PNG":
        return FULL
    limits = (1.0, 255.0, 65535.0) if picture.mode == "F" else (255.0, 65535.0)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return next(((0.0, limit) for limit in limits if low >= 0 and high <= limit), (low, high))


def _declared(picture: Image.Image, data: bytes, high: float) -> Range | None:
    """The range that a file names. All 16 bits are no declaration: programs write that of any 16-bit file."""
    if picture.format in ("JPEG2000", "PPM"):  # of another depth than 16 bits they were scaled to it
        return FULL if picture.mode.startswith("I") and _own_limit(picture, data) != FULL[1] else None
    tags = getattr(picture, "tag_v2", None)
    if tags is not None:
        for least, most in ((340, 341), (280, 281)):  # SMinSampleValue, SMaxSampleValue; MinSampleValue, ...
            if most in tags:
                bounds = _number(tags.get(least, 0)), _number(tags[most])
                return bounds if bounds[0] < bounds[1] and bounds != FULL else None
        bits = int(_number(tags.get(258, 1)))
        return (0.0, 2.0**bits - 1) if 8 < bits < 16 else None
    bits = _significant_bits(data) if picture.format == "PNG" else 0
    return (0.0, 2.0**bits - 1) if 8 < bits < 16 and high < 2**bits else None


def _own_limit(picture: Image.Image, data: bytes) -> int:
    """White as a JPEG 2000 or PGM file has it."""
    if picture.format == "PPM":
        return int(re.sub(rb"#[^\n]*", b"", data[:4096]).split(maxsplit=4)[3])
    start = data.find(b"\xff\x4f\xff\x51")  # of the codestream; its size segment holds the precision
    bits = data[start + 42] % 128 + 1
    return (1 << bits) - 1


def _number(value: object) -> float:
    first = value[0] if isinstance(value, tuple) else value
    return float(first)  # type: ignore[arg-type]


def _significant_bits(data: bytes) -> int:
    """Of a PNG's chunk sBIT; 0 where it has none."""
    for name, chunk in mending.chunks(data):
        if name == b"sBIT" and len(chunk) > 12:
            return chunk[8]
        if name == b"IDAT":
            break
    return 0


def _raw_mode(picture: Image.Image) -> str:
    """How the file of an opened picture holds colours of 16 bits; "" where it holds none."""
    raws = {
        tile.args if isinstance(tile.args, str) else (tile.args or ("",))[0] for tile in getattr(picture, "tile", [])
    }
    raw = raws.pop() if len(raws) == 1 else ""
    known = ("RGB;16", "RGBX;16", "RGBA;16")
    return raw if isinstance(raw, str) and (raw == "LA;16B" or raw[:-1] in known) else ""


def _set_raw_mode(picture: Image.Image, raw: str) -> None:
    def changed(args: object) -> object:
        return raw if isinstance(args, str) else (raw, *args[1:])  # type: ignore[index]

    picture.tile = [tile._replace(args=changed(tile.args)) for tile in picture.tile]  # type: ignore[attr-defined]
