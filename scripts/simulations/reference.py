"""What Dunnett's procedure and the set of the best models hold, by simulated studies through the product's functions.

Every study has arms with equal or unequal variance between seeds, tested on the same photos: a photo is right where the
arm's level, the photo's ease (for all arms, and for this one), the seed's luck and the rest, all normal, come out above
0. Without true differences the share of studies with any significant difference is the error rate; with some, the share
of those found is the power. The set of the best models covers where it holds the arm that is best.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from commongarden.records import Predictions
from commongarden.stats import METRICS
from commongarden.stats.best_set import can_be_best
from commongarden.stats.crossed import mean_squares
from commongarden.stats.dunnett import critical
from commongarden.stats.holm import holm_levels
from commongarden.stats.metrics import correct
from commongarden.stats.reference import against_reference
from commongarden.stats.scores import Sample, mean_difference
from simulations.tables import table

N_PHOTOS, ACCURACY = 300, 0.60
PHOTO_SD, OWN_SD, SEED_SD = 1.8, 0.5, 0.15  # of photos, of photos for one arm, of seeds, on the probit scale
PHOTOS = np.array([f"{i}" for i in range(N_PHOTOS)])
LABELS = np.zeros(N_PHOTOS, dtype=np.int64)
SPREADS: Mapping[str, Callable[[int], np.ndarray]] = {
    "equal": lambda n: np.full(n, SEED_SD),
    "equal, large": lambda n: np.full(n, 2 * SEED_SD),
    "almost none": lambda n: np.full(n, 0.02),
    "the reference three times": lambda n: np.where(np.arange(n), SEED_SD, 3 * SEED_SD),
    "the reference a third": lambda n: np.where(np.arange(n), 2 * SEED_SD, 2 * SEED_SD / 3),
    "one arm three times": lambda n: np.where(np.arange(n) == n - 1, 3 * SEED_SD, SEED_SD),
    "every other arm twice": lambda n: np.where(np.arange(n) % 2, 2 * SEED_SD, SEED_SD),
}


@dataclass(frozen=True)
class Row:
    """Shares of studies (error rates: by the product, by Holm's procedure, with one variance; covered), of true
    differences found (power, holm_power), and the mean size of the set of the best."""

    arms: int
    seeds: int
    spread: str
    error_rate: float
    holm_error_rate: float
    one_variance_error_rate: float
    power: float
    holm_power: float
    covered: float
    set_size: float


def study(generator: np.random.Generator, gaps: np.ndarray, n_seeds: int, sd: np.ndarray) -> dict[str, Sample]:
    """The runs of arms that lie above ACCURACY by these gaps."""
    n, wide = len(gaps), np.sqrt(1 + PHOTO_SD**2 + OWN_SD**2 + sd**2)
    level = norm.ppf(ACCURACY + gaps) * wide
    ease = PHOTO_SD * generator.standard_normal(N_PHOTOS) + OWN_SD * generator.standard_normal((n, N_PHOTOS))
    luck = sd[:, None] * generator.standard_normal((n, n_seeds))
    rest = generator.standard_normal((n, n_seeds, N_PHOTOS))
    right = (level[:, None, None] + ease[:, None, :] + luck[:, :, None] + rest > 0).astype(np.float32)
    probabilities = 0.05 + 0.9 * np.stack([right, 1 - right], axis=-1)
    return {
        f"arm_{i}": Sample(tuple(Predictions(PHOTOS, LABELS, each) for each in runs), 1_000)
        for i, runs in enumerate(probabilities)
    }


def significant(arms: Mapping[str, Sample]) -> tuple[np.ndarray, np.ndarray]:
    """Which arms differ significantly from the first: by Dunnett's procedure as the product has it, and by Holm's."""
    metric, (reference, *others) = METRICS["accuracy"], arms.values()
    family = against_reference(metric, [(arm, reference) for arm in others])
    found = [
        mean is not None and mean.p is not None and mean.p <= family.levels[i] for i, mean in enumerate(family.means)
    ]
    p = [mean_difference(metric, arm, reference).p or 0.0 for arm in others]
    holm = [one <= level for one, level in zip(p, holm_levels(p), strict=True)]
    return np.array(found), np.array(holm)


def with_one_variance(arms: Mapping[str, Sample]) -> bool:
    """Whether any arm would differ significantly from the first if all had one variance between seeds, which is what
    Dunnett's own procedure takes them to have."""
    table = np.stack([[correct(run) for run in found.runs] for found in arms.values()])
    n_arms, n_seeds, n_photos = table.shape
    by_seed, squares = table.mean(axis=2), mean_squares(table[1:] - table[:1])
    own = by_seed - by_seed.mean(axis=1, keepdims=True) - by_seed.mean(axis=0) + by_seed.mean()
    df = (n_arms - 1) * (n_seeds - 1)
    one = dataclasses.replace(squares, seed=2 * n_photos * (own**2).sum() / df)
    t = np.abs(squares.mean) / np.maximum(one.error(), 1 / n_photos)
    return bool(t.max() > critical(n_arms - 1, 0.5, float(df)))


def row(n_arms: int, n_seeds: int, spread: str, n_studies: int, seed: int = 0) -> Row:
    """n_studies without differences, and as many in which every other arm is 5 points better."""
    generator, sd = np.random.default_rng([seed, n_arms, n_seeds]), SPREADS[spread](n_arms)
    nothing, some = np.zeros(n_arms), np.where(np.arange(n_arms) % 2, 0.05, 0.0)
    wrong, found, covered, sizes, textbook = np.zeros(2), np.zeros(2), 0, 0, 0
    for _ in range(n_studies):
        arms = study(generator, nothing, n_seeds, sd)
        wrong += [each.any() for each in significant(arms)]
        textbook += with_one_variance(arms)
        covered += "arm_0" in (can_be_best(METRICS["accuracy"], arms) or ())
        arms = study(generator, some, n_seeds, sd)
        found += [each[some[1:] > 0].mean() for each in significant(arms)]
        sizes += len(can_be_best(METRICS["accuracy"], arms) or arms)
    (error, holm_error), (power, holm_power) = (map(float, each / n_studies) for each in (wrong, found))
    return Row(
        n_arms,
        n_seeds,
        spread,
        error,
        holm_error,
        textbook / n_studies,
        power,
        holm_power,
        covered / n_studies,
        sizes / n_studies,
    )


def rows(n_studies: int) -> Iterator[Row]:
    """Every number of arms and of seeds, with every spread."""
    for n_arms in (5, 20):
        for n_seeds in (3, 5, 10):
            for spread in SPREADS:
                yield row(n_arms, n_seeds, spread, n_studies)


def reference_table(n: int, photos: Sequence[int], seeds: Sequence[int], m: Sequence[int]) -> Iterator[str]:
    """Dunnett's procedure and the set of the best. photos, seeds, m: unused."""

    def shown() -> Iterator[Sequence[str]]:
        for one in rows(max(n // 40, 40)):
            rates = (one.error_rate, one.holm_error_rate, one.one_variance_error_rate)
            shares = (*rates, one.power, one.holm_power, one.covered)
            figures = (f"{100 * share:.1f}" for share in shares)
            yield str(one.arms), str(one.seeds), one.spread, *figures, f"{one.set_size:.1f}"

    rates = ("error rate", "Holm", "one variance", "power", "Holm", "best covered")
    header = ("models", "seeds", "variation between seeds", *rates, "size of the set")
    yield from table("Dunnett's procedure and the set of the best models, in %", header, shown())
