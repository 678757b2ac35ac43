"""Trackers that a study can be logged to (`--log-to`): observers, of which each needs its own extra."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from commongarden.errors import RunnerError, unknown
from commongarden.i18n.language import _
from commongarden.runner.observers import Observer

Maker = Callable[[Path], Observer]


def _tensorboard(folder: Path) -> Observer:
    from commongarden.runner.trackers.tensorboard import TensorBoard

    return TensorBoard(folder / "tensorboard")


def _mlflow(folder: Path) -> Observer:
    from commongarden.runner.trackers.mlflow import MLflow

    return MLflow()


def _wandb(folder: Path) -> Observer:
    from commongarden.runner.trackers.wandb import WandB

    return WandB()


def _trackio(folder: Path) -> Observer:
    from commongarden.runner.trackers.trackio import Trackio

    return Trackio()


MAKERS: dict[str, Maker] = {"tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb, "trackio": _trackio}


def chosen(names: Sequence[str], folder: Path) -> list[Observer]:
    """The trackers of these names. folder: of the study. Raises RunnerError for another name, and for
    a package that is not installed."""
    found = []
    for name in dict.fromkeys(names):
        if name not in MAKERS:
            raise RunnerError(unknown("tracker", name, list(MAKERS), where="--log-to"))
        try:
            found.append(MAKERS[name](folder))
        except ImportError as error:
            text = _("--log-to {tracker} needs {name}; install it: pip install 'commongarden[{tracker}]'")
            raise RunnerError(text.format(tracker=name, name=error.name or name)) from None
    return found
