"""A photo with the evidence that a network finds in it, as a picture."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

PIXELS = 128  # of the picture, per side
HEAT = ((0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))  # inferno, from none to most evidence
STRONGEST = 0.75  # how much the strongest evidence covers of the photo


def jpeg(photo: np.ndarray, lit: np.ndarray | None = None) -> bytes:
    """A photo (height, width, 3) uint8; with evidence (h, w) in 0..1: in grey, the evidence on it as heat."""
    size = (PIXELS, PIXELS)
    picture = Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC)
    if lit is not None:
        strength = Image.fromarray(np.round(255 * lit).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
        weight = np.asarray(strength, np.float32) / 255
        places, anchors = np.linspace(0, 1, len(HEAT)), np.array(HEAT, np.float32)
        heat = np.stack([np.interp(weight, places, anchors[:, i]) for i in range(3)], axis=-1)
        cover = STRONGEST * weight[..., None]
        grey = np.asarray(picture.convert("L"), np.float32)[..., None]
        picture = Image.fromarray(np.round(cover * heat + (1 - cover) * grey).astype(np.uint8))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()
