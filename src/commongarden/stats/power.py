"""What it would take to settle a contrast: more seeds, or, where photos carry the noise, more test photos.

Everything is planned for one power, 80 %: four studies in five of that size would find a difference of that size.
The noncentral t comes from statsmodels, the noise from the contrast's own components of variance.

Few seeds hardly tell how much seeds vary, so a number of seeds planned from them is right on average and wrong by a
factor of 2 in single studies. What is advised is a range: of the numbers that would do if the variance between seeds
were at either end of its 80 % interval (chi-squared). scripts/calibration.py simulates it. The smallest difference that
the study as it is would find is steadier, and is said first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from commongarden.stats.clusters import Clusters
from commongarden.stats.crossed import MeanSquares
from commongarden.stats.means import Components, Mean

POWER = 0.8
MOST_SEEDS = 1_000
MOST_PHOTOS = 10_000_000
ENDLESS = 10**9  # seeds
UNLUCKY = (0.9, 0.1)  # the share of chi-squared at either end of the range of seeds


@dataclass(frozen=True)
class Effort:
    """Seeds in all, the runs of both arms that are still to be made for that, and their minutes one after another
    (None where no run was timed)."""

    seeds: int
    runs: int
    minutes: float | None


@dataclass(frozen=True)
class Remedy:
    """How a contrast that is not resolved could be. Differences are in the metric's own unit (shares, nats).

    settle: the seeds with which a true difference of the study's margin would be found; None where 1,000 do not find
    it. Then photos: about how many test photos would do,
    with photos_seeds seeds (None: the design cannot tell). show: the seeds with which a difference as large as the one
    seen, `seen`, would be found, where that is larger than the margin and cheaper.

    instead: about how many test photos would do with today's seeds, for the difference of `show` where there is one,
    else of the margin; in groups where those are the unit. None where no number does or the design cannot tell.

    Where groups of photos are the unit (a patient, a plant, a video), n_groups is how many there are and groups how
    many would do; the photos are then those of so many groups of the same size. n_groups is 0 elsewhere.
    """

    margin: float
    n_photos: int
    settle: Effort | None
    photos: int | None
    photos_seeds: int | None
    seen: float
    show: Effort | None
    n_groups: int = 0
    groups: int | None = None
    instead: int | None = None
    wanted: float = 0.0
    likely: tuple[Effort, Effort] | None = None
    only_photos: bool = False
    detectable: float = 0.0


def power(difference: float, error: float, df: float, alpha: float) -> float:
    """The power of a two-sided t test with this standard error and degrees of freedom to find the difference, in its
    true direction."""
    from scipy.stats import nct, t
    from statsmodels.stats.power import TTestPower

    if error == 0:
        return 1.0
    effect = min(abs(difference) / error, 100.0)  # beyond, the noncentral t fails numerically
    found = float(TTestPower().power(effect, nobs=1, alpha=alpha / 2, df=df, alternative="larger"))
    if math.isnan(found):  # it also fails at a few effects before; the distribution's upper tail does not
        found = float(nct.sf(t.ppf(1 - alpha / 2, df), df, effect))
    return found


def expected(components: Components, seeds: int, photos: int, share: float | None = None) -> tuple[float, float]:
    """The standard error and its degrees of freedom that a study of this size would have, photos crossed with seeds.
    share: where `photos` are groups, the part of their number that counts as degrees of freedom."""
    rest = (components.rest or 0.0) ** 2
    squares = MeanSquares(
        0.0,
        rest + photos * components.seed**2,
        rest + seeds * (components.photo or 0.0) ** 2,
        rest,
        seeds,
        photos,
        None if share is None else share * (photos - 1),
        seed_df=None if components.equal == 1 else components.equal * (seeds - 1),
    )
    return float(squares.error()), float(squares.df())


def smallest(mean: Mean, alpha: float) -> float:
    """The smallest difference that a study with this error finds with 80 % power."""
    from scipy.optimize import brentq

    errors = [(mean.error or 0.0, mean.df or 1.0), *([] if mean.floor is None else [mean.floor])]
    found = [
        error * float(brentq(lambda effect, df=df: power(effect, 1.0, df, alpha) - POWER, 0.0, 90.0))
        if power(90.0, 1.0, df, alpha) > POWER
        else math.inf
        for error, df in errors
        if error > 0
    ]
    return max(found, default=0.0)


def _with_seed_variance(mean: Mean, parts: Components, n_photos: int, share: float) -> Components:
    """The components if the variance between seeds were at this share of what chance makes of it."""
    from scipy.stats import chi2

    df = parts.equal * (mean.n - 1)
    rest = (parts.rest or 0.0) ** 2 / n_photos if parts.photo is not None else 0.0
    variance = (rest + parts.seed**2) * df / float(chi2.ppf(share, df)) - rest
    return replace(parts, seed=math.sqrt(max(variance, 0.0)))


def remedy(
    mean: Mean,
    margin: float,
    alpha: float,
    n_photos: int,
    seconds: float | None,
    floor: float | None = None,
    units: Clusters | None = None,
) -> Remedy | None:
    """What would settle a contrast; None where it has no error to plan with.

    alpha: the level that the contrast is tested at. seconds: of one run of each of the two arms together. floor: for
    test photos that differ between seeds, n_test / n_train of the resampled design; None for crossed or seeds alone.
    units: the groups of the test photos, where those are the unit.
    """
    if mean.error is None or mean.components is None:
        return None
    parts = mean.components
    n_units = n_photos if units is None else units.n
    share = None if units is None else units.df / max(units.n - 1, 1)

    def spent(seeds: int | None) -> Effort | None:
        if seeds is None:
            return None
        more = max(seeds - mean.n, 0)
        return Effort(seeds, 2 * more, None if seconds is None else more * seconds / 60)

    def noise(seeds: int, photos: int, parts: Components) -> tuple[float, float]:
        if parts.photo is not None:
            return expected(parts, seeds, photos, share)
        return parts.seed * math.sqrt(1 / seeds + (floor or 0.0)), parts.equal * (seeds - 1)

    def found(difference: float, seeds: int, photos: int, parts: Components = parts) -> bool:
        return power(difference, *noise(seeds, photos, parts), alpha) >= POWER

    def seeds_for(difference: float, parts: Components = parts) -> int | None:
        return least(lambda seeds: found(difference, seeds, n_units, parts), max(mean.n, 2), MOST_SEEDS)

    settle = spent(seeds_for(margin))
    photos = photos_seeds = None
    if settle is None and parts.photo is not None:
        for factor in (1, 2, 4, 8, 16):
            photos_seeds = factor * mean.n
            photos = least(lambda n, seeds=photos_seeds: found(margin, seeds, n), n_units, MOST_PHOTOS)  # type: ignore[misc]
            if photos is not None:
                break
        else:
            photos_seeds = None
    seen = abs(mean.value)
    show = spent(seeds_for(seen)) if seen > margin and (settle is None or settle.runs) else None
    wanted, instead = margin if show is None else seen, None
    if parts.photo is not None:
        instead = least(lambda n: found(wanted, mean.n, n), n_units, MOST_PHOTOS)
    ends = [spent(seeds_for(wanted, _with_seed_variance(mean, parts, n_units, share))) for share in UNLUCKY]
    likely = None if ends[0] is None or ends[1] is None else (ends[0], ends[1])
    more = photos if units is None or photos is None else round(photos * n_photos / units.n)
    return Remedy(
        margin, n_photos, settle, more, photos_seeds, seen, show, 0 if units is None else units.n,
        None if units is None else photos, instead, wanted, likely, not found(wanted, ENDLESS, n_units),
        smallest(mean, alpha),
    )  # fmt: skip


def least(enough: Callable[[int], bool], start: int, most: int) -> int | None:
    """The least whole number from `start` that is enough, where more is never less; None beyond `most`."""
    if enough(start):
        return start
    low, high = start, 2 * start
    while not enough(min(high, most)):
        if high >= most:
            return None
        low, high = high, 2 * high
    high = min(high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
