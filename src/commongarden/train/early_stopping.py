"""When a run ends before its last epoch, by the rule of its recipe: a function of its history alone, so that a resumed
run ends where one that was never stopped does."""

from __future__ import annotations

from collections.abc import Sequence

from commongarden.records import Epoch
from commongarden.study.recipe import Recipe


def is_over(recipe: Recipe, history: Sequence[Epoch]) -> bool:
    """Whether `early_stopping` epochs in a row have brought no higher validation accuracy than the best before them.

    An equal accuracy is none higher, as in Keras' EarlyStopping with min_delta 0.
    """
    if not recipe.early_stopping or not history:
        return False
    reached = [validated(recipe, epoch) for epoch in history]
    return len(reached) - 1 - reached.index(max(reached)) >= recipe.early_stopping


def validated(recipe: Recipe, epoch: Epoch) -> float:
    """The validation accuracy of the weights that the recipe would test: of the moving average, or of the network."""
    if recipe.select == "ema" and epoch.ema_val_accuracy is not None:
        return epoch.ema_val_accuracy
    return epoch.val_accuracy
