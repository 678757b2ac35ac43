"""Correctness of two arms on shared photos, drawn from a latent model whose true difference is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit


@dataclass(frozen=True)
class Mix:
    """Standard deviations on the logit scale. difficulty: of photos, the same for both arms. taste: of photos, each
    arm's own. seed: between an arm's seeds. levels: the two arms' logits at a photo of no difficulty."""

    difficulty: float
    taste: float
    seed: float
    levels: tuple[float, float] = (1.0, 0.6)

    def truth(self) -> float:
        """The mean difference over endlessly many seeds and photos, by Gauss-Hermite quadrature."""
        points, weights = np.polynomial.hermite_e.hermegauss(80)
        spread = np.sqrt(self.difficulty**2 + self.taste**2 + self.seed**2)
        one, two = ((expit(level + spread * points) * weights).sum() / weights.sum() for level in self.levels)
        return float(one - two)

    def correct(self, generator: np.random.Generator, n: int, seeds: int, photos: int) -> tuple[np.ndarray, ...]:
        """Both arms' correctness in n studies: two arrays (n, seeds, photos) of 0 and 1."""
        difficulty = generator.normal(0, self.difficulty, (n, 1, photos))
        return tuple(
            (
                generator.random((n, seeds, photos))
                < expit(
                    level
                    + difficulty
                    + generator.normal(0, self.taste, (n, 1, photos))
                    + generator.normal(0, self.seed, (n, seeds, 1))
                )
            ).astype(np.float64)
            for level in self.levels
        )

    def differences(self, generator: np.random.Generator, n: int, seeds: int, photos: int) -> np.ndarray:
        """Paired differences (n, seeds, photos)."""
        one, two = self.correct(generator, n, seeds, photos)
        return one - two


MIXES = {
    "photo noise": Mix(1.0, 1.5, 0.0),
    "both": Mix(1.0, 1.0, 0.15),
    "seed noise": Mix(1.5, 0.3, 0.4),
}
