"""A loaded picture as people see it: upright, in sRGB, on white where it is transparent."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from commongarden.data import greys
from commongarden.records import Range

_UPRIGHT = {  # EXIF orientation (tag 274) -> what turns the stored picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def as_seen(picture: Image.Image, deep: np.ndarray | None, range: Range | None) -> Image.Image:
    """The picture in RGB. deep: its values where it has more than 8 bits per channel; range: those of them that become
    0 and 255, None for the rule of studies that have no range."""
    upright = _UPRIGHT.get(_orientation(picture))
    profile = picture.info.get("icc_profile")
    if picture.mode.startswith(("I", "F")):
        picture = greys.eight_bits(picture, range)
    alpha = None
    if picture.has_transparency_data:
        alpha = picture.convert("RGBA").getchannel("A")
    if deep is not None and deep.ndim == 3 and range is not None:
        picture = Image.fromarray(greys.scaled(deep, range))
    elif picture.mode in ("L", "LA"):
        picture = picture.convert("L")
    elif picture.mode != "CMYK":
        # convert("RGB") turns a PNG's transparent colour into another one where it can; RGBA leaves colours alone
        picture = picture.convert("RGB") if alpha is None else picture.convert("RGBA").convert("RGB")
    picture = _in_srgb(picture, profile)
    if alpha is not None:
        picture = Image.composite(picture, Image.new("RGB", picture.size, "white"), alpha)
    return picture if upright is None else picture.transpose(upright)


def scale_transparency(picture: Image.Image, depth: int) -> None:
    """Pillow scales a PNG's pixels to 8 bits, but keeps the colour that is transparent as the file has it."""
    transparent = picture.info.get("transparency")
    if depth in (2, 4) and picture.mode == "L" and isinstance(transparent, int):
        picture.info["transparency"] = transparent * 255 // (2**depth - 1)
    elif depth == 16 and isinstance(transparent, tuple):
        picture.info["transparency"] = tuple(value >> 8 for value in transparent)


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(274, 1))
    except Exception:  # EXIF written by a broken program must not cost the photo
        return 1


def _in_srgb(picture: Image.Image, profile: object) -> Image.Image:
    transform = _to_srgb(profile, picture.mode) if isinstance(profile, bytes) and profile else None
    return picture.convert("RGB") if transform is None else transform.apply(picture)


@lru_cache(maxsize=16)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From the colours of an ICC profile to sRGB; None where they are sRGB already, or where the profile is broken."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, ImportError, OSError, TypeError, ValueError):
        return None
