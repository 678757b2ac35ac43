"""The error of differences from one reference, where all of them together tell how much seeds vary.

With few seeds each difference by itself hardly tells its own variance between seeds, and a procedure for many
comparisons needs the far tail of the distribution, where that matters most. Dunnett (1955) pools: all arms have one
variance. Networks do not, so here a difference has the mean variance of the family or its own, whichever is larger:
pooling may only widen. The degrees of freedom are Satterthwaite's (1946) of the reference's variance, which one arm
tells, and that of the others, which all of them tell; the reference's counts (df + 2) / df times, as in `crossed`.
scripts/calibration.py simulates what error rate follows; the pooled variance of Dunnett's own procedure had
up to 27 % where the reference varies three times as much as the others, and up to 12 % where another arm does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

FEWEST = 3  # comparisons from which on their variances are pooled


@dataclass(frozen=True)
class Spread:
    """The variances behind the differences of a family, one entry a difference, each of the mean of one seed.

    seed, photo, rest: mean squares divided by the number of photos; photo and rest are 0 where the design has no
    photos. reference, others: what seeds vary in the reference, and in the other arms. n_seeds: of each difference.
    photo_df: what the photos, or their groups, give. share: what the variance of one seed is multiplied by for the
    mean.
    """

    seed: np.ndarray
    photo: np.ndarray
    rest: np.ndarray
    reference: float
    others: float
    n_seeds: np.ndarray
    photo_df: float
    share: np.ndarray

    def pooled(self) -> tuple[np.ndarray, np.ndarray]:
        """The standard error of each difference, and its degrees of freedom."""
        own = self.n_seeds - 1
        seed = np.maximum(self.seed, (own * self.seed).sum() / own.sum())
        error = np.sqrt((seed + np.maximum(self.photo - self.rest, 0.0)) * self.share)
        reference = self.reference * (own + 2) / own
        with np.errstate(invalid="ignore", divide="ignore"):
            seed_df = (reference + self.others) ** 2 / (reference**2 / own + self.others**2 / own.sum())
            seed_df = np.where(np.isfinite(seed_df), seed_df, own)
            seed, photo = np.maximum(seed, self.rest), np.maximum(self.photo, self.rest)
            spread = seed**2 / seed_df + photo**2 / self.photo_df + self.rest**2 / (own * self.photo_df)
            df = np.where(spread > 0, (seed + photo - self.rest) ** 2 / spread, own)
        return error, np.maximum(df, np.minimum(own, self.photo_df))


def correlation(total: Any, single: Any, n: int) -> float:
    """The mean correlation between n differences, from the variance of their sum and the sum of their variances.

    At most 1/2, which is that of equal variances: where the reference varies more they are correlated more, and too low
    a correlation is on the safe side.
    """
    if n < 2 or not single > 0:
        return 0.0
    return float(np.clip((total - single) / (n - 1) / single, 0.0, 0.5))
