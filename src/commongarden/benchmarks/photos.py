"""The photos that are trained on: a folder of drawn JPEGs, and a sample of a folder that the user gives."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from commongarden.data import folder, image
from commongarden.data.stored import file_of
from commongarden.errors import DataError
from commongarden.i18n.language import _
from commongarden.records.benchmark import GENERATED, Folder

N_CLASSES = 5
FEWEST = 40  # so that each part has some
WIDTHS, HEIGHTS = (320, 500), (240, 333)
CELL = 40  # pixels between the points of the lattice that the soft colours are blended from
GRAIN = 15  # with it a JPEG of this quality comes to about 37 KB, as photos of the web do
QUALITY = 85

OnProgress = Callable[[int, int], None]


def generate(root: Path, n: int, seed: int = 0, on_progress: OnProgress | None = None) -> Folder:
    """Draws n photos into class folders of `root`: JPEGs of 320x240 to 500x333 pixels and about 37 KB.

    Decoding takes what it takes for photos of that size: soft colours and the grain of a sensor, in the three planes
    of a JPEG. Each class has a colour, so that there is something to learn. Raises DataError.
    """
    sizes = [0]
    for number in range(min(N_CLASSES, n)):
        (root / f"class-{number}").mkdir(parents=True, exist_ok=True)

    def draw(index: int) -> int:
        data = _jpeg(np.random.default_rng((seed, index)), index % N_CLASSES)
        (root / f"class-{index % N_CLASSES}" / f"{index:05}.jpg").write_bytes(data)
        return len(data)

    try:
        sizes = list(image.in_threads(draw, range(n), on_progress))
    except OSError as error:
        raise DataError(_("{path}: cannot be written ({reason})").format(path=root, reason=error.strerror)) from None
    return Folder(GENERATED, n, min(N_CLASSES, n), sum(sizes) / n, is_generated=True)


def sample(source: Path, root: Path, n: int, seed: int = 0) -> Folder:
    """Copies at most n photos of a folder of class folders, drawn at random from each class by its share, into `root`,
    so that all ways train on the same files.

    Raises DataError where `source` is no folder of class folders with photos.
    """
    if not source.is_dir():
        raise DataError(_("{source}: found no folder; accepted: a folder of class folders").format(source=source))
    manifest = folder.scan(str(source), keep_going=True)
    if any(photo.part for photo in manifest.photos):
        raise DataError(
            _("{source}: found train, val and test folders; accepted: a folder of class folders").format(source=source)
        )
    if len(manifest.photos) < FEWEST:
        raise DataError(
            _("{source}: found {n} images, accepted: {fewest} or more, so that no set is empty").format(
                source=source, n=len(manifest.photos), fewest=FEWEST
            )
        )
    share = min(1.0, n / len(manifest.photos))
    dice, size, taken = np.random.default_rng(seed), 0, 0
    for label in manifest.classes:
        photos = [photo for photo in manifest.photos if photo.label == label]
        (root / label).mkdir(parents=True)
        for i, place in enumerate(sorted(dice.permutation(len(photos))[: max(2, round(share * len(photos)))])):
            photo = photos[place]
            data = image.read_bytes(file_of(manifest.root, photo.path, photo.stored))
            (root / label / f"{i:05}{Path(photo.path).suffix.lower()}").write_bytes(data)
            size, taken = size + len(data), taken + 1
    return Folder(source.resolve().name, taken, len(manifest.classes), size / taken, is_generated=False)


def _jpeg(dice: np.random.Generator, number: int) -> bytes:
    width, height = int(dice.integers(*WIDTHS, endpoint=True)), int(dice.integers(*HEIGHTS, endpoint=True))
    lattice = dice.integers(0, 256, (height // CELL + 2, width // CELL + 2, 3), dtype=np.uint8)
    lattice[..., number % 3] = lattice[..., number % 3] // 2 + 25 * number
    soft = np.asarray(Image.fromarray(lattice).resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = dice.integers(-GRAIN, GRAIN, (height, width, 1), dtype=np.int16)
    pixels = np.clip(soft + grain, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
