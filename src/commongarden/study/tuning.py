"""`[tuning]`: the same number of short looks for each arm's own learning rate, before the seeds are spent."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from commongarden.errors import StudyError, check_known
from commongarden.i18n.language import _
from commongarden.study.recipe import Recipe, override

MOST_RUNS, MOST_SEED = 10_000, 1_000_000
TUNING_SUFFIX = ".tuned"


@dataclass(frozen=True)
class Tuning:
    """A search for each arm's learning rate, and optionally weight decay, on the validation set.

    runs: trials for each arm; the first has the arm's own recipe.
    lr, weight_decay: range, searched evenly on a logarithmic scale; None leaves weight decay as it is.
    epochs: of a trial; None takes the recipe's.
    arms: the arms to tune; empty for all.
    best: the tuned arm of each arm, or the arm itself if its own recipe was best; filled in by the search.
    seed: of the trials' weights and order of images; another one repeats the search with the same values.
    """

    runs: int = 8
    lr: tuple[float, float] = (1e-4, 1e-1)
    weight_decay: tuple[float, float] | None = None
    epochs: int | None = None
    arms: tuple[str, ...] = ()
    best: dict[str, str] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        _whole(self.runs, "runs", 2, MOST_RUNS)
        _range(self.lr, "lr")
        if self.weight_decay is not None:
            _range(self.weight_decay, "weight_decay")
        if self.epochs is not None:
            _whole(self.epochs, "epochs", 1)
        _whole(self.seed, "seed", 0, MOST_SEED)

    @property
    def run_seed(self) -> int:
        """The seed of every trial: below 0, where runs of the study have none, so that no run sees its streams."""
        return -1 - self.seed


def from_table(values: Mapping[str, Any]) -> Tuning:
    """The search that a study file's [tuning] declares. Raises StudyError."""
    names = [item.name for item in dataclasses.fields(Tuning)]
    check_known("key", values, names, StudyError, where="tuning")
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    arms, best = given.get("arms", ()), given.get("best", {})
    if not isinstance(arms, tuple) or not all(isinstance(name, str) for name in arms):
        text = _("tuning.arms: found {value!r}, accepted: a list of names in [arms]")
        raise StudyError(text.format(value=values["arms"]))
    if not isinstance(best, Mapping) or not all(isinstance(name, str) for name in best.values()):
        raise StudyError(
            _("tuning.best: found {value!r}, accepted: the value as written by commongarden").format(value=best)
        )
    return Tuning(**{**given, "best": dict(best)})


def to_table(tuning: Tuning) -> dict[str, Any]:
    """The search as a study file holds it."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in vars(tuning).items()
        if value not in (None, (), {}) and (key, value) != ("seed", 0)
    }


def values(tuning: Tuning, recipe: Recipe, seed: int) -> list[dict[str, float]]:
    """What each tuning run of an arm with this recipe overrides, in the order of their numbers.

    The first one overrides nothing. The others follow a scrambled Halton sequence (Owen 2017): evenly spread, the same
    for every arm, and known beforehand, so that no result and no order of finishing has a say in which come next.
    """
    from scipy.stats import qmc

    ranges = {"lr": tuning.lr} | ({"weight_decay": tuning.weight_decay} if tuning.weight_decay else {})
    points = qmc.Halton(len(ranges), seed=seed).random(tuning.runs - 1)
    found: list[dict[str, float]] = [{key: float(getattr(recipe, key)) for key in ranges}]
    found += [
        {key: _between(*ends, share) for (key, ends), share in zip(ranges.items(), point, strict=True)}
        for point in points
    ]
    return found


def recipe_of(tuning: Tuning, recipe: Recipe, number: int, seed: int, *, where: str) -> Recipe:
    """The recipe of tuning run `number` of an arm with this recipe. Raises StudyError."""
    epochs = {} if tuning.epochs is None else {"epochs": tuning.epochs}
    found = {} if number == 0 else values(tuning, recipe, seed)[number]
    return override(recipe, {**found, **epochs}, where=where)


def conflicts(stored: Tuning | None, wanted: Tuning | None) -> dict[str, tuple[Any, Any]]:
    """The keys of two searches for one study, with both values; more arms are no conflict."""
    if stored is None or wanted is None:
        return {}
    keys = ("runs", "lr", "weight_decay", "epochs", "seed")
    return {f"tuning.{key}": (getattr(stored, key), getattr(wanted, key)) for key in keys}


def extended(stored: Tuning | None, wanted: Tuning | None) -> Tuning | None:
    """`wanted` with what was found already."""
    if stored is None or wanted is None:
        return wanted or stored
    arms = tuple(dict.fromkeys((*stored.arms, *wanted.arms))) if stored.arms and wanted.arms else ()
    return dataclasses.replace(wanted, arms=arms, best={**wanted.best, **stored.best})


def _between(least: float, most: float, share: float) -> float:
    """The value that far between two on a logarithmic scale, in three figures, which is what a person would write."""
    value = float(f"{math.exp(math.log(least) + share * (math.log(most) - math.log(least))):.3g}")
    return min(max(value, least), most)


def _whole(value: object, key: str, least: int, most: int = 2**31) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        text = _("tuning.{key}: found {value!r}, accepted: an integer from {least} to {most:,}")
        raise StudyError(text.format(key=key, value=value, least=least, most=most))


def _range(value: object, key: str) -> None:
    numbers = value if isinstance(value, tuple) else ()
    fit = [isinstance(item, int | float) and not isinstance(item, bool) and math.isfinite(item) for item in numbers]
    if len(fit) != 2 or not all(fit) or not 0 < numbers[0] < numbers[1]:
        text = _("tuning.{key}: found {value!r}, accepted: minimum and maximum, such as [1e-4, 1e-1]")
        raise StudyError(text.format(key=key, value=list(value) if isinstance(value, tuple) else value))
