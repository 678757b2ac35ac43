"""How near layers come to what the machine can do (Williams, Waterman & Patterson 2009, "Roofline")."""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from commongarden.records.timings import TimedLayer, Timing

GIGA_PER_MS = 1e6  # multiply-adds or bytes in a millisecond at 1 G a second


@dataclass(frozen=True)
class Roofs:
    """matmul: billions of multiply-adds a second. copies: (bytes of an array, gigabytes a second), smallest first."""

    matmul: float
    copies: tuple[tuple[int, float], ...]

    @property
    def memory(self) -> float:
        """Gigabytes a second where no cache helps."""
        return self.copies[-1][1]

    @property
    def cache(self) -> float:
        """Gigabytes a second where it is quickest."""
        return max(rate for _, rate in self.copies)

    def rate(self, n_bytes: float) -> float:
        """Gigabytes a second for something that moves so many bytes: an array of half of them is read, one written."""
        sizes = [size for size, _ in self.copies]
        place = bisect.bisect_left(sizes, n_bytes / 2)
        if place == 0 or place == len(sizes):
            return self.copies[min(place, len(sizes) - 1)][1]
        (less, slow), (more, quick) = self.copies[place - 1], self.copies[place]
        share = math.log(n_bytes / 2 / less) / math.log(more / less)
        return slow + share * (quick - slow)

    def least(self, layer: TimedLayer) -> tuple[float, float]:
        """Milliseconds of a step that the layer's multiply-adds and its bytes take at least."""
        return layer.macs / self.matmul / GIGA_PER_MS, layer.n_bytes / self.rate(layer.n_bytes) / GIGA_PER_MS

    def bound(self, layers: Sequence[TimedLayer]) -> float:
        """Milliseconds that the layers take at least: each by its multiply-adds or its bytes, whichever is more."""
        return math.fsum(max(self.least(layer)) for layer in layers)

    def memory_bound(self, layers: Sequence[TimedLayer]) -> bool:
        """Whether what the bytes of these layers take is more than what their multiply-adds take."""
        found = [self.least(layer) for layer in layers]
        return math.fsum(row[1] for row in found) > math.fsum(row[0] for row in found)


def roofs(timing: Timing) -> Roofs:
    """The limits that were measured, each by its median."""
    copies = tuple((copied.n_bytes, statistics.median(copied.rates)) for copied in timing.limits.copies)
    return Roofs(statistics.median(timing.limits.matmul), copies)
