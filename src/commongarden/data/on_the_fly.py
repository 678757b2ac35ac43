"""Photos decoded each time they are asked for: for data whose decoded images have no room in the cache.

The pixels are those that the cache would hold, bit for bit; what it costs is told before the runs (runner/decoding.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from commongarden.data import cache, image
from commongarden.records import Manifest
from commongarden.study.framing import SQUASHED, Framing, Interpolation

TIMED = 24  # photos, evenly over the manifest


@dataclass(frozen=True, eq=False)
class OnTheFlyImages:
    """All photos of a manifest as if in one array (n, height, width, 3) uint8, of which nothing is kept.

    n_threads: how many decode ahead of a run (Pillow frees the GIL); with one, the run decodes when it needs a batch,
    since a second thread on a busy core would only take turns with it.
    """

    manifest: Manifest
    height: int
    width: int
    n_threads: int = 1
    framing: Framing = SQUASHED

    def __getitem__(self, places: int | np.integer | np.ndarray) -> np.ndarray:
        """The photo at a place, (height, width, 3), or those at several, (m, height, width, 3). Raises DataError where
        a photo has changed or gone since the manifest was made."""
        if isinstance(places, np.ndarray):
            return next(self.ahead([places]))
        return self._decoded(int(places))

    def ahead(self, groups: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """The photos of each group of places, in their order, decoded ahead where threads are there to do so."""
        places = [int(place) for group in groups for place in group]
        decoded: Iterator[np.ndarray] = map(self._decoded, places)
        if self.n_threads > 1:
            decoded = image.in_threads(self._decoded, places, n_threads=self.n_threads)
        for group in groups:
            pixels = np.empty((len(group), self.height, self.width, 3), np.uint8)
            for i in range(len(group)):
                pixels[i] = next(decoded)
            yield pixels

    def _decoded(self, place: int) -> np.ndarray:
        photo = self.manifest.photos[place]
        return cache.pixels(self.manifest.root, photo, self.height, self.width, self.manifest.range, self.framing)


@dataclass(frozen=True, eq=False)
class Originals:
    """All photos of a manifest as they are, for random crops of any part of them. size: of the crops in pixels.

    A photo of a built-in data set is drawn at twice that size.
    """

    manifest: Manifest
    size: int
    interpolation: Interpolation = "bilinear"
    n_threads: int = 1

    def ahead(self, groups: Sequence[np.ndarray]) -> Iterator[list[Image.Image]]:
        """The photos of each group of places, in their order. Raises DataError."""
        places = [int(place) for group in groups for place in group]
        decoded: Iterator[Image.Image] = map(self.picture, places)
        if self.n_threads > 1:
            decoded = image.in_threads(self.picture, places, n_threads=self.n_threads)
        for group in groups:
            yield [next(decoded) for _ in group]

    def picture(self, place: int) -> Image.Image:
        """The photo at a place. Raises DataError."""
        photo, root = self.manifest.photos[place], self.manifest.root
        if root.startswith(image.BUILTIN):
            return Image.fromarray(image.pixels(root, photo.path, 2 * self.size, 2 * self.size))
        return cache.picture(root, photo, self.manifest.range)


Images = np.ndarray | OnTheFlyImages


def groups_of(images: Images, groups: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """The photos of each group of places as an array of its own, (m, height, width, 3) uint8."""
    if isinstance(images, OnTheFlyImages):
        yield from images.ahead(groups)
    else:
        for group in groups:
            yield np.asarray(images[group])


def seconds_per_photo(manifest: Manifest, resolution: int, framing: Framing = SQUASHED) -> float:
    """What reading and decoding one photo takes on one core, measured."""
    photos = OnTheFlyImages(manifest, resolution, resolution, framing=framing)
    places = np.unique(np.linspace(0, len(manifest.photos) - 1, TIMED).astype(np.int64))
    start = time.perf_counter()
    photos[places]
    return (time.perf_counter() - start) / len(places)
