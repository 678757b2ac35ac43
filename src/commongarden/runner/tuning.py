"""Looks for each arm's own learning rate before the seeds are spent, with the same number of runs for each arm."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from commongarden import stats
from commongarden import store as store_files
from commongarden.errors import RunnerError
from commongarden.i18n.language import _
from commongarden.runner import forecast, plan
from commongarden.runner.cached_results import CachedResults
from commongarden.runner.display import Display
from commongarden.runner.events import Attributed, Audited, Job, Piloted, Task, Trial
from commongarden.runner.forecast import Forecast
from commongarden.runner.workers import LocalWorkers
from commongarden.store import Store, contract
from commongarden.study import TUNING_SEED, TUNING_SUFFIX, Study


def untuned(study: Study) -> list[str]:
    """The arms that are still to be tuned."""
    search = study.tuning
    return [] if search is None else [arm for arm in study.arms_to_tune() if arm not in search.best]


def pending(study: Study, store: Store) -> list[Trial]:
    """Tuning runs that the store lacks: number by number, all arms together."""
    open_arms = untuned(study)
    trials = [Trial(arm, TUNING_SEED, number) for arm, number in study.trials() if arm in open_arms]
    return [trial for trial in trials if not store.tuning().has(trial.arm, trial.number)]


def search(
    workers: LocalWorkers,
    known: dict[str, Piloted],
    n_workers: int | None,
    display: Display,
    stop: Callable[[], bool],
    confirm: Callable[[Forecast], bool] | None = None,
    *,
    keep_audit: Callable[[Audited], None] = lambda event: None,
    retry: bool = False,
) -> bool:
    """Makes the tuning runs that are missing, and when all are there puts each arm at its best into the study, with the
    contrasts between those. Returns whether that is so; not where it was stopped, or declined.

    workers: where the runs are made, but for how many at a time. known: what a run of each arm takes, filled for those
    that were not known, and for the arms that are added; confirm is asked where the search takes more than ten minutes.
    keep_audit: what is done with the audit of an arm, which comes before its first run.
    An arm that has been tuned stays as it is. Raises RunnerError where an arm would have had another number of runs
    than the others.
    """
    store, prepared, study = workers.store, workers.prepared, workers.store.study()
    if study.tuning is None or not untuned(study):
        return True
    if retry:
        _forget_failed(study, store)
    trials = pending(study, store)
    if trials:
        n_classes = len(prepared.manifest.classes)
        n = plan.n_workers(study, len(trials), n_classes, workers.device, n_workers)
        round_of = _Round(study, trials, known, n, n_classes, len(prepared.train), display, confirm)
        memos = CachedResults(study, workers.prepared, workers.device, n, display.note)
        wanted: list[Task] = [*plan.unaudited(study, store, trials, n_classes), *forecast.pilots(trials, known)]
        recalled, tasks = memos.recalled(wanted)
        for seen_before in recalled:
            if isinstance(seen_before, Piloted):
                known[seen_before.arm] = seen_before
            else:
                keep_audit(seen_before)
        for event in dataclasses.replace(workers, n=n).execute(tasks, stop, round_of):
            if isinstance(event, Audited | Piloted):
                memos.keep(event)
            if isinstance(event, Piloted):
                known[event.arm] = event
            elif isinstance(event, Audited):
                keep_audit(event)
            elif not isinstance(event, Attributed):  # which comes after the study's own runs only
                display.show(event)
        if pending(study, store):
            return False
    found = settled(study, store, display.note)
    store_files.write_study(store.root, found)
    contract.write(store, contract.of(found, prepared.manifest, store.splits()))  # the arms that were added are in it
    for tuned, arm in found.tuned_from().items():
        if arm in known:  # the same network takes the same time
            known.setdefault(tuned, dataclasses.replace(known[arm], arm=tuned))
    return True


@dataclass
class _Round:
    """Gives all tuning runs at once, when the pilots are over and the plan is told."""

    study: Study
    trials: list[Trial]
    known: Mapping[str, Piloted]
    n_workers: int
    n_classes: int
    n_train: int
    display: Display
    confirm: Callable[[Forecast], bool] | None
    is_over: bool = False

    def __call__(self) -> list[Trial]:
        if self.is_over:
            return []
        self.is_over = True
        assert self.study.tuning is not None
        self.display.note(
            _("tuning: {runs} runs for each of {arms}, judged on the validation part alone").format(
                runs=self.study.tuning.runs, arms=", ".join(untuned(self.study))
            )
        )
        found = forecast.forecast(self.trials, self._each(), self.n_workers)
        if found is not None:
            told = _("tuning takes about {time}, {workers} runs at a time; the study's own runs come after it")
            self.display.note(told.format(time=forecast.clock(found.seconds), workers=self.n_workers))
            if found.seconds > forecast.ASK_ABOVE and self.confirm is not None and not self.confirm(found):
                return []
        sizes: dict[Job, float] = {
            trial: plan.work(self.study, trial, self.n_train, self.n_classes) for trial in self.trials
        }
        epochs: dict[Job, int] = {trial: plan.recipe_of(self.study, trial).epochs for trial in self.trials}
        self.display.begin(sizes, epochs, self.n_workers)
        return self.trials

    def _each(self) -> dict[str, Piloted]:
        """What a tuning run of each arm takes: its share of the epochs of a whole run."""
        found = {}
        for trial in self.trials:
            if (whole := self.known.get(trial.arm)) is None or whole.seconds is None:
                continue
            share = plan.recipe_of(self.study, trial).epochs / self.study.recipe_of(trial.arm).epochs
            found[trial.arm] = dataclasses.replace(whole, seconds=share * whole.seconds)
        return found


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
