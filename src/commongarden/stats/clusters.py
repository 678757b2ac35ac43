"""Photos of one group (a patient, a plant, a video) are not independent, so the group is the unit of the intervals.

The figure stays the plain mean over photos, which is a ratio of two sums over groups. What a group adds to its error is
what its photos miss the mean by in sum, d_g = sum over its photos of (x - mean) (Rao & Scott 1992 for proportions,
Obuchowski 1997 for readings of clustered images). The variance is the cluster-robust one of a mean (Cameron & Miller
2015), sum of d_g^2 / (1 - n_g / N), divided by N^2: with the correction for few and unequal groups of Bell & McCaffrey
(2002), which is known as CR2. For groups of one size it is the variance of the groups' means, for groups of one
photo that of photos.

Its degrees of freedom are Satterthwaite's where all photos of a group agree, which is the least favourable case: groups
of one size have their number minus 1, and a few large groups among many small ones count as few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Groups = Mapping[str, str]  # the group of each photo that has one, by path


@dataclass(frozen=True, eq=False)
class Clusters:
    """The groups of some photos. order: the photos' places, sorted by group; starts: where each group begins in that
    order; sizes: photos of each group. A photo without a group is one by itself."""

    order: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray

    @property
    def n(self) -> int:
        """How many groups."""
        return len(self.sizes)

    @cached_property
    def df(self) -> float:
        """The degrees of freedom that these groups give a variance."""
        n, total = self.sizes.astype(np.float64), float(self.sizes.sum())
        if self.n < 2:
            return 0.0
        # V = t'At for sums t of variance n^2, with A = M'DM, M = I - n1'/N, D = diag(1 / (1 - n/N)): D plus rank 2
        d, variance = 1 / (1 - n / total), n**2
        sides = np.stack([d * n, np.ones_like(n)], axis=1)
        core = np.array([[0.0, -1 / total], [-1 / total, float((d * n**2).sum()) / total**2]])
        inner, outer = sides.T @ (variance[:, None] * sides), sides.T @ ((variance**2 * d)[:, None] * sides)
        mean = float((d * variance).sum() + np.trace(core @ inner))
        spread = (d * variance) @ (d * variance) + 2 * np.trace(core @ outer) + np.trace(core @ inner @ core @ inner)
        return mean**2 / float(spread)

    def deviations(self, x: np.ndarray) -> np.ndarray:
        """What each group's photos miss the mean by: (..., photos) to (..., groups), scaled so that the variance of the
        mean is the sum of squares divided by groups x (groups - 1), as it is for single values."""
        missed = x - x.mean(axis=-1, keepdims=True)
        sums = np.add.reduceat(missed[..., self.order], self.starts, axis=-1)
        total = self.sizes.sum()
        return np.asarray(sums * (self.n / total) * np.sqrt((1 - 1 / self.n) / (1 - self.sizes / total)))

    def variance(self, x: np.ndarray) -> float:
        """Of the mean of one value a photo; 0 where one group leaves nothing to tell it from."""
        return float((self.deviations(x) ** 2).sum() / (self.n * (self.n - 1))) if self.n > 1 else 0.0

    def sums(self, x: np.ndarray) -> np.ndarray:
        """The sum over each group's photos."""
        return np.asarray(np.add.reduceat(x[..., self.order], self.starts, axis=-1))


def clusters(photos: np.ndarray, groups: Groups) -> Clusters | None:
    """The groups of these photos (paths); None where no two of them are of one group, so that photos are the unit."""
    if not groups:
        return None
    names = [groups.get(str(path), "") for path in photos]
    alone = [("", str(path)) if not name else (name, "") for name, path in zip(names, photos, strict=True)]
    number = {key: i for i, key in enumerate(sorted(set(alone)))}
    if len(number) == len(alone):
        return None
    place = np.array([number[key] for key in alone])
    order = np.argsort(place, kind="stable")
    sizes = np.bincount(place)
    return Clusters(order, np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)


def n_units(photos: np.ndarray, groups: Groups) -> int:
    """How many groups these photos belong to; as many as photos where no two are of one."""
    found = clusters(photos, groups)
    return len(photos) if found is None else found.n
