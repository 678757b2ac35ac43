"""Chance for the drawn flowers: numbers that are the same on every machine and in every version of every library."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Colour = tuple[int, int, int]


class Dice:
    """SplitMix64, written out: its numbers are ours to keep."""

    def __init__(self, seed: int, index: int) -> None:
        self._state = 0
        self._state = self._next() ^ (seed & _MASK)
        self._state = self._next() ^ (index & _MASK)

    def _next(self) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, end: int) -> int:
        return (self._next() * end) >> 64

    def between(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return low + self.below(high - low + 1)

    def around(self, spread: int) -> int:
        """From -spread to spread, likelier near 0."""
        return (self.between(-spread, spread) + self.between(-spread, spread)) // 2

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent

    def ints(self, n: int, low: int, high: int) -> Ints:
        return np.array([self.between(low, high) for _ in range(n)], dtype=np.int32)

    def colour(self, choices: Sequence[tuple[int, Colour]], spread: int) -> Colour:
        """One of the (weight, colour) choices; brightness and each channel then vary by `spread`."""
        pick = self.below(sum(weight for weight, _ in choices))
        light = self.around(spread)
        chosen = [colour for weight, colour in choices for _ in range(weight)][pick]
        red, green, blue = (min(max(c + light + self.around(spread), 0), 255) for c in chosen)
        return red, green, blue


_MASK = (1 << 64) - 1
