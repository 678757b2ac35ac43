"""What the tuning runs of a study found: each arm's best beside its recipe as declared, and whether a verdict changes.

An arm's best tuning run is the one with the highest validation accuracy in the epoch that the recipe selects; of equals
the one with the lower validation loss, then the earlier one, so that the declared recipe stays where nothing beats it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from commongarden.store import Store
from commongarden.study import Study


@dataclass(frozen=True)
class TuningRun:
    """One look: what it was trained with and what it reached on the validation part (None where it failed)."""

    number: int
    lr: float
    weight_decay: float
    epochs: int
    val_accuracy: float | None
    val_loss: float | None


@dataclass(frozen=True)
class TunedArm:
    """All looks at an arm, in the order of their numbers; the first has the arm's recipe as declared.

    tuned: the arm of the study that has the best values, the same one where the declared recipe was best; None while
        they are looked for. best: number of the best look, None where all failed. at_edge: whether its learning rate is
        the least or the greatest that was tried.
    """

    arm: str
    tuned: str | None
    runs: tuple[TuningRun, ...]
    best: int | None
    at_edge: bool

    @property
    def ratio(self) -> float | None:
        """The best learning rate over the declared one."""
        if self.best is None:
            return None
        at = {run.number: run.lr for run in self.runs}
        return at[self.best] / at[0]


@dataclass(frozen=True)
class TunedContrast:
    """A planned contrast with the recipes as declared, and between the same arms at their best."""

    arm: str
    against: str
    tuned_arm: str
    tuned_against: str
    outcome: str
    tuned_outcome: str

    @property
    def changed(self) -> bool:
        """Whether the verdict is another one."""
        return self.outcome != self.tuned_outcome


@dataclass(frozen=True)
class Tuned:
    """What tuning found. budget: runs for each arm; n_val: photos that they were judged on."""

    budget: int
    n_val: int
    arms: tuple[TunedArm, ...]
    contrasts: tuple[TunedContrast, ...]

    @property
    def equal(self) -> bool:
        """Whether every arm has had the same number of runs, each with the same number of epochs."""
        spent = [[run.epochs for run in arm.runs] for arm in self.arms]
        return all(len(epochs) == self.budget for epochs in spent) and len({sum(epochs) for epochs in spent}) <= 1


def tuning_runs(store: Store, study: Study, arm: str) -> tuple[TuningRun, ...]:
    """The tuning runs of an arm that are in the store, finished or failed, by their numbers."""
    if study.tuning is None:
        return ()
    kept, found = store.tuning(), []
    for number in range(study.tuning.runs):
        if not kept.has(arm, number):
            continue
        run = kept.run(arm, number)
        reached = None
        if run.status == "finished":
            reached = kept.history(arm, number)[run.selected_epoch - 1]
        found.append(
            TuningRun(
                number,
                run.recipe.lr,
                run.recipe.weight_decay,
                run.recipe.epochs,
                None if reached is None else reached.val_accuracy,
                None if reached is None else reached.val_loss,
            )
        )
    return tuple(found)


def best_of(runs: Sequence[TuningRun]) -> TuningRun | None:
    """The best of an arm's tuning runs; None where none finished."""
    reached = [
        (run.val_accuracy, -run.val_loss, run)
        for run in runs
        if run.val_accuracy is not None and run.val_loss is not None
    ]
    return max(reached, key=lambda item: item[:2])[-1] if reached else None


def tuning_found(store: Store, study: Study, outcomes: Mapping[tuple[str, str], str], n_val: int) -> Tuned | None:
    """What tuning found; None for a study that tunes nothing. outcomes: of every planned contrast, by its two arms."""
    search = study.tuning
    if search is None:
        return None
    arms = []
    for arm in study.arms_to_tune():
        runs = tuning_runs(store, study, arm)
        best = best_of(runs)
        rates = [run.lr for run in runs]
        at_edge = best is not None and len(set(rates)) > 1 and best.lr in (min(rates), max(rates))
        arms.append(TunedArm(arm, search.best.get(arm), runs, None if best is None else best.number, at_edge))
    contrasts = tuple(
        TunedContrast(
            one.arm,
            one.against,
            two.arm,
            two.against,
            outcomes[one.arm, one.against],
            outcomes[two.arm, two.against],
        )
        for one, two in study.tuned_contrasts().items()
    )
    return Tuned(search.runs, n_val, tuple(arms), contrasts)
