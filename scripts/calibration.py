"""How often the conclusions are wrong, by simulated studies through the product's own functions.

    python scripts/calibration.py [--quick] [--only TABLE ...]

writes Markdown tables to the standard output: false differences, coverage of the 95 % interval, false equivalence,
folds, advice. A
photo is classified correctly where the arm's level, the photo's ease (for all arms, and for this one), the seed's luck
(for all arms, and for this one) and the rest, all normal, come out above 0. Runs that fail to learn answer by chance.
A cell misses its bar where its own 99 % Monte Carlo interval excludes it; such cells are marked with *.
--quick: few studies, for the tests.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special
from scipy.stats import binomtest, norm

from commongarden.stats.answers import MOST_ADVISED
from commongarden.stats.cross_validated import folded_mean
from commongarden.stats.crossed import MeanSquares, as_a_family, difference_squares, mean_of, photo_error
from commongarden.stats.equivalence import equivalence_levels
from commongarden.stats.holm import ALPHA, holm_levels
from commongarden.stats.learning import both_learned
from commongarden.stats.means import FEWEST_SEEDS, Components
from commongarden.stats.pairing import are_paired
from commongarden.stats.power import POWER, expected, power, remedy
from commongarden.stats.resampled import resampled_mean

ERRORS, COVERED, TOO_WIDE = 0.06, 0.935, 0.98  # the bars; the last one from five seeds on
AT_ONCE = 2e7  # answers that are drawn at a time
CHANCE, FAILED = 0.2, 0.3  # of five classes; below the latter a run has not learned


@dataclass(frozen=True)
class World:
    """Standard deviations on the probit scale. photo: of photos; own: of photos for one arm; seed: of an arm's seeds,
    reference_seed: of the first arm's, where it differs; shared: of seeds for all arms. fails: the share of runs that
    do not learn; first_only: in the first arm alone."""

    name: str
    accuracy: float = 0.60
    photo: float = 1.8
    own: float = 0.5
    seed: float = 0.108
    reference_seed: float | None = None
    shared: float = 0.0
    fails: float = 0.0
    first_only: bool = False


TYPICAL = World("typical")
WORLDS = (
    TYPICAL,
    World("almost no seed noise", seed=0.02),
    World("unequal spread at 98 %", 0.98, seed=0.05, reference_seed=0.3),
    World("seeds matter to all", shared=0.2),
)
FAILING = (
    World("all fail one time in ten", fails=0.1),
    World("the first fails one time in four, equal when they learn", fails=0.25, first_only=True),
)
Counts = tuple[int, int]  # wrong, of so many studies


def draw(generator: np.random.Generator, world: World, gaps: np.ndarray, n: int, seeds: int, photos: int) -> np.ndarray:
    """n studies (studies, arms, seeds, photos), True where right. gaps: of each arm's mean to the first's."""
    arms = len(gaps)
    sd = np.full(arms, world.seed)
    if world.reference_seed is not None:
        sd[0] = world.reference_seed
    wide = np.sqrt(1 + world.photo**2 + world.own**2 + sd**2 + world.shared**2)
    reached = world.accuracy + gaps

    def normal(scale: Any, *shape: int) -> np.ndarray:
        return np.asarray(np.float32(scale) * generator.standard_normal(shape, np.float32))

    value = (norm.ppf(reached) * wide).astype(np.float32)[:, None, None]
    value = value + normal(world.photo, n, 1, 1, photos) + normal(world.own, n, arms, 1, photos)
    luck = normal(world.shared, n, 1, seeds, 1) + normal(1.0, n, arms, seeds, 1) * sd[:, None, None].astype(np.float32)
    right = value + luck + normal(1.0, n, arms, seeds, photos) > 0
    if world.fails:
        failed = generator.random((n, arms, seeds, 1)) < world.fails
        if world.first_only:
            failed[:, 1:] = False
        right = np.where(failed, generator.random((n, 1, 1, photos)) < CHANCE, right)
    return right


def batches(
    name: str, world: World, gaps: np.ndarray, n: int, seeds: int, photos: int, fold: Callable[[np.ndarray], Any]
) -> list[Any]:
    """What `fold` makes of n studies, drawn some at a time. The seed comes from the cell's name."""
    generator = np.random.default_rng(zlib.crc32(f"{name}, {world.name}, {len(gaps)}, {seeds}, {photos}".encode()))
    at_once = max(1, min(n, int(AT_ONCE / (len(gaps) * seeds * photos))))
    sizes = [min(at_once, n - start) for start in range(0, n, at_once)]
    return [fold(draw(generator, world, gaps, size, seeds, photos)) for size in sizes]


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


def missed(world: World, seeds: int, photos: int, n: int) -> Counts:
    """95 % intervals of one contrast that do not hold the true difference, 0."""
    found = batches("coverage", world, np.zeros(2), n, seeds, photos, tested)
    return sum(int((p[:, 0] <= 0.05).sum()) for p in found), n


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


def advised(seed: float, photo: float, difference: float, seeds: int, photos: int, n: int) -> tuple[float, float, int]:
    """Of n pilots with so many seeds: the share whose middle, and whose most, seeds truly have 80 % power for the
    difference; and how many pilots advise a number. Mean squares are drawn as chi-squared."""
    generator = np.random.default_rng(zlib.crc32(f"advice {seed} {photo} {seeds} {photos}".encode()))
    truth = Components(seed, photo, 0.3, equal=2.0)
    rest = 0.3**2
    df = 2 * (seeds - 1)
    enough: list[tuple[bool, bool]] = []
    for _ in range(n):
        found = MeanSquares(
            0.0,
            (rest + photos * seed**2) * generator.chisquare(df) / df,
            (rest + seeds * photo**2) * generator.chisquare(photos - 1) / (photos - 1),
            rest,
            seeds,
            photos,
            seed_df=df,
        )
        advice = remedy(mean_of(found), difference, ALPHA, photos, None)
        if advice is None or advice.likely is None or advice.likely[1].seeds > MOST_ADVISED:
            continue
        middle, most = (advice.settle or advice.likely[1]).seeds, advice.likely[1].seeds
        powers = [power(difference, *expected(truth, k, photos), ALPHA) for k in (middle, most)]
        enough.append((powers[0] >= POWER, powers[1] >= POWER))
    if not enough:
        return 0.0, 0.0, 0
    return float(np.mean([one for one, _ in enough])), float(np.mean([two for _, two in enough])), len(enough)


def shown(counts: Counts, bar: float) -> str:
    """A share of studies in per cent, with * where it is above the bar beyond chance."""
    wrong, n = counts
    low = binomtest(wrong, n).proportion_ci(0.99, method="exact").low
    return f"{100 * wrong / n:.1f}{'*' if low > bar else ''}"


def table(title: str, header: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    """As Markdown, line by line."""
    yield from ("", title, "", f"| {' | '.join(header)} |", f"|{'---|' * len(header)}")
    for row in rows:
        yield f"| {' | '.join(row)} |"


def studies_for(arms: int, seeds: int, photos: int, n: int) -> int:
    """Fewer of large studies, so that a cell takes some 20 s at most."""
    return max(200, min(n, int(4e8 / (arms * seeds * photos))))


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


def advice_table(n: int, photos: Sequence[int], seeds: Sequence[int], m: Sequence[int]) -> Iterator[str]:
    """The number of seeds that is advised. m: unused."""

    def rows() -> Iterator[Sequence[str]]:
        for n_photos in photos:
            for n_seeds in seeds:
                for difference in (0.03, 0.05, 0.08):
                    middle, most, k = advised(0.03, 0.2, difference, n_seeds, n_photos, min(n, 300))
                    shares = [f"{100 * share:.0f}" if k else "" for share in (middle, most, k / min(n, 300))]
                    yield f"{n_photos:,}", str(n_seeds), f"{100 * difference:.0f}", *shares

    title = "Advice from pilots: in how many of 100 the advised seeds have 80 % power (3 points between seeds)"
    header = ("images", "seeds of the pilot", "points", "middle of the range", "its upper end", "pilots with a number")
    yield from table(title, header, rows())


def folds_of_learners(learner: Callable[[int], Any], k: int, photos: int, n: int) -> tuple[Counts, Counts, Counts]:
    """Studies with a false difference: by the product, by Nadeau & Bengio, and by all photos as if independent. Two
    learners of scikit-learn are equal by symmetry, since each sees its own half of exchangeable features; unlike drawn
    answers, they vary with their training photos, which folds share."""
    generator = np.random.default_rng(zlib.crc32(f"folds {k} {photos}".encode()))
    centres = 0.6 * np.random.default_rng(7).normal(size=(3, 6))
    wrong = np.zeros(3, int)
    for _ in range(n):
        labels, fold = generator.integers(0, 3, photos), generator.permutation(photos) % k
        right = np.empty((2, photos))
        for arm in range(2):
            seen = centres[labels] + generator.normal(size=(photos, 6))
            for held in range(k):
                there = fold == held
                fitted = learner(int(generator.integers(2**31))).fit(seen[~there], labels[~there])
                right[arm, there] = fitted.predict(seen[there]) == labels[there]
        tables = [right[0, fold == held] - right[1, fold == held] for held in range(k)]
        corrected = resampled_mean([table.mean() for table in tables], photos * (k - 1) / k, photos / k)
        alone = np.concatenate(tables)
        pooled = 2 * norm.sf(abs(alone.mean()) / (alone.std(ddof=1) / np.sqrt(photos)))
        mean = folded_mean(tables, [None] * k, least_error=photo_error(photos))
        assert mean is not None
        wrong += [(p or 0.0) <= ALPHA for p in (mean.p, corrected.p, pooled)]
    mine, theirs, naive = (int(count) for count in wrong)
    return (mine, n), (theirs, n), (naive, n)


def power_of_folds(k: int, photos: int, n: int) -> tuple[float, float, float]:
    """The share of studies that find the difference which all photos as if independent would find in 80 %, if they had
    5 % false claims: by the product, by Nadeau & Bengio, and the share that is meant (80 %)."""
    per_fold = photos // k
    seed, photo = 0.028, 0.5  # of a difference: between runs, and between photos; those of the typical world
    error = np.sqrt((seed**2 + photo**2 / per_fold) / k)
    gap = (norm.ppf(0.975) + norm.ppf(0.8)) * error
    generator = np.random.default_rng(zlib.crc32(f"power of folds {k} {photos}".encode()))
    found = np.zeros(2)
    for _ in range(n):
        luck = gap + seed * generator.normal(size=(k, 1))
        tables = list(luck + photo * generator.normal(size=(k, per_fold)))
        mean = folded_mean(tables, [None] * k, least_error=photo_error(photos))
        corrected = resampled_mean([table.mean() for table in tables], photos * (k - 1) / k, photos / k)
        assert mean is not None
        found += [(p or 0.0) <= ALPHA for p in (mean.p, corrected.p)]
    return float(found[0]) / n, float(found[1]) / n, 0.8


def folds_table(n: int, photos: Sequence[int], seeds: Sequence[int], m: Sequence[int]) -> Iterator[str]:
    """Folds in place of seeds. seeds, m: unused."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.tree import DecisionTreeClassifier

    learners: dict[str, Callable[[int], Any]] = {
        "nearest neighbour": lambda seed: KNeighborsClassifier(1),
        "tree": lambda seed: DecisionTreeClassifier(random_state=seed, min_samples_leaf=3),
        "random tree": lambda seed: DecisionTreeClassifier(random_state=seed, splitter="random", max_features=2),
        "linear": lambda seed: LinearDiscriminantAnalysis(),
    }
    size = max(n // 8, 100)

    def rows() -> Iterator[Sequence[str]]:
        for name, learner in learners.items():
            for n_photos in photos[:2]:
                for k in (3, 5, 10):
                    found = folds_of_learners(learner, k, n_photos, size)
                    yield name, f"{n_photos:,}", str(k), *(shown(one, ERRORS) for one in found)

    header = ("learner", "images", "folds", "commongarden", "Nadeau & Bengio", "all images as independent")
    yield from table("Folds: studies of equal learners with a false difference, in %", header, rows())

    def powers() -> Iterator[Sequence[str]]:
        for k in (3, 5, 10):
            yield str(k), *(f"{share:.2f}" for share in power_of_folds(k, 1_500, size))

    header = ("folds of 1,500 images", "commongarden", "Nadeau & Bengio", "all images, at the same error")
    yield from table("Folds: power", header, powers())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few studies")
    parser.add_argument("--only", nargs="*", choices=list(TABLES), help="these tables alone")
    given = parser.parse_args()
    for name, make in TABLES.items():
        if not given.only or name in given.only:
            sizes = (400, (225,), (3, 5), (1, 3)) if given.quick else (4_000, (225, 650, 5_000), (3, 5, 10), (1, 3, 10))
            for line in make(*sizes):
                print(line, flush=True)


TABLES: dict[str, Callable[..., Iterator[str]]] = {
    "differences": differences_table,
    "learned": learned_table,
    "equivalence": equivalence_table,
    "folds": folds_table,
    "advice": advice_table,
}

if __name__ == "__main__":
    main()
