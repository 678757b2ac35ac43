"""Folds in place of seeds."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.stats import norm

from commongarden.records import Predictions
from commongarden.stats import METRICS
from commongarden.stats.best_set import can_be_best
from commongarden.stats.cross_validated import folded_mean
from commongarden.stats.crossed import photo_error
from commongarden.stats.holm import ALPHA
from commongarden.stats.resampled import resampled_mean
from commongarden.stats.scores import Sample
from simulations.tables import ERRORS, Counts, shown, table


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


def left_out_by_folds(learner: Callable[[int], Any], k: int, photos: int, n: int, arms: int = 6) -> Counts:
    """How often one of six equal learners, which may be the best as well as any, is left out of the set of the best."""
    generator = np.random.default_rng(zlib.crc32(f"best of folds {k} {photos}".encode()))
    centres = 0.6 * np.random.default_rng(7).normal(size=(3, 6))
    out = 0
    for _ in range(n):
        labels, fold = generator.integers(0, 3, photos), generator.permutation(photos) % k
        runs: list[list[Predictions]] = []
        for _arm in range(arms):
            seen = centres[labels] + generator.normal(size=(photos, 6))
            runs.append([])
            for held in range(k):
                there = fold == held
                fitted = learner(int(generator.integers(2**31))).fit(seen[~there], labels[~there])
                answers = np.eye(3, dtype=np.float32)[fitted.predict(seen[there])]
                runs[-1].append(Predictions(np.flatnonzero(there).astype(str), labels[there], answers))
        tested = {f"arm_{i}": Sample(tuple(found), round(photos * (k - 1) / k)) for i, found in enumerate(runs)}
        kept = can_be_best(METRICS["accuracy"], tested)
        out += kept is not None and "arm_0" not in kept
    return out, n


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

    def sets() -> Iterator[Sequence[str]]:
        for name, learner in learners.items():
            for k in (3, 5, 10):
                yield name, str(k), shown(left_out_by_folds(learner, k, photos[0], size), ERRORS)

    header = ("learner", "folds", "left out")
    said = (
        f"Folds of {photos[0]:,} images: how often one of six equal learners is left out of the set of the best, in %"
    )
    yield from table(said, header, sets())

    def powers() -> Iterator[Sequence[str]]:
        for k in (3, 5, 10):
            yield str(k), *(f"{share:.2f}" for share in power_of_folds(k, 1_500, size))

    header = ("folds of 1,500 images", "commongarden", "Nadeau & Bengio", "all images, at the same error")
    yield from table("Folds: power", header, powers())
