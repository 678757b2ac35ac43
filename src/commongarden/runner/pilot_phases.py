"""The phases of a run whose steps take different times, for a pilot: all layers learn, or the head alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from commongarden.records import Epoch
from commongarden.study.recipe import Recipe
from commongarden.train.train_state import TrainState

PAST = Epoch(1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)  # stands for the epochs of the head alone


@dataclass(frozen=True)
class Phase:
    """Epochs of a run in which the same layers learn. recipe: of a run that is timed in its place."""

    recipe: Recipe
    n_epochs: int
    is_head_alone: bool = False

    def lasting(self, epochs: int) -> Recipe:
        """The same with so many epochs."""
        head = epochs if self.is_head_alone else self.recipe.head_epochs
        return dataclasses.replace(self.recipe, epochs=epochs, head_epochs=head)

    def begin(self, state: TrainState) -> None:
        """Puts a new run at the start of the phase."""
        if self.recipe.head_epochs and not self.is_head_alone:
            state.history.append(PAST)


def phases(recipe: Recipe) -> tuple[Phase, ...]:
    """Those of a run that have epochs; first the one that needs most memory."""
    recipe, head = dataclasses.replace(recipe, early_stopping=0), recipe.head_epochs
    whole = Phase(dataclasses.replace(recipe, head_epochs=min(head, 1)), recipe.epochs - head)
    alone = Phase(dataclasses.replace(recipe, head_epochs=recipe.epochs), head, is_head_alone=True)
    return tuple(phase for phase in (whole, alone) if phase.n_epochs > 0)
