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
from commongarden.runner.callbacks import Callbacks
from commongarden.runner.events import Piloted, Trial
from commongarden.runner.execute import Execution
from commongarden.runner.prepared_data import PreparedData
from commongarden.store import Store, contract
from commongarden.study import TUNING_SUFFIX, Study


def pending(study: Study, store: Store) -> list[Trial]:
    """Tuning runs that the store lacks: number by number, all arms together."""
    if study.tuning is None:
        return []
    open_arms = study.untuned()
    trials = [Trial(arm, study.tuning.run_seed, number) for arm, number in study.trials() if arm in open_arms]
    return [trial for trial in trials if not store.tuning().has(trial.arm, trial.number)]


def search(execution: Execution, stop: Callable[[], bool]) -> bool:
    """Makes the tuning runs that are missing, and when all are there puts each arm at its best into the study, with the
    contrasts between those. Returns whether that is so, also where nothing is tuned; not where it was stopped, or
    declined.

    An arm that has been tuned stays as it is. Raises RunnerError where an arm would have had another number of runs
    than the others.
    """
    store, prepared, options, recorder = execution.store, execution.prepared, execution.options, execution.recorder
    study = store.study()
    if study.tuning is None or not study.untuned():
        return True
    if options.retry:
        _forget_failed(study, store)
    trials = pending(study, store)
    if trials:
        n_classes = len(prepared.manifest.classes)
        n = plan.n_workers(study, len(trials), n_classes, execution.device, options.n_workers)
        audits, pilots = plan.unaudited(study, store, trials, n_classes), forecast.pilots(trials, recorder.known)
        more = _Round(study, trials, recorder.known, n, prepared, recorder.callbacks)
        execution.carry_out([*audits, *pilots], n, stop, more)
        if pending(study, store):
            return False
    found = settled(study, store, recorder.callbacks.display.note)
    store_files.write_study(store.root, found)
    contract.write(store, contract.of(found, prepared.manifest, store.splits()))  # the arms that were added are in it
    for tuned, arm in found.tuned_from().items():
        if (known := recorder.known.get(arm)) is not None:  # the same network takes the same time
            recorder.known.setdefault(tuned, dataclasses.replace(known, arm=tuned))
    return True


@dataclass
class _Round:
    """Gives all tuning runs at once, when the pilots are over and the plan is told."""

    study: Study
    trials: list[Trial]
    known: Mapping[str, Piloted]
    n_workers: int
    prepared: PreparedData
    callbacks: Callbacks
    is_over: bool = False

    def __call__(self) -> list[Trial]:
        if self.is_over:
            return []
        self.is_over = True
        assert self.study.tuning is not None
        display, confirm = self.callbacks.display, self.callbacks.confirm
        text = _("tuning: {runs} runs for each of {arms}, evaluated on the validation set")
        display.note(text.format(runs=self.study.tuning.runs, arms=", ".join(self.study.untuned())))
        found = forecast.forecast(self.trials, self._each(), self.n_workers)
        if found is not None:
            told = _("tuning takes about {time}, {workers} runs at a time; the runs of the study follow")
            display.note(told.format(time=forecast.clock(found.seconds), workers=self.n_workers))
            if found.seconds > forecast.ASK_ABOVE and confirm is not None and not confirm(found):
                return []
        self.callbacks.begin(self.study, self.prepared, self.trials, self.n_workers)
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
    for name in study.untuned():
        runs = stats.tuning_runs(store, study, name)
        if len(runs) != study.tuning.runs:
            message = _("{arm}: found {n} tuning runs, accepted: {runs}, the same number for every model")
            raise RunnerError(message.format(arm=name, n=len(runs), runs=study.tuning.runs))
        found = stats.best_of(runs)
        if found is None or found.number == 0:
            best[name] = name
            tell(_("tuning: {arm} keeps its learning rate, no other was better").format(arm=name))
            continue
        best[name] = name + TUNING_SUFFIX
        searched = {"lr": found.lr} | ({"weight_decay": found.weight_decay} if study.tuning.weight_decay else {})
        arms[best[name]] = dataclasses.replace(arms[name], overrides={**arms[name].overrides, **searched})
        message = _("tuning: {tuned} uses learning rate {lr:g} instead of {declared:g}")
        tell(message.format(tuned=best[name], lr=found.lr, declared=runs[0].lr))
    return dataclasses.replace(study, arms=arms, tuning=dataclasses.replace(study.tuning, best=best))


def _forget_failed(study: Study, store: Store) -> None:
    kept = store.tuning()
    for name in study.untuned():
        for run in stats.tuning_runs(store, study, name):
            if run.val_accuracy is None:
                store_files.forget_run(kept, name, run.number)
