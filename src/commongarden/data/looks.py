"""What is kept of each photo while all are read: what its file has, and the small picture that it is compared by."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from commongarden.data import image
from commongarden.data.near_duplicates import SIDE
from commongarden.data.stored import file_of
from commongarden.errors import DataError
from commongarden.records import Photo, Range


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a photo's file has. n_frames: 0 where all behind the first are broken."""

    format: str
    mode: str
    width: int
    height: int
    n_frames: int


class Looks:
    """Photos by the SHA-256 of their contents, each decoded once.

    small: (n, SIDE, SIDE) uint8, room for all that was reserved; facts: of the first ones of these, in their order.
    """

    def __init__(self, n: int = 0) -> None:
        self.facts: list[FileFacts] = []
        self._place: dict[str, int] = {}
        self._lock = threading.Lock()
        self.reserve(n)

    def reserve(self, n: int) -> None:
        """Room for n photos, of which memory holds those that are added. Call it before the first is added."""
        self.small: npt.NDArray[np.uint8] = np.empty((n, SIDE, SIDE), dtype=np.uint8)

    def add(self, sha256: str, data: bytes, picture: Image.Image) -> int:
        """Keeps what is seen of the contents `data`, which were decoded to `picture`. Returns their place. Raises
        DataError as `image.header` does."""
        facts, small = FileFacts(*image.header(data)), grey(picture)
        with self._lock:
            if sha256 not in self._place:
                if len(self.facts) == len(self.small):  # more than were reserved
                    self.small = np.concatenate(
                        [self.small, np.empty((max(len(self.small), 64), SIDE, SIDE), np.uint8)]
                    )
                self.small[len(self.facts)] = small
                self._place[sha256] = len(self.facts)
                self.facts.append(facts)
            return self._place[sha256]

    def of(self, root: str, range: Range | None, photo: Photo) -> int | None:
        """The place of a photo, which is read if it was not; None where it is gone or cannot be read any more."""
        if photo.sha256 in self._place:
            return self._place[photo.sha256]
        try:
            data = image.read_bytes(file_of(root, photo.path, photo.stored))
            return self.add(photo.sha256, data, image.decode(data, at_least=2 * SIDE, range=range))
        except DataError:
            return None


def grey(picture: Image.Image) -> npt.NDArray[np.uint8]:
    """The small grey picture, (SIDE, SIDE)."""
    return np.asarray(picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR))
