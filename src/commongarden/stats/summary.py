"""From the store's records to results: what each arm reached, and what each contrast allows one to say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from commongarden import arch
from commongarden.records import Estimate, Predictions, Run
from commongarden.stats import learning, looks, raced
from commongarden.stats.baselines import baselines_of, beside_baselines, over_splits
from commongarden.stats.best import chances, standings
from commongarden.stats.best_set import can_be_best
from commongarden.stats.budgets import budget_views
from commongarden.stats.clusters import Groups, clusters
from commongarden.stats.contrasts import contrast_results
from commongarden.stats.estimates import geometric_mean_interval
from commongarden.stats.factorial import effects_of
from commongarden.stats.majority_class import MajorityClass, commonest_class
from commongarden.stats.metrics import METRICS, Metric, imbalance
from commongarden.stats.pairing import pair_seeds
from commongarden.stats.part_contributions import part_contributions
from commongarden.stats.results import ArmResult, ContrastResult, Recall, Results
from commongarden.stats.scores import Sample, Tested, mean_score, shared_photos
from commongarden.stats.tuned import tuning_found
from commongarden.store import Store, contract
from commongarden.study import Study

Kept = TypeVar("Kept")
PRESENT_RULES = "2026-12-01T15"  # before, seeds were always paired, intervals over folds wider (docs/statistics.md)


def summarize(store: Store) -> Results:
    """Computes the results of all finished runs: means with intervals, contrasts with verdicts, the ranking.

    Args:
        store: an opened study (`open_store`).

    Returns:
        The results; an arm without a finished run is listed with what is known of it. Accuracies are shares (0..1),
        losses nats, times seconds; `n` of an estimate says what it counts. Intervals account for seed and test-set
        variation (docs/designs.md).

    Raises:
        StoreError: runs differ from what the study declares, or files are damaged.
    """
    study, split, manifest, runs = store.study(), store.split(), store.manifest(), store.runs()
    label = {photo.path: photo.label for photo in manifest.photos}
    groups = {photo.path: photo.group for photo in manifest.photos if photo.group}
    splits = store.splits()
    contract.check(store, study, manifest, splits, runs)
    parts = list(splits.values()) if study.splits_vary else [split]  # over all splits where they vary
    baselines = baselines_of(store, manifest.hash, parts)
    commonest = commonest_class(
        [label[path] for part in parts for path in part.train], [label[path] for part in parts for path in part.test]
    )
    tested = predictions_by_arm(store, study, runs)
    learned = learning.learned(store, runs)
    arms = tuple(
        _arm_result(store, study, name, runs, tested[name], commonest, manifest.classes, groups, learned)
        for name in study.arms
    )
    going = [arm for arm in arms if arm.arm not in store.dropped()]
    seconds = {arm.arm: arm.seconds.value for arm in arms if arm.seconds is not None}
    n_train = len(split.train)
    race = raced.read(store)
    seen = () if race is not None else looks.read(store)
    by_looks = looks.replay(store, study, seen) if race is None else race.race
    contrasts = contrast_results(study, tested, n_train, seconds, len(manifest.classes), by_looks, groups, learned)
    outcomes = {(contrast.arm, contrast.against): str(contrast.outcome) for contrast in contrasts}
    paired = pair_seeds(METRICS[study.metric], tested)
    shared = _with_shared_seeds(tested, n_train, groups)
    every = [run for by_seed in tested.values() for run in by_seed.values()]
    return Results(
        study=study.name,
        seeds=study.seeds,
        classes=manifest.classes,
        n_train=n_train,
        n_val=len(split.val),
        n_test=len(split.test),
        commonest=commonest,
        contrasts=_with_chances(study, contrasts, shared, paired),
        baselines=over_splits(baselines),
        beside_baselines=beside_baselines(tested, list(study.arms), runs, baselines, groups),
        budgets=budget_views(store, study, runs, tested, groups),
        tuned=tuning_found(store, study, outcomes, len(split.val)),
        arms=arms,
        metric=study.metric,
        margin=study.margin / 100,
        design="crossed" if not every or shared_photos(every) else "resampled",
        standings=standings(METRICS[study.metric], shared, pair_seeds=paired),
        pair_seeds=paired,
        looks=seen,
        has_earlier_rules=any(run.started < PRESENT_RULES for run in runs),
        imbalance=imbalance(Counter(label[path] for path in split.test)),
        factorial=effects_of(study, tested, splits, groups),
        vary=study.vary,
        folds=study.folds,
        contract=contract.of(study, manifest, splits).hash,
        worth=part_contributions(study, arms, contrasts, _seconds(store, study, runs)) if study.ablation else None,
        n_groups=_n_groups([photo.path for photo in manifest.photos], groups),
        n_test_groups=_n_groups(split.test, groups),
        reference=study.reference,
        can_be_best=_can_be_best(METRICS[study.metric], shared),
        n_missing=0 if race is not None else sum(len(study.seeds) - arm.n_finished - arm.n_failed for arm in going),
    )


def _with_chances(
    study: Study, contrasts: Sequence[ContrastResult], shared: Mapping[str, Sample], pair_seeds: bool
) -> tuple[ContrastResult, ...]:
    pairs = [(found.arm, found.against) for found in contrasts]
    by_pair = chances(METRICS[study.metric], shared, pairs, study.margin / 100, pair_seeds=pair_seeds)
    return tuple(replace(found, chances=by_pair.get(pair)) for found, pair in zip(contrasts, pairs, strict=True))


def _n_groups(paths: Sequence[str], groups: Groups) -> int:
    found = clusters(np.array(paths), groups)
    return 0 if found is None else found.n


def by_arm(arms: Iterable[str], runs: Sequence[Run], read: Callable[[str, int], Kept]) -> dict[str, dict[int, Kept]]:
    """What `read` gives of each finished run, by arm and seed; an arm without one has an empty entry.
    Runs of other arms are left out."""
    found: dict[str, dict[int, Kept]] = {arm: {} for arm in arms}
    for run in runs:
        if run.status == "finished" and run.arm in found:
            found[run.arm][run.seed] = read(run.arm, run.seed)
    return found


def predictions_by_arm(store: Store, study: Study, runs: Sequence[Run]) -> dict[str, dict[int, Predictions]]:
    """What the finished runs said, by arm and seed."""
    return by_arm(study.arms, runs, store.predictions)


def _seconds(store: Store, study: Study, runs: Sequence[Run]) -> dict[str, dict[int, float]]:
    """What the finished runs took, by arm and seed."""
    return by_arm(study.arms, runs, lambda arm, seed: sum(epoch.seconds for epoch in store.history(arm, seed)))


def _with_shared_seeds(tested: Tested, n_train: int, groups: Groups) -> dict[str, Sample]:
    """The arms that have finished a run, each with the seeds that all of them have; none without such a seed."""
    found = {arm: by_seed for arm, by_seed in tested.items() if by_seed}
    shared = sorted(set.intersection(*(set(by_seed) for by_seed in found.values()))) if found else []
    if not shared:
        return {}
    return {arm: Sample(tuple(by_seed[seed] for seed in shared), n_train, groups) for arm, by_seed in found.items()}


def _can_be_best(metric: Metric, shared: Mapping[str, Sample]) -> tuple[str, ...] | None:
    means = {arm: float(np.mean([metric.whole(run) for run in found.runs])) for arm, found in shared.items()}
    ordered = sorted(shared, key=lambda arm: -means[arm] if metric.higher_is_better else means[arm])
    return can_be_best(metric, {arm: shared[arm] for arm in ordered})


def _arm_result(
    store: Store,
    study: Study,
    name: str,
    runs: Sequence[Run],
    predictions: Mapping[int, Predictions],
    commonest: MajorityClass,
    classes: Sequence[str],
    groups: Groups,
    learned: learning.ByRun,
) -> ArmResult:
    mine = [run for run in runs if run.arm == name]
    done = [run for run in mine if run.status == "finished"]
    recipe = study.recipe_of(name)
    shape = (recipe.resolution, recipe.resolution, 3)
    cost = arch.cost(study.arms[name].network(len(classes)), shape)
    stuck = [run for run in done if not learned[name, run.seed]]
    well = [run for run in done if learned[name, run.seed]]
    histories = [store.history(run.arm, run.seed) for run in done]
    seconds = [sum(epoch.seconds for epoch in history) for history in histories]
    rates = [
        run.n_train * len(history) / sum(epoch.seconds_train for epoch in history)
        for run, history in zip(done, histories, strict=True)
    ]
    tested = _tested(predictions, done, groups)
    reached = {key: None if tested is None else mean_score(METRICS[key], tested).interval() for key in METRICS}
    accuracy = reached["accuracy"]
    kept = _tested(predictions, well, groups) if stuck else None
    return ArmResult(
        arm=name,
        arch=study.arms[name].arch,
        input=shape,
        n_finished=len(done),
        n_failed=len(mine) - len(done),
        test_accuracy=accuracy,
        n_at_commonest=len(stuck),
        accuracy_learned=None if kept is None else mean_score(METRICS["accuracy"], kept).interval(),
        beats_commonest=_is_above(accuracy, commonest.accuracy),
        seconds=_over(seconds),
        images_per_second=_over(rates),
        inference_ms=_over([run.inference_ms for run in done]),
        peak_memory_mb=_over([run.peak_memory_bytes / 1e6 for run in done if run.peak_memory_bytes is not None]),
        model_mb=done[0].model_bytes / 1e6 if done and done[0].model_bytes else None,
        n_params=cost.n_params,
        macs=cost.macs if cost.macs != arch.UNKNOWN else None,
        published=study.published.get(name),
        balanced_accuracy=reached["balanced_accuracy"],
        log_loss=reached["log_loss"],
        calibration_error=reached["calibration_error"],
        learned=learning.share(len(well), len(done)) if done else None,
        recalls=() if tested is None else _recalls(tested, classes),
    )


def _tested(predictions: Mapping[int, Predictions], runs: Sequence[Run], groups: Groups) -> Sample | None:
    if not runs:
        return None
    return Sample(tuple(predictions[run.seed] for run in runs), round(np.mean([run.n_train for run in runs])), groups)


def _recalls(tested: Sample, classes: Sequence[str]) -> tuple[Recall, ...]:
    """The accuracy over each class's own photos, of those classes that every run was tested on."""
    found = []
    for place, label in enumerate(classes):
        inside = [run.labels == place for run in tested.runs]
        if not all(rows.any() for rows in inside):
            continue
        own = tuple(
            Predictions(run.photos[rows], run.labels[rows], run.probabilities[rows])
            for run, rows in zip(tested.runs, inside, strict=True)
        )
        n_photos = float(np.mean([rows.sum() for rows in inside]))
        # the share of the photos that is tested on, not its size, is what makes splits depend on each other
        part = Sample(own, round(tested.n_train * n_photos / tested.n_test), tested.groups)
        found.append(Recall(label, round(n_photos), mean_score(METRICS["accuracy"], part).interval()))
    return tuple(found)


def _is_above(estimate: Estimate | None, line: float) -> bool | None:
    return None if estimate is None else (estimate.value if estimate.low is None else estimate.low) > line


def _over(values: Sequence[float | None]) -> Estimate | None:
    """Of times, rates and sizes."""
    known = [value for value in values if value is not None]
    return geometric_mean_interval(known) if known else None
