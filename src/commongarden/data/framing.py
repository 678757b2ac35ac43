"""Images resized to the size of a study: squashed, cropped or padded."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageOps

from commongarden.study.framing import SQUASHED, Framing

KINDS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
PADDING = (124, 116, 104)  # the mean colour of ImageNet, with which timm pads


def framed(picture: Image.Image, height: int, width: int, framing: Framing = SQUASHED) -> np.ndarray:
    """The image at this size, (height, width, 3) uint8. A new pixel is the mean over all pixels that it covers, so that
    nothing aliases. Equal to `timm.data.create_transform` with its crop_mode, interpolation and crop_pct."""
    kind = KINDS[framing.interpolation]
    target = math.floor(height / framing.crop_share), math.floor(width / framing.crop_share)
    picture = picture.resize(_resized_to(picture, target, framing)[::-1], kind)
    return np.asarray(_centre(picture, height, width))


def _resized_to(picture: Image.Image, target: tuple[int, int], framing: Framing) -> tuple[int, int]:
    """(height, width) before the centre is cut out. target: the size of the centre over crop_share."""
    if framing.resize == "squash":
        return target
    sides = picture.height, picture.width
    if framing.resize == "crop" and target[0] == target[1]:  # as torchvision: the longer side is rounded down
        short = min(sides)
        return (
            target[0] if sides[0] == short else int(target[0] * sides[0] / short),
            target[1] if sides[1] == short else int(target[1] * sides[1] / short),
        )
    ratios = [side / wanted for side, wanted in zip(sides, target, strict=True)]
    ratio = max(ratios) if framing.resize == "pad" else min(ratios)
    height, width = (max(1, round(side / ratio)) for side in sides)
    return height, width


def _centre(picture: Image.Image, height: int, width: int) -> Image.Image:
    """The centre of the image, padded where the image is smaller."""
    missing_height, missing_width = max(0, height - picture.height), max(0, width - picture.width)
    if missing_height or missing_width:
        border = (missing_width // 2, missing_height // 2, (missing_width + 1) // 2, (missing_height + 1) // 2)
        picture = ImageOps.expand(picture, border, PADDING)
    top, left = round((picture.height - height) / 2), round((picture.width - width) / 2)
    if (top, left) == (0, 0) and picture.size == (width, height):
        return picture
    return picture.crop((left, top, left + width, top + height))
