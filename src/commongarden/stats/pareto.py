"""Which arms give the most accuracy for what they cost (Pareto front)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from commongarden.records import Estimate
from commongarden.stats.results import ArmResult

Cost = Literal["seconds", "inference_ms", "n_params", "macs", "peak_memory_mb"]  # fields of ArmResult
COSTS: tuple[Cost, ...] = ("seconds", "inference_ms", "n_params", "macs", "peak_memory_mb")
EXACT: tuple[Cost, ...] = ("n_params", "macs")  # counted, not measured


@dataclass(frozen=True)
class Dominated:
    """An arm than which another is at least as accurate and at most as costly.

    surely: the 95 % intervals of the two arms overlap neither in accuracy nor in cost.
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


def front(arms: Sequence[ArmResult], cost: Cost) -> Front | None:
    """The front of test accuracy against a cost, over the arms for which both are known.

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
            (Dominated(item[0], other[0], _surely(other, item)) for other in best if _dominates(other, item)),
            key=lambda found: found.surely,
        )
        for item in known
        if item[0] not in names
    ]
    return Front(cost, tuple(name for name, _, _ in best), tuple(behind))


def cost_of(arm: ArmResult, cost: Cost) -> Estimate | None:
    """What an arm costs; of a count, with an interval of no length."""
    found: Estimate | int | None = getattr(arm, cost)
    return Estimate(found, found, found, 1, "counted") if isinstance(found, int) else found


_Known = tuple[str, Estimate, Estimate]  # arm, accuracy, cost


def _by_cost(item: _Known) -> tuple[float, float]:
    return item[2].value, -item[1].value


def _dominates(one: _Known, two: _Known) -> bool:
    better, cheaper = one[1].value - two[1].value, two[2].value - one[2].value
    return better >= 0 and cheaper >= 0 and (better > 0 or cheaper > 0)


def _surely(one: _Known, two: _Known) -> bool:
    (_, better, cheaper), (_, worse, dearer) = one, two
    bounds = (better.low, worse.high, cheaper.high, dearer.low)
    if any(bound is None for bound in bounds):
        return False
    low, high, most, least = (float(bound) for bound in bounds if bound is not None)
    return low > high and most < least
