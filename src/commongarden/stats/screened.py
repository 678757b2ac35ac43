"""Screened models in order of accuracy, each with its interval, and which of them the first is distinguishable from."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from commongarden.records import Estimate
from commongarden.records.screening import Candidate, Screened, Screening, Selection
from commongarden.stats.holm import ALPHA, holm_p
from commongarden.stats.means import Mean
from commongarden.stats.pareto import COSTS, Cost, Front, front
from commongarden.stats.resampled import resampled_mean


@dataclass(frozen=True)
class RankedModel:
    """A model's place. accuracy: of the linear probe, over repeated folds; neighbours: of the nearest neighbours.

    behind: the accuracy of the first minus its own, over the same folds, None for the first; p: of that difference,
    adjusted over all models (Holm). distinguishable: whether it is significantly less accurate than the first.
    """

    screened: Screened
    accuracy: Estimate
    neighbours: Estimate
    behind: Estimate | None
    p: float | None

    @property
    def distinguishable(self) -> bool:
        """From the first, which is itself not."""
        return self.p is not None and self.p < ALPHA and self.behind is not None and self.behind.value > 0

    # as stats.pareto reads an arm's results

    @property
    def arm(self) -> str:
        """Its name to be read: as the command line names it, where that is what its name was made from."""
        one = self.screened
        return one.arch if re.sub(r"[^\w.+-]+", "-", one.arch) == one.model else one.model

    @property
    def test_accuracy(self) -> Estimate:
        """Of the photos of each fold."""
        return self.accuracy

    @property
    def inference_ms(self) -> Estimate:
        """Measured once, for one image."""
        return _alone(self.screened.ms)

    @property
    def n_params(self) -> int:
        """With the last layer for these classes."""
        return self.screened.n_params

    @property
    def macs(self) -> int | None:
        """For one image."""
        return self.screened.macs

    @property
    def peak_memory_mb(self) -> Estimate | None:
        """Of a forward pass with 32 images."""
        found = self.screened.memory_bytes
        return None if found is None else _alone(found / 1e6)

    @property
    def seconds(self) -> None:
        """Nothing is trained."""
        return


def ranked(found: Screening) -> tuple[RankedModel, ...]:
    """The models by the accuracy of the linear probe, the best first; of equals the one with fewer parameters.

    Intervals and differences are of repeated cross-validation (Nadeau & Bengio 2003); the differences from the first
    are tested together (Holm).
    """
    order = sorted(found.models, key=lambda one: (-_mean(one.probe), one.n_params, one.model))
    if not order:
        return ()
    first, *others = order
    differences = [_difference(found, first.probe, one.probe) for one in others]
    adjusted = holm_p([1.0 if one.p is None else one.p for one in differences])
    rows = [RankedModel(first, _accuracy(found, first.probe), _accuracy(found, first.neighbours), None, None)]
    for one, difference, p in zip(others, differences, adjusted, strict=True):
        accuracy, neighbours = _accuracy(found, one.probe), _accuracy(found, one.neighbours)
        rows.append(RankedModel(one, accuracy, neighbours, difference.interval(), p))
    return tuple(rows)


def fronts(models: Sequence[RankedModel]) -> tuple[Front, ...]:
    """The Pareto front for each cost that is known of two models."""
    decided = {(one.arm, models[0].arm) for one in models if one.distinguishable}
    found = [front(models, cost, decided) for cost in COSTS if cost != "seconds"]
    return tuple(one for one in found if one is not None)


def on_fronts(models: Sequence[RankedModel]) -> dict[str, tuple[Cost, ...]]:
    """For each model the costs for which no other one is as accurate and cheaper."""
    found = fronts(models)
    return {one.arm: tuple(front.cost for front in found if one.arm in front.arms) for one in models}


def selection(found: Screening, chosen: Sequence[str]) -> Selection:
    """The record of what these models were chosen from."""
    rows = ranked(found)
    candidates = tuple(
        Candidate(one.screened.model, one.accuracy.value, one.accuracy.low, one.accuracy.high) for one in rows
    )
    n_asked = len(found.models) + len(found.left)
    return Selection(candidates, tuple(chosen), n_asked, found.split, found.n_photos, found.folds, found.repeats)


def together(before: Selection, later: Selection) -> Selection:
    """What the models of a study were chosen from in two screenings: all candidates of both, best first."""
    found = {one.model: one for one in (*before.candidates, *later.candidates)}
    candidates = sorted(found.values(), key=lambda one: -one.accuracy)
    chosen = tuple(dict.fromkeys((*before.chosen, *later.chosen)))
    n_asked = max(before.n_asked, later.n_asked, len(candidates))
    return dataclasses.replace(later, candidates=tuple(candidates), chosen=chosen, n_asked=n_asked)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _accuracy(found: Screening, values: Sequence[float]) -> Estimate:
    least = 1 / (found.n_test * math.sqrt(12))  # of counting: accuracies are whole numbers of photos
    return resampled_mean(values, found.n_train, found.n_test, least_spread=least, bounds=(0.0, 1.0)).interval()


def _difference(found: Screening, first: Sequence[float], other: Sequence[float]) -> Mean:
    least = math.sqrt(2) / (found.n_test * math.sqrt(12))
    values = [one - two for one, two in zip(first, other, strict=True)]
    return resampled_mean(values, found.n_train, found.n_test, least_spread=least, bounds=(-1.0, 1.0))


def _alone(value: float) -> Estimate:
    return Estimate(value, None, None, 1, "measured once")
