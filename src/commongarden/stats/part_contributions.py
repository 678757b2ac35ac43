"""What each part of a network is worth: the arm that is taken apart, minus the arm that lacks the part."""

from __future__ import annotations

from collections.abc import Sequence

from commongarden.records import Estimate
from commongarden.stats.differs import recipe_values
from commongarden.stats.means import student_mean
from commongarden.stats.metrics import METRICS
from commongarden.stats.results import ArmResult, ContrastResult, Outcome, PartContribution, PartContributions, Swap
from commongarden.study import Study

OPPOSITE: dict[str, Outcome] = {"better": "worse", "worse": "better"}


def part_contributions(
    study: Study,
    arms: Sequence[ArmResult],
    contrasts: Sequence[ContrastResult],
    seconds: dict[str, dict[int, float]],
) -> PartContributions:
    """What the contrasts of the study's `ablation` say. seconds: by arm and run seed."""
    by_name = {arm.arm: arm for arm in arms}
    whole = by_name[study.ablation]
    found = []
    for result in contrasts:
        if study.ablation not in (result.arm, result.against):
            continue
        is_first = result.arm == study.ablation
        name = result.against if is_first else result.arm
        arm, (parts, swaps) = by_name[name], _changed(study, name)
        sides = (result.difference, result.adjusted, result.equivalence)
        difference, adjusted, equivalence = sides if is_first else map(turned, sides)
        found.append(
            PartContribution(
                name,
                parts,
                swaps,
                result.outcome if is_first else OPPOSITE.get(result.outcome, result.outcome),
                difference,
                adjusted,
                equivalence,
                result.within_margin,
                _paired(seconds[study.ablation], seconds[name]),
                whole.n_params - arm.n_params,
                (whole.macs or 0) - (arm.macs or 0),  # of our own networks, whose parts are known, and so they are
                result.equivalence_level,
            )
        )
    sign = 1 if METRICS[study.metric].higher_is_better else -1
    found.sort(key=lambda part: (part.difference is None, -sign * part.difference.value if part.difference else 0))
    time = None if whole.seconds is None else whole.seconds.value
    return PartContributions(study.ablation, tuple(found), whole.n_params, whole.macs or 0, time)


def turned(found: Estimate | None) -> Estimate | None:
    """The same difference the other way round."""
    if found is None:
        return None
    low, high = (None if end is None else -end for end in (found.high, found.low))
    return Estimate(-found.value, low, high, found.n, found.method)


def _changed(study: Study, name: str) -> tuple[tuple[str, ...], tuple[Swap, ...]]:
    whole, arm = study.arms[study.ablation], study.arms[name]
    parts = tuple(part for part in arm.ablated if part not in whole.ablated)
    swaps = [("arch", whole.arch, arm.arch)]
    swaps += [
        (key, str(whole.options.get(key, "none")), str(arm.options.get(key, "none")))
        for key in sorted({*whole.options, *arm.options})
    ]
    swaps += recipe_values(study, study.ablation, name)
    return parts, tuple(swap for swap in swaps if swap[1] != swap[2])


def _paired(whole: dict[int, float], arm: dict[int, float]) -> Estimate | None:
    seeds = sorted(whole.keys() & arm.keys())
    return student_mean([whole[seed] - arm[seed] for seed in seeds]).interval() if seeds else None
