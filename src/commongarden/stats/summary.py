"""From the store's records to results: what each arm reached, and what each contrast allows one to say."""

from __future__ import annotations

from collections.abc import Sequence

from commongarden import arch
from commongarden.records import Estimate, Run
from commongarden.stats.commonest import Commonest, at_commonest, commonest_class
from commongarden.stats.differs import differences_of
from commongarden.stats.estimates import accuracy_interval, difference_interval, mean_interval
from commongarden.stats.factorial import effects_of
from commongarden.stats.results import ArmResult, ContrastResult, Outcome, Results
from commongarden.store import Store
from commongarden.study import Contrast, Study


def summarize(store: Store) -> Results:
    """The results of all finished runs in the store. Arms without one are listed with what is known of them."""
    study, split, manifest, runs = store.study(), store.split(), store.manifest(), store.runs()
    label = {photo.path: photo.label for photo in manifest.photos}
    splits = store.splits()
    parts = list(splits.values()) if study.splits_vary else [split]  # over all splits where they vary
    commonest = commonest_class(
        [label[path] for part in parts for path in part.train], [label[path] for part in parts for path in part.test]
    )
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
        factorial=effects_of(store, study, runs, splits),
    )


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
        contrast.arm, contrast.against, outcome(estimate), estimate, differences_of(study, contrast, n_classes)
    )


def outcome(difference: Estimate | None) -> Outcome:
    """What an interval of the difference allows one to say."""
    if difference is None:
        return "no pairs"
    if difference.low is None or difference.high is None:
        return "one seed"
    if difference.low > 0:
        return "better"
    return "worse" if difference.high < 0 else "not resolved"
