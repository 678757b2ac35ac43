"""Seeds crossed with test photos: the mean of a table (seeds, photos) whose interval carries the noise of both.

All seeds of a study are tested on the same photos, so neither is nested in the other. The model is the two-way layout
with random effects and one observation a cell, x[s, p] = mean + seed[s] + photo[p] + rest[s, p] (Searle, Casella &
McCulloch 1992, chapter 4). Its mean squares give the variance of the grand mean over new seeds and new photos,
(MS_seed + MS_photo - MS_rest) / (seeds x photos), with the degrees of freedom of Satterthwaite (1946).

Two things are known of these mean squares that their estimates can deny at a few seeds: the expectations of MS_seed
and MS_photo are at least that of MS_rest. So a negative photo component counts as none, and the degrees of freedom are
counted with both at least MS_rest. And a MS_seed that is small by luck would claim, by the same luck, that the
little it adds is known well: there it counts (df + 4) / df times, so that with few seeds the degrees of freedom err on
the side of fewer; never fewer than those of the seeds. Chance adds (df + 2) / df to the expectation of its square; the
rest is what the level of one contrast among several needs. Where several contrasts are tested together, a mean square
counts at least as their mean there (`as_a_family`). scripts/calibration.py simulates the error rates that follow.

The difference of two arms pairs photos always, and seeds where they are seen to matter (`stats.pairing`). Where it does
not pair them, its mean square of seeds is the sum of the two arms', with the degrees of freedom of `means.sum_df`.

Where photos are of groups (a patient, a plant, a video), groups take the place of photos: `stats.clusters` gives the
groups' scores, and the rest is the same. tests/stats/test_clusters.py holds the coverage of that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from commongarden.stats.clusters import Clusters
from commongarden.stats.means import UNBOUNDED, Bounds, Components, Mean, sum_df

FAMILY = 3  # contrasts from which on their mean squares of seeds are averaged
ONE_GROUP = "one test group: no interval"
METHOD_GROUPS = "seeds crossed with groups of test photos, cluster-robust, two-way random effects, Satterthwaite"
METHOD = "seeds crossed with test photos, two-way random effects, Satterthwaite"


@dataclass(frozen=True)
class MeanSquares:
    """The analysis of variance of tables (..., seeds, photos): arrays of shape (...), and the table's two sizes.

    Where groups of photos are the unit, n_photos is their number, photo_df the degrees of freedom that they give, and
    n_grouped how many photos they have. seed_df: the degrees of freedom of `seed` where it is the sum of two arms' mean
    squares; None for those of one table. usual_seed: the mean of `seed` over a family of contrasts; 0 for one alone.
    """

    mean: Any
    seed: Any
    photo: Any
    rest: Any
    n_seeds: int
    n_photos: int
    photo_df: float | None = None
    n_grouped: int = 0
    seed_df: Any = None
    usual_seed: Any = 0.0

    def error(self) -> Any:
        """The standard error of the mean over new seeds and new photos."""
        variance = self.seed + np.maximum(self.photo - self.rest, 0.0)
        return np.sqrt(variance / (self.n_seeds * self.n_photos))

    def df(self) -> Any:
        """Satterthwaite's degrees of freedom of that error, cautious of small mean squares (see the module)."""
        s, p = self.n_seeds - 1, self.floor_df
        seed = np.maximum(np.maximum(self.seed * (s + 4) / s, self.usual_seed), self.rest)
        photo = np.maximum(self.photo, self.rest)
        spread = seed**2 / (s if self.seed_df is None else self.seed_df) + photo**2 / p + self.rest**2 / (s * p)
        with np.errstate(invalid="ignore", divide="ignore"):
            found = np.where(spread > 0, (seed + photo - self.rest) ** 2 / spread, s)
        return np.maximum(found, self.least_df)

    @property
    def floor_df(self) -> float:
        """The degrees of freedom of what photos say, and so of the least error that they allow."""
        return self.n_photos - 1 if self.photo_df is None else self.photo_df

    @property
    def least_df(self) -> float:
        """What no luck takes away: the degrees of freedom of the seeds, or of groups where those are fewer."""
        return self.n_seeds - 1 if self.photo_df is None else min(self.n_seeds - 1, self.photo_df)

    @property
    def least_error(self) -> float:
        """The error that a single photo makes; where groups are the unit and nothing at all differs, a whole group,
        since photos of one group may agree because they are of one group."""
        agree = not (self.seed or self.photo or self.rest)
        return photo_error(self.n_grouped if self.n_grouped and not agree else self.n_photos)


def mean_squares(tables: ArrayLike, groups: Clusters | None = None) -> MeanSquares:
    """The mean squares of one table (seeds, photos) or many (..., seeds, photos), at least 2 x 2. groups: of the
    photos, at least 2, where those are the unit."""
    x = np.asarray(tables, dtype=np.float64)
    if groups is not None:
        return _by_group(x, groups)
    n_seeds, n_photos = x.shape[-2:]
    by_seed, by_photo = x.mean(axis=-1, keepdims=True), x.mean(axis=-2, keepdims=True)
    mean = by_seed.mean(axis=-2, keepdims=True)
    rest = x - by_seed - by_photo + mean
    return MeanSquares(
        mean=mean[..., 0, 0],
        seed=n_photos * ((by_seed - mean) ** 2).sum(axis=(-2, -1)) / (n_seeds - 1),
        photo=n_seeds * ((by_photo - mean) ** 2).sum(axis=(-2, -1)) / (n_photos - 1),
        rest=(rest**2).sum(axis=(-2, -1)) / ((n_seeds - 1) * (n_photos - 1)),
        n_seeds=n_seeds,
        n_photos=n_photos,
    )


def difference_squares(
    one: ArrayLike, two: ArrayLike, groups: Clusters | None = None, *, pair_seeds: bool = True
) -> MeanSquares:
    """The mean squares of two arms' difference, from their tables (..., seeds, photos) on the same photos.

    Photos are always paired. pair_seeds: seeds too, so that the table of differences is analysed. Otherwise the arms'
    runs are independent samples, as in Welch's test (1947): `seed` is the sum of both arms' mean squares of seeds, with
    Satterthwaite's degrees of freedom of that sum.
    """
    x, y = np.asarray(one, dtype=np.float64), np.asarray(two, dtype=np.float64)
    found = mean_squares(x - y, groups)
    if pair_seeds:
        return found
    first, second = (found.n_photos * table.mean(axis=-1).var(axis=-1, ddof=1) for table in (x, y))
    return replace(found, seed=first + second, seed_df=sum_df(first, second, found.n_seeds - 1))


def as_a_family(found: Sequence[MeanSquares]) -> list[MeanSquares]:
    """The mean squares of contrasts that are tested together and paired by seed: three or more know better than each
    alone how much seeds vary, which their degrees of freedom make use of and their errors do not."""
    paired = [one for one in found if one.seed_df is None]
    if len(paired) < FAMILY:
        return list(found)
    usual = np.mean([one.seed / one.n_photos for one in paired], axis=0)
    return [replace(one, usual_seed=usual * one.n_photos) if one.seed_df is None else one for one in found]


def _by_group(x: np.ndarray, groups: Clusters) -> MeanSquares:
    by_seed, scores = x.mean(axis=-1), groups.deviations(x)
    mean, by_group = by_seed.mean(axis=-1, keepdims=True), scores.mean(axis=-2, keepdims=True)
    n_seeds, n = scores.shape[-2:]
    return MeanSquares(
        mean=mean[..., 0],
        seed=n * ((by_seed - mean) ** 2).sum(axis=-1) / (n_seeds - 1),
        photo=n_seeds * (by_group**2).sum(axis=(-2, -1)) / (n - 1),
        rest=((scores - by_group) ** 2).sum(axis=(-2, -1)) / ((n_seeds - 1) * (n - 1)),
        n_seeds=n_seeds,
        n_photos=n,
        photo_df=groups.df,
        n_grouped=x.shape[-1],
    )


def crossed_mean(
    table: ArrayLike, *, least_error: float = 0.0, bounds: Bounds = UNBOUNDED, groups: Clusters | None = None
) -> Mean:
    """The mean over a table (seeds, photos); without an error where there is one seed, one photo or one group.

    least_error: the interval is at least that of this standard error, with the degrees of freedom of the photos. Arms
        that agree on every photo in every seed show no spread, which must not read as certainty: `photo_error` is the
        error that a single photo makes.
    groups: of the photos, where those are the unit. Where these agree too, the error is at least that of a whole group.
    """
    x = np.asarray(table, dtype=np.float64)
    if x.ndim != 2 or not x.size:
        raise ValueError(f"table: found the shape {x.shape}; accepted: (seeds, photos), at least one of each")
    why = without_error(x.shape, groups)
    if why is not None:
        return Mean(float(x.mean()), None, None, len(x), why, None, bounds)
    return mean_of(mean_squares(x, groups), least_error=least_error, bounds=bounds)


def without_error(shape: tuple[int, ...], groups: Clusters | None) -> str | None:
    """Why a table (seeds, photos) of this shape gives no error; None where it gives one."""
    n_seeds, n_photos = shape
    if n_seeds == 1 or n_photos == 1:
        return "one run: no interval" if n_seeds == 1 else "one test photo: no interval"
    return ONE_GROUP if groups is not None and groups.n == 1 else None


def mean_of(found: MeanSquares, *, least_error: float = 0.0, bounds: Bounds = UNBOUNDED) -> Mean:
    """The mean with the error in the mean squares of one table. least_error: as in `crossed_mean`."""
    if found.n_grouped and least_error:
        least_error = max(least_error, found.least_error)
    components = Components(
        seed=math.sqrt(max(float(found.seed - found.rest), 0.0) / found.n_photos),
        photo=math.sqrt(max(float(found.photo - found.rest), 0.0) / found.n_seeds),
        rest=math.sqrt(float(found.rest)),
        equal=1.0 if found.seed_df is None else float(found.seed_df) / (found.n_seeds - 1),
    )
    method = METHOD_GROUPS if found.n_grouped else METHOD
    if found.seed_df is not None:
        method = f"{method}, runs not paired by seed"
    floor = (least_error, float(found.floor_df)) if least_error else None
    return Mean(
        float(found.mean), float(found.error()), float(found.df()), found.n_seeds, method, components, bounds, floor
    )


def photo_error(n_photos: float) -> float:
    """The standard error of a share of `n_photos` photos that all but one agree on: one photo's weight."""
    return 1 / n_photos


def crossed_difference(differences: ArrayLike, groups: Clusters | None = None) -> Mean:
    """The mean of paired differences (seeds, photos) of two arms' correctness (1, 0, -1), whose error carries seed
    noise and test-photo noise."""
    n_photos = np.asarray(differences).shape[-1]
    return crossed_mean(differences, least_error=photo_error(n_photos), bounds=(-1.0, 1.0), groups=groups)
