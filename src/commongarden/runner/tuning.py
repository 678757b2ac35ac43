"""Looks for each arm's own learning rate before the seeds are spent, with the same number of runs for each arm."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from commongarden import contract, stats
from commongarden import store as store_files
from commongarden.errors import RunnerError
from commongarden.language import _
from commongarden.runner import plan
from commongarden.runner.display import Display
from commongarden.runner.events import Audited, Job, Trial
from commongarden.runner.soil import Soil
from commongarden.runner.workers import LocalWorkers
from commongarden.store import Store
from commongarden.study import TUNING_SEED, TUNING_SUFFIX, Study


def untuned(study: Study) -> list[str]:
    """The arms that are still to be tuned."""
    search = study.tuning
    return [] if search is None else [arm for arm in study.arms_to_tune() if arm not in search.best]


def pending(study: Study, store: Store) -> list[Trial]:
    """Tuning runs that the store lacks: number by number, all arms together."""
    n = study.tuning.runs if study.tuning is not None else 0
    trials = [Trial(arm, TUNING_SEED, number) for number in range(n) for arm in untuned(study)]
    return [trial for trial in trials if not store.tuning().has(trial.arm, trial.number)]


def search(
    store: Store,
    soil: Soil,
    display: Display,
    n_workers: int | None,
    device: str,
    stop: Callable[[], bool],
    *,
    retry: bool = False,
) -> bool:
    """Makes the tuning runs that are missing, and when all are there puts each arm at its best into the study, with the
    contrasts between those. Returns whether that is so; not where it was stopped.

    An arm that has been tuned stays as it is. Raises RunnerError where an arm would have had another number of runs
    than the others.
    """
    study = store.study()
    if study.tuning is None or not untuned(study):
        return True
    if retry:
        _forget_failed(study, store)
    trials = pending(study, store)
    if trials:
        n_classes = len(soil.manifest.classes)
        display.note(
            _("tuning: {runs} runs for each of {arms}, judged on the validation part alone").format(
                runs=study.tuning.runs, arms=", ".join(untuned(study))
            )
        )
        sizes: dict[Job, float] = {trial: plan.work(study, trial, len(soil.train), n_classes) for trial in trials}
        n = plan.n_workers(study, len(trials), n_classes, device, n_workers)
        epochs: dict[Job, int] = {trial: plan.recipe_of(study, trial).epochs for trial in trials}
        display.begin(sizes, epochs, n)
        for event in LocalWorkers(store, soil, n, device).execute(trials, stop):
            if not isinstance(event, Audited):
                display.show(event)
        if pending(study, store):
            return False
    found = settled(study, store, display.note)
    store_files.write_study(store.root, found)
    contract.write(store, contract.of(found, soil.manifest, store.splits()))  # the arms that were added are in it
    return True


def settled(study: Study, store: Store, tell: Callable[[str], None] = lambda text: None) -> Study:
    """The study with each tuned arm at its best, where that is not its recipe as declared. Raises RunnerError."""
    assert study.tuning is not None
    arms, best = dict(study.arms), dict(study.tuning.best)
    for name in untuned(study):
        runs = stats.tuning_runs(store, study, name)
        if len(runs) != study.tuning.runs:
            raise RunnerError(
                _("{arm} has had {n} tuning runs, accepted: {runs}, as many as every arm").format(
                    arm=name, n=len(runs), runs=study.tuning.runs
                )
            )
        found = stats.best_of(runs)
        if found is None or found.number == 0:
            best[name] = name
            tell(_("tuning: {arm} keeps its recipe: no other learning rate did better").format(arm=name))
            continue
        best[name] = name + TUNING_SUFFIX
        searched = {"lr": found.lr} | ({"weight_decay": found.weight_decay} if study.tuning.weight_decay else {})
        arms[best[name]] = dataclasses.replace(arms[name], overrides={**arms[name].overrides, **searched})
        tell(
            _("tuning: {tuned} has learning rate {lr:g} (declared: {declared:g})").format(
                tuned=best[name], lr=found.lr, declared=runs[0].lr
            )
        )
    return dataclasses.replace(study, arms=arms, tuning=dataclasses.replace(study.tuning, best=best))


def _forget_failed(study: Study, store: Store) -> None:
    kept = store.tuning()
    for name in untuned(study):
        for run in stats.tuning_runs(store, study, name):
            if run.val_accuracy is None:
                store_files.forget_run(kept, name, run.number)
