"""Which run of a study is used where only one can be: chosen on the validation images, never on the test images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from commongarden.i18n.language import _
from commongarden.inference.ensemble import runs_of
from commongarden.records import Run
from commongarden.store import Store, open_store
from commongarden.train.early_stopping import validated


@dataclass(frozen=True)
class Chosen:
    """run: the record. folder: of the run. why: in a sentence; "" where it was asked for."""

    run: Run
    folder: Path
    why: str


def chosen_run(study: Path, model: str | None = None, seed: int | None = None) -> Chosen:
    """The run of a model [the best one] with the highest validation accuracy, or the one with this seed.

    If the seeds have validation sets of their own, their accuracies cannot be compared, and the first run is taken.
    Raises StoreError.
    """
    store = open_store(study)
    runs = runs_of(store, model, seed)
    found, why, values = runs[0], "", {"n": len(runs), "share": ""}
    if len(runs) == 1:
        why = "" if seed is not None else _("{arm}, seed {seed}: its only run")
    elif store.study().splits_vary:
        why = _("{arm}, seed {seed}: the first of {n} runs, as each has validation images of its own")
    else:
        reached = {run.seed: validation(store, run) for run in runs}
        found = min(runs, key=lambda run: (-reached[run.seed], run.seed))
        why = _("{arm}, seed {seed}: the highest validation accuracy of {n} runs ({share} %)")
        values["share"] = f"{100 * reached[found.seed]:.1f}"
    folder = store.directory(found.arm, found.seed)
    return Chosen(found, folder, why.format(arm=found.arm, seed=found.seed, **values))


def validation(store: Store, run: Run) -> float:
    """The validation accuracy of the weights that were tested."""
    return validated(run.recipe, store.history(run.arm, run.seed)[run.selected_epoch - 1])
