"""From records to estimates: what each arm reached, and what each contrast allows one to say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from commongarden import arch
from commongarden.arch import listfile
from commongarden.records import Estimate, Run
from commongarden.store import Store
from commongarden.study import Contrast, Published, Study

Outcome = Literal["better", "worse", "not resolved", "one seed", "no pairs"]


@dataclass(frozen=True)
class Commonest:
    """Always guessing the commonest class of the training part: what a network must beat.

    accuracy: its share of the test part. loss: entropy of the training part's class shares, in nats.
    """

    label: str
    accuracy: float
    loss: float


@dataclass(frozen=True)
class ArmResult:
    """What an arm reached over its finished runs. Accuracies are shares (0..1); None where no run finished.

    n_at_commonest: runs that never left the commonest-class line (every test photo got one label, or the test
        accuracy is not above that line). accuracy_learned: over the other runs, where there are both kinds.
    beats_commonest: the interval lies above the line (with one run: the value).
    """

    arm: str
    arch: str
    input: tuple[int, int, int]
    n_finished: int
    n_failed: int
    test_accuracy: Estimate | None
    n_at_commonest: int
    accuracy_learned: Estimate | None
    beats_commonest: bool | None
    seconds: Estimate | None
    images_per_second: Estimate | None
    inference_ms: Estimate | None
    peak_memory_mb: Estimate | None
    model_mb: float | None
    n_params: int
    macs: int
    published: Published | None


@dataclass(frozen=True)
class ContrastResult:
    """A planned difference in test accuracy, paired by seed, with what differs between the two arms.

    difference: arm minus against, as a share. differs: (what, value of arm, value of against).
    """

    arm: str
    against: str
    outcome: Outcome
    difference: Estimate | None
    differs: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Results:
    """All that the table and the verdicts say."""

    study: str
    seeds: tuple[int, ...]
    classes: tuple[str, ...]
    n_train: int
    n_val: int
    n_test: int
    commonest: Commonest
    arms: tuple[ArmResult, ...]
    contrasts: tuple[ContrastResult, ...]


def summarize(store: Store) -> Results:
    """The results of all finished runs in the store. Arms without one are listed with what is known of them."""
    study, split, manifest, runs = store.study(), store.split(), store.manifest(), store.runs()
    label = {photo.path: photo.label for photo in manifest.photos}
    commonest = commonest_class([label[path] for path in split.train], [label[path] for path in split.test])
    return Results(
        study=study.name,
        seeds=study.seeds,
        classes=manifest.classes,
        n_train=len(split.train),
        n_val=len(split.val),
        n_test=len(split.test),
        commonest=commonest,
        arms=tuple(_arm_result(store, study, name, runs, commonest, len(manifest.classes)) for name in study.arms),
        contrasts=tuple(
            _contrast_result(study, contrast, runs, len(manifest.classes)) for contrast in study.planned_contrasts()
        ),
    )


def mean_interval(
    values: Sequence[float],
    *,
    confidence: float = 0.95,
    least_spread: float = 0.0,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    """The mean with Student's t interval; with one value the value alone.

    The interval carries the noise between the values (seeds), not that of the photos they are tested on.

    least_spread: the standard deviation is taken to be at least this. Accuracies are shares of a counted number of
        photos, so a few of them can be equal by rounding alone, which must not read as certainty.
    bounds: what is possible; the interval is cut there.
    """
    n = len(values)
    mean = float(np.mean(values))
    if n == 1:
        return Estimate(mean, None, None, 1, "one run: no interval")
    spread = max(float(np.std(values, ddof=1)), least_spread)
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * spread / math.sqrt(n)
    low, high = max(mean - half, bounds[0]), min(mean + half, bounds[1])
    return Estimate(mean, low, high, n, f"Student t, {confidence:.0%} over seeds")


def accuracy_interval(accuracies: Sequence[float], n_photos: int) -> Estimate:
    """The mean of accuracies on `n_photos` photos, within 0 and 1."""
    return mean_interval(accuracies, least_spread=rounding_spread(n_photos), bounds=(0.0, 1.0))


def difference_interval(differences: Sequence[float], n_photos: int) -> Estimate:
    """The mean of differences between two accuracies on `n_photos` photos, within -1 and 1."""
    return mean_interval(differences, least_spread=math.sqrt(2) * rounding_spread(n_photos), bounds=(-1.0, 1.0))


def rounding_spread(n_photos: int) -> float:
    """The standard deviation of an accuracy that comes from counting whole photos alone: that of a uniform
    distribution one photo wide (Sheppard 1898)."""
    return 1 / (n_photos * math.sqrt(12))


def commonest_class(train: Sequence[str], test: Sequence[str]) -> Commonest:
    """The line of always guessing the commonest label of the training part (ties: first in the alphabet)."""
    counts = Counter(train)
    label = min(counts, key=lambda name: (-counts[name], name))
    shares = np.array(list(counts.values())) / len(train)
    return Commonest(label, sum(name == label for name in test) / len(test), float(-(shares * np.log(shares)).sum()))


def at_commonest(store: Store, run: Run, line: float) -> bool:
    """Whether a finished run never left the commonest-class line."""
    guesses = store.predictions(run.arm, run.seed).probabilities.argmax(axis=1)
    return len(set(guesses.tolist())) == 1 or (run.test_accuracy or 0.0) <= line


def most_missed(store: Store, n: int = 24) -> list[tuple[str, float]]:
    """The test photos that most runs got wrong: (path, share of finished runs that missed it), worst first.

    Equal shares are told apart by the mean probability given to the true class.
    """
    runs = [run for run in store.runs() if run.status == "finished"]
    if not runs:
        return []
    predictions = [store.predictions(run.arm, run.seed) for run in runs]
    photos = predictions[0].photos
    rows = np.arange(len(photos))
    missed = np.mean([item.probabilities.argmax(axis=1) != item.labels for item in predictions], axis=0)
    belief = np.mean([item.probabilities[rows, item.labels] for item in predictions], axis=0)
    worst = np.lexsort((belief, -missed))[:n]
    return [(str(photos[i]), float(missed[i])) for i in worst if missed[i] > 0]


def _arm_result(
    store: Store, study: Study, name: str, runs: Sequence[Run], commonest: Commonest, n_classes: int
) -> ArmResult:
    mine = [run for run in runs if run.arm == name]
    done = [run for run in mine if run.status == "finished"]
    recipe = study.recipe_of(name)
    shape = (recipe.resolution, recipe.resolution, 3)
    cost = arch.cost(study.arms[name].network(n_classes), shape)
    stuck = [run for run in done if at_commonest(store, run, commonest.accuracy)]
    learned = [run for run in done if run not in stuck]
    histories = [store.history(run.arm, run.seed) for run in done]
    seconds = [sum(epoch.seconds for epoch in history) for history in histories]
    rates = [
        run.n_train * len(history) / sum(epoch.seconds_train for epoch in history)
        for run, history in zip(done, histories, strict=True)
    ]
    accuracies = [run.test_accuracy for run in done if run.test_accuracy is not None]
    accuracy = accuracy_interval(accuracies, done[0].n_test) if accuracies else None
    learned_accuracies = [run.test_accuracy for run in learned if run.test_accuracy is not None]
    return ArmResult(
        arm=name,
        arch=study.arms[name].arch,
        input=shape,
        n_finished=len(done),
        n_failed=len(mine) - len(done),
        test_accuracy=accuracy,
        n_at_commonest=len(stuck),
        accuracy_learned=accuracy_interval(learned_accuracies, done[0].n_test) if stuck and learned else None,
        beats_commonest=None if accuracy is None else _floor(accuracy) > commonest.accuracy,
        seconds=_over(seconds),
        images_per_second=_over(rates),
        inference_ms=_over([run.inference_ms for run in done]),
        peak_memory_mb=_over([run.peak_memory_bytes / 1e6 for run in done if run.peak_memory_bytes is not None]),
        model_mb=done[0].model_bytes / 1e6 if done and done[0].model_bytes else None,
        n_params=cost.n_params,
        macs=cost.macs,
        published=study.published.get(name),
    )


def _floor(estimate: Estimate) -> float:
    return estimate.value if estimate.low is None else estimate.low


def _over(values: Sequence[float | None]) -> Estimate | None:
    known = [value for value in values if value is not None]
    return mean_interval(known) if known else None


def _contrast_result(study: Study, contrast: Contrast, runs: Sequence[Run], n_classes: int) -> ContrastResult:
    by_seed = {
        name: {run.seed: run.test_accuracy for run in runs if run.arm == name and run.test_accuracy is not None}
        for name in (contrast.arm, contrast.against)
    }
    pairs = sorted(by_seed[contrast.arm].keys() & by_seed[contrast.against].keys())
    differences = [by_seed[contrast.arm][seed] - by_seed[contrast.against][seed] for seed in pairs]
    n_photos = next((run.n_test for run in runs), 1)
    estimate = difference_interval(differences, n_photos) if differences else None
    return ContrastResult(
        contrast.arm, contrast.against, _outcome(estimate), estimate, differences_of(study, contrast, n_classes)
    )


def _outcome(difference: Estimate | None) -> Outcome:
    if difference is None:
        return "no pairs"
    if difference.low is None or difference.high is None:
        return "one seed"
    if difference.low > 0:
        return "better"
    return "worse" if difference.high < 0 else "not resolved"


def differences_of(study: Study, contrast: Contrast, n_classes: int) -> tuple[tuple[str, str, str], ...]:
    """What differs between the two arms, computed from their definitions: (what, value of arm, value of against)."""
    one, two = study.arms[contrast.arm], study.arms[contrast.against]
    rows = [("architecture", one.arch, two.arch)]
    if one.arch == two.arch and one.list_form:  # maybe two states of one file
        rows += listfile.differences(one.list_form, two.list_form)
    rows += [
        (key, str(one.options.get(key, "none")), str(two.options.get(key, "none")))
        for key in sorted({*one.options, *two.options})
    ]
    recipes = study.recipe_of(contrast.arm), study.recipe_of(contrast.against)
    rows += [
        (key, str(getattr(recipes[0], key)), str(getattr(recipes[1], key)))
        for key in sorted({*one.overrides, *two.overrides})
    ]
    costs = [
        arch.cost(arm.network(n_classes), (recipe.resolution, recipe.resolution, 3))
        for arm, recipe in zip((one, two), recipes, strict=True)
    ]
    rows += [("parameters", f"{costs[0].n_params:,}", f"{costs[1].n_params:,}")]
    rows += [("MACs", f"{costs[0].macs:,}", f"{costs[1].macs:,}")]
    return tuple(row for row in rows if row[1] != row[2])
