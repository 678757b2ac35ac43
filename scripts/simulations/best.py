"""Whether the probabilities that the report states come true: of being best, and better than another by a margin."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from commongarden.records import Predictions
from commongarden.stats import METRICS
from commongarden.stats.best import chances, probabilities
from commongarden.stats.pairing import are_paired
from commongarden.stats.scores import Sample
from simulations.studies import TYPICAL, draw
from simulations.tables import table

ARMS, PHOTOS, MARGIN = 5, 650, 0.01
SAID = (0.65, 0.75)  # of which 65 to 75 in 100 should come true
ASSUMED = "normal, 3 points"  # by the product
Priors = dict[str, Callable[[np.random.Generator], np.ndarray]]
PRIORS: Priors = {  # the arms' levels, by what the difference of two is
    ASSUMED: lambda generator: generator.normal(0, 0.03 / np.sqrt(2), ARMS),
    "normal, 1 point": lambda generator: generator.normal(0, 0.01 / np.sqrt(2), ARMS),
    "normal, 6 points": lambda generator: generator.normal(0, 0.06 / np.sqrt(2), ARMS),
}


def samples(right: np.ndarray) -> dict[str, Sample]:
    """Runs as the product has them, from right or wrong for (arms, seeds, photos)."""
    photos, labels = np.array([f"{i}" for i in range(right.shape[-1])]), np.zeros(right.shape[-1], dtype=np.int64)
    stated = np.stack([right, ~right], axis=-1).astype(np.float32)
    return {
        str(arm): Sample(tuple(Predictions(photos, labels, run) for run in runs), 1_000)
        for arm, runs in enumerate(stated)
    }


def said_and_true(prior: str, seeds: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Of n studies (probability, came true): of the arm that most probably is the best; and of every other arm to be
    better than the first by more than the margin."""
    generator = np.random.default_rng(zlib.crc32(f"best {prior} {seeds}".encode()))
    best, better = [], []
    for _ in range(n):
        gaps = PRIORS[prior](generator)
        right = draw(generator, TYPICAL, gaps, 1, seeds, PHOTOS)[0]
        tested, by_seed = samples(right), bool(are_paired(right.mean(axis=-1)))
        found = probabilities(METRICS["accuracy"], tested, pair_seeds=by_seed) or {}
        named = max(found, key=lambda arm: found[arm])
        best.append((found[named], int(named) == gaps.argmax()))
        pairs = [(str(i), "0") for i in range(1, ARMS)]
        for (one, two), chance in chances(METRICS["accuracy"], tested, pairs, MARGIN, pair_seeds=by_seed).items():
            better.append((chance.better, gaps[int(one)] - gaps[int(two)] > MARGIN))
    return np.array(best, np.float64), np.array(better, np.float64)


def _came_true(found: np.ndarray) -> tuple[str, ...]:
    inside = found[(found[:, 0] >= SAID[0]) & (found[:, 0] <= SAID[1])]
    n = len(inside)
    share = 100 * inside[:, 1].mean() if n else np.nan
    error = 1.96 * np.sqrt(share * (100 - share) / n) if n else np.nan
    return f"{100 * found[:, 0].mean():.0f}", f"{100 * found[:, 1].mean():.0f}", f"{share:.0f} ± {error:.0f} ({n})"


def best_table(n: int, photos: Sequence[int], seeds: Sequence[int], m: Sequence[int]) -> Iterator[str]:
    """Probabilities and what came true. photos, m: unused."""
    found = {
        (prior, k): said_and_true(prior, k, n // 2 if prior == ASSUMED else n // 8) for prior in PRIORS for k in seeds
    }
    header = ("differences of two models", "seeds", "said, on average", "came true", "where 65 to 75 was said")
    for title, place in (
        (f"Probability to be the best of {ARMS}, of the model for which it is largest, in %", 0),
        ("Probability to be better by more than the margin of 1 point, in %", 1),
    ):
        rows = ((prior, str(k), *_came_true(both[place])) for (prior, k), both in found.items())
        yield from table(title, header, rows)
