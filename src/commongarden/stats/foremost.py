"""The arms of a large study that a report tells of one by one: the best ones, and what all are compared with."""

from __future__ import annotations

import dataclasses

from commongarden.stats.results import ArmResult, ContrastResult, Results

MOST_TOLD = 12  # arms that are all told of; as many have a colour of their own
MOST_CHOSEN = 24  # the same where somebody chose what is compared with what
N_FOREMOST = 10  # of more arms, beside the reference


def is_sweep(results: Results) -> bool:
    """Whether there are too many arms to tell of each. Grids of factors and ablations have their own summaries."""
    is_grid = results.factorial is not None or results.worth is not None
    return len(results.arms) > (MOST_TOLD if len(_references(results)) < 2 else MOST_CHOSEN) and not is_grid


def _references(results: Results) -> list[str]:
    return list(dict.fromkeys(found.against for found in results.contrasts))


def foremost(results: Results) -> Results:
    """The results of the best arms by the study's metric, best first, and of what they are compared with; all of
    them where they are few."""
    if not is_sweep(results):
        return results
    kept = {arm.arm: arm for arm in ranked(results)[:N_FOREMOST]}
    of_all = {arm.arm: arm for arm in results.arms}
    kept |= {arm: of_all[arm] for arm in _references(results)[:N_FOREMOST]}
    return dataclasses.replace(
        results,
        arms=tuple(kept.values()),
        contrasts=tuple(found for found in results.contrasts if found.arm in kept),
        standings=tuple(found for found in results.standings if found.arm in kept),
        budgets=tuple(found for found in results.budgets if found.arm in kept),
        beside_baselines=tuple(found for found in results.beside_baselines if found.arm in kept),
    )


def ranked(results: Results) -> list[ArmResult]:
    """The arms from best to worst; last those without a run."""
    place = {found.arm: i for i, found in enumerate(results.standings)}
    return sorted(results.arms, key=lambda arm: (place.get(arm.arm, len(place)), -_accuracy(arm)))


def others(results: Results) -> tuple[list[ArmResult], list[ContrastResult]]:
    """The arms and the comparisons that `foremost` leaves out."""
    told = foremost(results)
    arms, contrasts = {arm.arm for arm in told.arms}, set(map(id, told.contrasts))
    left = [arm for arm in ranked(results) if arm.arm not in arms]
    return left, [found for found in results.contrasts if id(found) not in contrasts]


def _accuracy(arm: ArmResult) -> float:
    return -1.0 if arm.test_accuracy is None else arm.test_accuracy.value
