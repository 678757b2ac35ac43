"""A few training photos as a network sees them: each beside versions that the study's data augmentation makes of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from commongarden.data import image
from commongarden.data.on_the_fly import Originals
from commongarden.data.random_transforms import Augmenter, random_crops
from commongarden.errors import DataError
from commongarden.records import Manifest, Split
from commongarden.store import augmented as names
from commongarden.study import Study
from commongarden.study.augmentation import Augment

PHOTOS, VERSIONS = 4, 3
PIXELS = 96  # of the longer side, at most


def samples(study: Study, manifest: Manifest, split: Split) -> dict[str, bytes]:
    """JPEG bytes by `store.augmented.name`; the same ones every time. Empty where nothing is augmented.

    The photos are the first of the training part, of different classes as far as there are."""
    recipe = study.recipe
    plan = replace(recipe.augmentation, mixup=0.0, cutmix=0.0)  # a mixed image is of two photos
    originals = Originals(manifest, recipe.resolution, recipe.interpolation)
    places = {photo.path: place for place, photo in enumerate(manifest.photos)}
    found: dict[str, bytes] = {}
    for number, photo in enumerate(_chosen(manifest, split) if plan != Augment() else ()):
        generator, size = torch.Generator().manual_seed(number), recipe.resolution
        try:
            stored = manifest.photos[places[photo]].stored
            pixels = image.pixels(manifest.root, photo, size, size, manifest.range, recipe.framing, stored=stored)
            shown = np.stack([pixels] * VERSIONS)  # as training begins with it
            if "random-resized-crop" in plan.kinds:
                pictures = [originals.picture(places[photo])] * VERSIONS
                shown = random_crops(pictures, size, plan, originals.interpolation, generator)
        except DataError:  # taken away since it was decoded
            continue
        batch = torch.from_numpy(shown).permute(0, 3, 1, 2)
        changed, _labels = Augmenter(plan)(batch, torch.zeros(VERSIONS, dtype=torch.int64), generator)
        made = changed.permute(0, 2, 3, 1).numpy()
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
