"""The networks of a study put to use: the best model's runs as one predictor, or the run or model that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from commongarden.errors import StoreError, unknown
from commongarden.i18n.language import _
from commongarden.inference.predictor import Predictor, load_run
from commongarden.records import Run
from commongarden.stats import summarize
from commongarden.store import Store, open_store


class Ensemble(nn.Module):
    """Several runs of one model that predict together: the mean of their probabilities.

    Call it like a `Predictor`, with uint8 images (n, 3, height, width), for log-probabilities (n, classes).

    Attributes:
        members: the predictor of each run.
        classes: the class of each column.
        input: (height, width, 3) in pixels.
        run: the record of the first run.
    """

    def __init__(self, members: Sequence[Predictor]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.run, self.classes, self.input = members[0].run, members[0].classes, members[0].input

    def forward(self, pixels: Tensor) -> Tensor:
        together = torch.stack([member(pixels).log_softmax(1) for member in self.members])
        return together.logsumexp(0) - torch.log(torch.tensor(float(len(self.members))))

    def preprocess(self, photo: str | Path) -> Tensor:
        """Reads an image as the runs read theirs (see `Predictor.preprocess`)."""
        first: Predictor = self.members[0]  # type: ignore[assignment]  # of a ModuleList
        return first.preprocess(photo)


def load(folder: str | Path, *, model: str | None = None, seed: int | None = None) -> Predictor | Ensemble:
    """Loads what a study trained, ready to predict.

    Args:
        folder: the folder of a study, or of one finished run (DIR/runs/ARM/SEED).
        model: which model (arm) of the study. None for the best one, by its mean of the study's metric on the test set.
        seed: one run of that model. None for the ensemble of all its finished runs.

    Returns:
        The network in evaluation mode on the CPU, with the preprocessing that it was trained with: a `Predictor` for
        one run, an `Ensemble` for several.

    Raises:
        StoreError: the folder holds no finished run, or its files are damaged.
        ArchError: the network's own code is missing, has changed or raises an error.
    """
    folder = Path(folder)
    if not (folder / "study.toml").is_file() and model is None and seed is None:
        return load_run(folder)
    store = open_store(folder)
    runs = runs_of(store, model, seed)
    members = [load_run(store.directory(run.arm, run.seed)) for run in runs]
    return members[0] if len(members) == 1 else Ensemble(members).eval()


def best_arm(store: Store) -> str:
    """The arm with the best mean of the study's metric on the test set. Raises StoreError where no run has finished."""
    results = summarize(store)
    if results.standings:
        return results.standings[0].arm
    finished = [run.arm for run in store.runs() if run.status == "finished"]
    if len(set(finished)) == 1:
        return finished[0]
    if not finished:
        raise StoreError(_("{folder}: no run has finished yet").format(folder=store.root))
    raise StoreError(
        _("{folder}: its models have no finished seed in common yet; choose one with --model").format(folder=store.root)
    )


def runs_of(store: Store, model: str | None, seed: int | None) -> list[Run]:
    """The finished runs of a model [the best one], or the one with this seed, by seed. Raises StoreError."""
    arm = best_arm(store) if model is None else model
    arms = store.study().arms
    if arm not in arms:
        raise StoreError(unknown("model", arm, arms, where=str(store.root)))
    finished = [run for run in store.runs() if run.arm == arm and run.status == "finished"]
    chosen = [run for run in finished if seed in (None, run.seed)]
    if not chosen:
        text = _("{folder}: {arm} has no finished run with this seed; finished: {seeds}")
        seeds = ", ".join(str(run.seed) for run in finished) or _("none")
        raise StoreError(text.format(folder=store.root, arm=arm, seeds=seeds))
    if not all(map(store.has_weights, chosen)):
        usable = [f"{run.arm}/{run.seed}" for run in store.runs() if store.has_weights(run)]
        text = _(
            "{folder}: weights of {arm} were deleted (`commongarden clean`); accepted: --model and --seed of a run "
            "that has its weights: {runs}"
        )
        raise StoreError(text.format(folder=store.root, arm=arm, runs=", ".join(usable) or _("none")))
    return sorted(chosen, key=lambda run: run.seed)
