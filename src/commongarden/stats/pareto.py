"""Which arms give the most accuracy for what they cost (Pareto front)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from commongarden.records import Estimate
from commongarden.stats.results import ContrastResult

Cost = Literal["seconds", "inference_ms", "n_params", "macs", "peak_memory_mb"]  # fields of ArmResult
COSTS: tuple[Cost, ...] = ("seconds", "inference_ms", "n_params", "macs", "peak_memory_mb")
EXACT: tuple[Cost, ...] = ("n_params", "macs")  # counted, not measured


class Costed(Protocol):
    """What has an accuracy and costs something, by the names of COSTS: an arm's results, a screened model."""

    @property
    def arm(self) -> str:
        """Its name."""
        ...

    @property
    def test_accuracy(self) -> Estimate | None:
        """Of photos that it did not learn from."""
        ...


@dataclass(frozen=True)
class Dominated:
    """An arm than which another is at least as accurate and at most as costly.

    surely: it is significantly less accurate by the study's verdict, and the 95 % intervals of the costs do not
    overlap.
    """

    arm: str
    by: str
    surely: bool


@dataclass(frozen=True)
class Front:
    """arms: those that none dominates by the means, cheapest first. dominated: the others, in the study's order."""

    cost: Cost
    arms: tuple[str, ...]
    dominated: tuple[Dominated, ...]


def front(arms: Sequence[Costed], cost: Cost, decided: Collection[tuple[str, str]] = ()) -> Front | None:
    """The front of test accuracy against a cost, over the arms for which both are known.

    decided: (arm, a significantly more accurate one), by the verdicts that are adjusted for all comparisons.

    None with fewer than two, and for a count that is the same for all.
    """
    known = [
        (arm.arm, arm.test_accuracy, spent)
        for arm in arms
        if arm.test_accuracy is not None and (spent := cost_of(arm, cost)) is not None
    ]
    if len(known) < 2 or (cost in EXACT and len({spent.value for _, _, spent in known}) == 1):
        return None
    best = sorted((item for item in known if not any(_dominates(other, item) for other in known)), key=_by_cost)
    names = {name for name, _, _ in best}
    behind = [
        max(
            (Dominated(item[0], other[0], _surely(other, item, decided)) for other in best if _dominates(other, item)),
            key=lambda found: found.surely,
        )
        for item in known
        if item[0] not in names
    ]
    return Front(cost, tuple(name for name, _, _ in best), tuple(behind))


def decided(contrasts: Sequence[ContrastResult]) -> set[tuple[str, str]]:
    """The pairs of which the verdict says that the first arm is significantly less accurate than the second."""
    return {
        (one.arm, one.against) if one.outcome == "worse" else (one.against, one.arm)
        for one in contrasts
        if one.metric == "accuracy" and one.outcome in ("better", "worse")
    }


def cost_of(arm: Costed, cost: Cost) -> Estimate | None:
    """What an arm costs; of a count, with an interval of no length."""
    found: Estimate | int | None = getattr(arm, cost)
    return Estimate(found, found, found, 1, "counted") if isinstance(found, int) else found


_Known = tuple[str, Estimate, Estimate]  # arm, accuracy, cost


def _by_cost(item: _Known) -> tuple[float, float]:
    return item[2].value, -item[1].value


def _dominates(one: _Known, two: _Known) -> bool:
    better, cheaper = one[1].value - two[1].value, two[2].value - one[2].value
    return better >= 0 and cheaper >= 0 and (better > 0 or cheaper > 0)


def _surely(one: _Known, two: _Known, decided: Collection[tuple[str, str]]) -> bool:
    most, least = one[2].high, two[2].low
    return (two[0], one[0]) in decided and most is not None and least is not None and most < least
