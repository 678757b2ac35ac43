"""Wrong claims where seeds are spent by what is seen: races, and seeds that are added to a finished study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from commongarden.stats.looks import AddedPlan
from commongarden.stats.racing import RacePlan, race
from simulations.studies import FAILED, FAILING, TYPICAL, WORLDS, World, batches, studies_for
from simulations.tables import ERRORS, Counts, shown, table

RACE = RacePlan(20)
BY_FIVE = AddedPlan(40, counts=(5, 10, 15, 20, 25, 30, 35, 40))
BY_ONE = AddedPlan(12, counts=tuple(range(3, 13)))
PLANS = {"raced, up to 20": RACE, "5 seeds at a time, up to 40": BY_FIVE, "1 seed at a time, from 3 to 12": BY_ONE}
MARGIN = RACE.margin


def wrong_claims(world: World, plan: RacePlan, m: int, photos: int, n: int, gap: float = 0.0) -> Counts:
    """Studies with any claim that is wrong. gap: of all arms to the first, when they learn: none, so that every claimed
    difference is wrong, or the margin, so that "equivalent" is."""
    pairs = [(str(i), "0") for i in range(1, m + 1)]
    wrong = {"better", "worse"} if not gap else {"equivalent", "worse"}

    def count(right: np.ndarray) -> int:
        found = 0
        for study in right:
            did = study.mean(axis=-1) > FAILED
            ended = race(
                pairs,
                [str(i) for i in range(m + 1)],
                range(plan.most),
                lambda arm, seed, study=study: study[int(arm), seed],
                lambda arm, seed: True,
                plan,
                learned=lambda arm, seed, did=did: bool(did[int(arm), seed]),
            )
            found += any(row.decision in wrong for row, _ in ended.last_looks.values())
        return found

    gaps = np.array([0.0, *[gap] * m])
    return sum(batches(f"races {plan.looks} {gap}", world, gaps, n, plan.most, photos, count)), n


def races_table(n: int, photos: Sequence[int], seeds: Sequence[int], m: Sequence[int]) -> Iterator[str]:
    """Races and added seeds. seeds: unused."""

    def rows() -> Iterator[Sequence[str]]:
        for name, plan in PLANS.items():
            for world, gap in [(world, 0.0) for world in (TYPICAL, WORLDS[2], *FAILING)] + [(TYPICAL, MARGIN)]:
                if plan is not RACE and world is WORLDS[2]:
                    continue
                for n_photos in sorted({photos[0], photos[-1]}):
                    found = [wrong_claims(world, plan, k, n_photos, _studies(k, plan, n_photos, n), gap) for k in m]
                    said = f"{world.name}, {'equal' if not gap else 'the margin apart'}"
                    yield name, said, f"{n_photos:,}", *(shown(one, ERRORS) for one in found)

    names = [f"{k} comparison{'s' if k > 1 else ''}" for k in m]
    title = "Races and added seeds: studies with a wrong claim, in %"
    yield from table(title, ("seeds", "world", "images", *names), rows())


def _studies(m: int, plan: RacePlan, photos: int, n: int) -> int:
    return min(n // 4, studies_for(m + 1, plan.most, photos, n))
