"""Studies with a planned number of seeds: false differences, coverage, false equivalence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special
from scipy.stats import binom

from commongarden.stats.crossed import (
    MeanSquares,
    as_a_family,
    crossed_mean,
    difference_squares,
    mean_of,
    photo_error,
)
from commongarden.stats.equivalence import equivalence_levels
from commongarden.stats.holm import ALPHA, holm_levels
from commongarden.stats.learning import both_learned, share
from commongarden.stats.means import FEWEST_SEEDS, Mean
from commongarden.stats.pairing import are_paired
from simulations.studies import FAILED, FAILING, TYPICAL, WORLDS, World, batches, studies_for
from simulations.tables import ERRORS, Counts, covering, shown, table

COVERED, TOO_WIDE = 0.935, 0.98  # the bars of coverage; the last one from five seeds on


def contrasts(right: np.ndarray) -> tuple[list[MeanSquares], list[MeanSquares], np.ndarray]:
    """Every arm against the first, with seeds paired and not, and whether the product pairs them in each study."""
    x = right.astype(np.float64)
    paired, apart = (
        [difference_squares(x[:, i], x[:, 0], pair_seeds=by_seed) for i in range(1, x.shape[1])]
        for by_seed in (True, False)
    )
    return as_a_family(paired), apart, are_paired(x.mean(axis=-1))


def p_values(found: MeanSquares, distance: Any = None) -> np.ndarray:
    """As `Mean.p` has them, of many studies at once; distance: in place of the mean's size."""
    size = np.abs(found.mean) if distance is None else distance
    with np.errstate(invalid="ignore", divide="ignore"):
        own = np.where(found.error() > 0, special.stdtr(found.df(), -size / found.error()), np.where(size > 0, 0, 0.5))
    return np.asarray(2 * np.maximum(own, special.stdtr(found.floor_df, -size / photo_error(found.n_photos))))


def verified(found: Sequence[MeanSquares], p: np.ndarray) -> None:
    """That the first study's p values are those of the product's scalar functions."""
    for one, mine in zip(found, p[0], strict=True):
        first = {key: np.ravel(getattr(one, key))[0] for key in ("mean", "seed", "photo", "rest")}
        more = {key: getattr(one, key) for key in ("seed_df", "usual_seed")}
        more = {key: np.ravel(value)[0] if np.ndim(value) else value for key, value in more.items()}
        mean = mean_of(replace(one, **first, **more), least_error=photo_error(one.n_photos))
        assert np.isclose(mean.p or 0.0, mine), (mean.p, mine)


def tested(right: np.ndarray) -> np.ndarray:
    """The p value of every contrast (studies, contrasts), as the product has it."""
    paired, apart, by_seed = contrasts(right)
    each = [np.stack([p_values(one) for one in found], axis=1) for found in (paired, apart)]
    verified(paired, each[0])
    verified(apart, each[1])
    return np.where(by_seed[:, None], *each)


def false_differences(world: World, seeds: int, m: int, photos: int, n: int) -> Counts:
    """Studies of equal arms with any significant difference."""
    found = batches("differences", world, np.zeros(m + 1), n, seeds, photos, tested)
    wrong = sum(int((p.min(axis=1) <= holm_levels([0.0] * m, ALPHA)[0]).sum()) for p in found)
    return wrong, n


def covered(world: World, seeds: int, photos: int, n: int) -> tuple[Counts, Counts]:
    """How often the 95 % intervals of an arm's accuracy and of a difference of 2 points hold the truth, over the runs
    that learned; of the studies that have an interval."""
    gap = -0.02

    def held(right: np.ndarray) -> np.ndarray:
        count = np.zeros(4, int)
        for study in right.astype(np.float64):
            did = study.mean(axis=-1) > FAILED
            own = study[0][did[0]] if did[0].any() else study[0]
            if len(own) > 1:
                count[:2] += _holds(crossed_mean(own, least_error=photo_error(photos)), world.accuracy)
            both = both_learned(range(seeds), ("0", "1"), lambda arm, seed, did=did: bool(did[int(arm)][seed]))
            if len(both) >= FEWEST_SEEDS and did.any(axis=1).all():
                by_seed = bool(are_paired(study.mean(axis=-1)))
                squares = difference_squares(study[1][both], study[0][both], pair_seeds=by_seed)
                count[2:] += _holds(mean_of(squares, least_error=photo_error(photos)), gap)
        return count

    found = sum(batches("coverage", world, np.array([0.0, gap]), n, seeds, photos, held))
    return (int(found[0]), int(found[1])), (int(found[2]), int(found[3]))


def _holds(mean: Mean, truth: float) -> tuple[bool, bool]:
    interval = mean.interval()
    if interval.low is None or interval.high is None:
        return False, False
    return interval.low <= truth <= interval.high, True


def false_equivalence(world: World, seeds: int, m: int, photos: int, n: int, equal: int = 0) -> Counts:
    """Studies with any false claim where arms lie a margin of 1 point above the first, but for the first few that are
    equal to it."""
    margin = 0.01
    gaps = np.array([0.0, *[0.0] * equal, *[margin] * (m - equal)])

    def wrong(right: np.ndarray) -> int:
        paired, apart, by_seed = contrasts(right)
        count = 0
        for k in range(len(by_seed)):
            means = {}
            for i, one in enumerate(paired if by_seed[k] else apart):
                parts = {key: getattr(one, key)[k] for key in ("mean", "seed", "photo", "rest")}
                more = {key: getattr(one, key) for key in ("seed_df", "usual_seed")}
                more = {key: value[k] if np.ndim(value) else value for key, value in more.items()}
                means[i] = mean_of(replace(one, **parts, **more), least_error=photo_error(photos))
            p = [mean.p or 0.0 for mean in means.values()]
            levels = dict(enumerate(holm_levels(p, ALPHA)))
            level = equivalence_levels(means, levels, margin)
            claimed = [i for i in level if (means[i].not_equivalent_p(margin) or 0.0) <= level[i]]
            different = [i for i in levels if p[i] <= levels[i]]
            count += any(i >= equal for i in claimed) or any(i < equal or means[i].value < 0 for i in different)
        return count

    name = f"equivalence {equal}"
    return sum(batches(name, world, gaps, n, seeds, photos, wrong)), n


def false_among_learned(world: World, seeds: int, m: int, photos: int, n: int) -> Counts:
    """Studies of arms that are equal when they learn, some of whose runs do not, with any significant difference. What
    a run reached on the test photos stands in for the validation part."""

    def wrong(right: np.ndarray) -> int:
        count = 0
        for study in right.astype(np.float64):
            did = study.mean(axis=-1) > FAILED
            p = []
            for i in range(1, len(study)):
                arms = {"0": did[0], str(i): did[i]}
                both = both_learned(range(seeds), ("0", str(i)), lambda arm, seed, arms=arms: bool(arms[arm][seed]))
                if len(both) < FEWEST_SEEDS or not (did[0][both].any() and did[i][both].any()):
                    continue
                squares = difference_squares(study[i][both], study[0][both], pair_seeds=False)
                p.append(mean_of(squares, least_error=photo_error(photos)).p or 0.0)
            count += bool(p) and min(p) <= holm_levels(p, ALPHA)[int(np.argmin(p))]
        return count

    return sum(batches("learned", world, np.zeros(m + 1), n, seeds, photos, wrong)), n


def differences_table(n: int, photos: Sequence[int], seeds: Sequence[int], m: Sequence[int]) -> Iterator[str]:
    """False differences."""

    def rows() -> Iterator[Sequence[str]]:
        for world in WORLDS:
            for n_seeds in seeds:
                for n_photos in photos:
                    found = [
                        false_differences(world, n_seeds, k, n_photos, studies_for(k + 1, n_seeds, n_photos, n))
                        for k in m
                    ]
                    yield world.name, str(n_seeds), f"{n_photos:,}", *(shown(one, ERRORS) for one in found)

    names = [f"{k} comparison{'s' if k > 1 else ''}" for k in m]
    yield from table(
        "Studies of equal models with a false difference, in %", ("world", "seeds", "images", *names), rows()
    )


def coverage_table(n: int, photos: Sequence[int], seeds: Sequence[int], m: Sequence[int]) -> Iterator[str]:
    """Coverage, given that runs learned; and of how many learn. m: unused."""

    def rows() -> Iterator[Sequence[str]]:
        for world in (*WORLDS, *FAILING):
            for n_seeds in seeds:
                for n_photos in photos:
                    found = covered(world, n_seeds, n_photos, min(n, studies_for(2, n_seeds, n_photos, n), 1_500))
                    most = TOO_WIDE if n_seeds >= 5 else 1.0
                    yield world.name, str(n_seeds), f"{n_photos:,}", *(covering(one, COVERED, most) for one in found)

    header = ("world", "seeds", "images", "accuracy of a model", "difference")
    yield from table("95 % intervals that hold the truth, over the runs that learned, in %", header, rows())

    def exact() -> Iterator[Sequence[str]]:
        for rate in (0.5, 0.75, 0.9, 0.95):
            held = []
            for k in seeds:
                intervals = [share(learned, k) for learned in range(k + 1)]
                inside = [(one.low or 0.0) <= rate <= (1.0 if one.high is None else one.high) for one in intervals]
                held.append(float(binom.pmf(np.arange(k + 1), k, rate) @ np.array(inside)))
            yield f"{100 * rate:.0f} %", *(f"{100 * one:.1f}" for one in held)

    names = [f"{k} seeds" for k in seeds]
    title = "95 % intervals of how many runs learn that hold the truth, in %, by enumeration"
    yield from table(title, ("runs that learn", *names), exact())


def learned_table(n: int, photos: Sequence[int], seeds: Sequence[int], m: Sequence[int]) -> Iterator[str]:
    """False differences where some runs do not learn."""

    def rows() -> Iterator[Sequence[str]]:
        for world in FAILING:
            for n_seeds in seeds:
                for n_photos in photos[:2]:
                    size = min(n, 1_000)
                    found = [false_among_learned(world, n_seeds, k, n_photos, size) for k in m]
                    yield world.name, str(n_seeds), f"{n_photos:,}", *(shown(one, ERRORS) for one in found)

    names = [f"{k} comparison{'s' if k > 1 else ''}" for k in m]
    title = "Studies of models that are equal when they learn with a false difference, in %"
    yield from table(title, ("world", "seeds", "images", *names), rows())


def equivalence_table(n: int, photos: Sequence[int], seeds: Sequence[int], m: Sequence[int]) -> Iterator[str]:
    """False claims a margin apart."""

    def rows() -> Iterator[Sequence[str]]:
        world = replace(TYPICAL, name="very precise", photo=1.0, own=0.1, seed=0.02)
        for k in m:
            for equal in (0, k // 2) if k > 1 else (0,):
                for n_seeds in seeds:
                    for n_photos in photos:
                        size = min(studies_for(k + 1, n_seeds, n_photos, n), 1_000)
                        found = false_equivalence(world, n_seeds, k, n_photos, size, equal)
                        yield str(k), str(equal), str(n_seeds), f"{n_photos:,}", shown(found, ERRORS)

    title = "Studies with a false claim where models differ by the margin of 1 point, in %"
    yield from table(title, ("comparisons", "of equal models", "seeds", "images", "false claims"), rows())
