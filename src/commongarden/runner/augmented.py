"""A few training photos as a network sees them: each beside versions that the study's data augmentation makes of it."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from commongarden.data import image
from commongarden.data.augment import augment
from commongarden.errors import DataError
from commongarden.records import Manifest, Split
from commongarden.store import augmented as names
from commongarden.study import Study

PHOTOS, VERSIONS = 4, 3
PIXELS = 96  # of the longer side, at most


def samples(study: Study, manifest: Manifest, split: Split) -> dict[str, bytes]:
    """JPEG bytes by `store.augmented.name`; the same ones every time. Empty where nothing is augmented.

    The photos are the first of the training part, of different classes as far as there are."""
    kinds, size = study.recipe.augment, study.recipe.resolution
    found: dict[str, bytes] = {}
    for place, photo in enumerate(_chosen(manifest, split) if kinds else ()):
        try:
            pixels = image.pixels(manifest.root, photo, size, size, manifest.range)
        except DataError:  # taken away since it was decoded
            continue
        batch = torch.from_numpy(np.stack([pixels] * VERSIONS)).permute(0, 3, 1, 2)
        made = augment(batch, kinds, torch.Generator().manual_seed(place)).permute(0, 2, 3, 1).numpy()
        for version, one in enumerate((pixels, *made), names.ORIGINAL):
            found[names.name(photo, version)] = _jpeg(one)
    return found


def _chosen(manifest: Manifest, split: Split) -> Sequence[str]:
    labels = {photo.path: photo.label for photo in manifest.photos}
    first: dict[str, str] = {}
    for path in split.train:
        first.setdefault(labels[path], path)
    return [*first.values(), *(path for path in split.train if path not in first.values())][:PHOTOS]


def _jpeg(pixels: np.ndarray) -> bytes:
    picture = Image.fromarray(pixels)
    picture.thumbnail((PIXELS, PIXELS), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()
