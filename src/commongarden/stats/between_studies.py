"""Arms of several studies compared, where that is allowed: the same classes, the same test photos, shared seeds.

The difference of two arms is that of `contrasts.py`: paired by photo, over the seeds in which both learned, seeds and
photos crossed. Runs of two studies are not paired by seed, since nothing shows that it matters to both. All differences
that are shown are one family by Holm's procedure (Holm 1979). What else differs between the studies, such as their
recipes, is part of what is compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from commongarden.records import Estimate, Predictions
from commongarden.stats.contrasts import is_judged, outcome
from commongarden.stats.holm import ALPHA, holm_levels, holm_p
from commongarden.stats.learning import both_learned, learned
from commongarden.stats.metrics import METRICS
from commongarden.stats.results import Outcome, Results
from commongarden.stats.scores import Sample, mean_difference, shared_photos
from commongarden.store import Store

Reason = Literal["classes", "photos", "runs", "seeds"]
MOST_ARMS = 6  # of one pair of studies


@dataclass(frozen=True)
class Side:
    """A study that is compared. name: as it is shown."""

    name: str
    store: Store
    results: Results


@dataclass(frozen=True)
class Barred:
    """Two studies whose arms cannot be compared, and why. n_shared, n_most: of test photos, or seeds."""

    one: str
    two: str
    reason: Reason
    n_shared: int = 0
    n_most: int = 0


@dataclass(frozen=True)
class Compared:
    """The test accuracy of an arm of one study minus that of an arm of another one. adjusted: at Holm's level."""

    one: tuple[str, str]
    two: tuple[str, str]
    n_seeds: int
    difference: Estimate
    adjusted: Estimate | None
    p_holm: float | None
    outcome: Outcome


def compared(sides: Sequence[Side]) -> tuple[tuple[Compared, ...], tuple[Barred, ...]]:
    """The arms of each pair of studies that have the same name; of studies without such, the best of each. And the
    pairs of studies that cannot be compared. Raises StoreError."""
    metric, barred = METRICS["accuracy"], []
    pairs: list[tuple[tuple[str, str], tuple[str, str], Sample, Sample]] = []
    for one, two in itertools.combinations(sides, 2):
        reason = _barred(one, two)
        if reason is not None:
            barred.append(reason)
            continue
        found_of = [(arms, _paired(one, arms[0], two, arms[1])) for arms in _arms(one.results, two.results)]
        there = [(arms, samples) for arms, samples in found_of if samples is not None]
        if not there:
            barred.append(Barred(one.name, two.name, "seeds", 0, 2))
        elif all(map(_are_same, (samples for _, samples in there))):
            barred.append(Barred(one.name, two.name, "runs"))
        else:
            pairs += [((one.name, arm), (two.name, other), *samples) for (arm, other), samples in there]
    means = [mean_difference(metric, first, second, pair_seeds=False) for _one, _two, first, second in pairs]
    p = {i: mean.p for i, mean in enumerate(means) if mean.p is not None and is_judged(mean)}
    levels = dict(zip(p, holm_levels(list(p.values()), ALPHA), strict=True))
    adjusted_p = dict(zip(p, holm_p(list(p.values())), strict=True))
    found = []
    for i, ((one_name, two_name, first, _second), mean) in enumerate(zip(pairs, means, strict=True)):
        adjusted = mean.interval(1 - levels[i]) if i in levels else None
        said = outcome(mean.interval(), adjusted, False, higher_is_better=True)
        found.append(Compared(one_name, two_name, len(first.runs), mean.interval(), adjusted, adjusted_p.get(i), said))
    return tuple(found), tuple(barred)


def _barred(one: Side, two: Side) -> Barred | None:
    if set(one.results.classes) != set(two.results.classes):
        return Barred(one.name, two.name, "classes")
    seeds = [seed for seed in one.results.seeds if seed in two.results.seeds]
    if len(seeds) < 2:
        return Barred(one.name, two.name, "seeds", len(seeds), 2)
    for seed in seeds:
        mine, other = _test_photos(one.store, seed), _test_photos(two.store, seed)
        if mine != other:
            return Barred(one.name, two.name, "photos", len(mine & other), max(len(mine), len(other)))
    return None


def _test_photos(store: Store, seed: int) -> set[tuple[str, str]]:
    """Content and label of each."""
    test = set(store.split(seed).test)
    return {(photo.sha256, photo.label) for photo in store.manifest().photos if photo.path in test}


def _arms(one: Results, two: Results) -> Iterator[tuple[str, str]]:
    names = {arm.arm for arm in two.arms}
    shared = [arm.arm for arm in one.arms if arm.arm in names]
    if shared:
        yield from ((arm, arm) for arm in shared[:MOST_ARMS])
    elif one.standings and two.standings:
        yield one.standings[0].arm, two.standings[0].arm


def _paired(one: Side, arm: str, two: Side, other: str) -> tuple[Sample, Sample] | None:
    """The runs of the seeds that both have finished; None where these are fewer than two."""
    seeds = [
        seed
        for seed in one.results.seeds
        if _is_finished(one.store, arm, seed) and _is_finished(two.store, other, seed)
    ]
    mine = learned(one.store, [one.store.run(arm, seed) for seed in seeds])
    theirs = learned(two.store, [two.store.run(other, seed) for seed in seeds])
    both = {("one", seed): mine[arm, seed] for seed in seeds} | {("two", seed): theirs[other, seed] for seed in seeds}
    seeds = both_learned(seeds, ("one", "two"), lambda side, seed: both[side, seed])
    if len(seeds) < 2:
        return None
    first = tuple(one.store.predictions(arm, seed) for seed in seeds)
    second = tuple(_aligned(two.store.predictions(other, seed), run) for seed, run in zip(seeds, first, strict=True))
    if not all(shared_photos(pair) for pair in zip(first, second, strict=True)):
        return None
    n_train = one.results.n_train
    return Sample(first, n_train), Sample(second, n_train)


def _are_same(samples: tuple[Sample, Sample]) -> bool:
    """Whether the runs of one study are copies of the other's."""
    return all(
        np.array_equal(one.probabilities, two.probabilities)
        for one, two in zip(samples[0].runs, samples[1].runs, strict=True)
    )


def _is_finished(store: Store, arm: str, seed: int) -> bool:
    return store.has(arm, seed) and store.run(arm, seed).status == "finished"


def _aligned(run: Predictions, like: Predictions) -> Predictions:
    """The same predictions in the order of other photos, if they are the same ones."""
    places = {photo: i for i, photo in enumerate(map(str, run.photos))}
    photos = list(map(str, like.photos))
    if not set(photos) <= places.keys():
        return run
    order = np.array([places[photo] for photo in photos], dtype=np.int64)
    return Predictions(run.photos[order], run.labels[order], run.probabilities[order])
