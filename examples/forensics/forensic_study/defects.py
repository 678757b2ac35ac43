"""What each defect of a network does to its accuracy: arms that have some of them, beside the arm that has none.

The arms are told apart by their options, not by their names: those made by `commongarden.forensics:network` have the
defects that are switched on; the one without any is the family's own arm of the same order and resolution.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from commongarden.records import Estimate
from commongarden.stats.holm import ALPHA, holm_levels
from commongarden.stats.means import Mean
from commongarden.study import Study
from forensic_study.combined import Tested, combined, shared_seeds

MAKER = "commongarden.forensics:network"
POOL = "scrambled_pool"
DEFECTS = (POOL, "constant_statistics", "slow_statistics", "all_positions", "overwritten_sum")

EffectKind = Literal["all", "removed", "alone", "others"]


@dataclass(frozen=True)
class Defective:
    """A network with and without its defects.

    right: the arm without any. published: the arm with all that any arm of it has, `defects`, in the order of DEFECTS.
    arms: every arm by the defects that it has.
    """

    right: str
    published: str
    family: str
    order: str
    resolution: int
    defects: tuple[str, ...]
    arms: Mapping[frozenset[str], str]

    def arm(self, *defects: str) -> str | None:
        """The arm with these defects and no others."""
        return self.arms.get(frozenset(defects))

    def without(self, defect: str) -> str | None:
        """The arm with all the others."""
        return self.arms.get(frozenset(self.defects) - {defect})


@dataclass(frozen=True)
class Effect:
    """What a network gains when defects are taken from it, in accuracy (shares), paired by seed and photo.

    kind: "all": every defect; "removed": `defect` out of all of them; "alone": `defect` where it is the only one;
        "others": all but `defect`, when it is gone already.
    level: Holm's, among all effects of a study; None where no error is known.
    """

    network: str
    kind: EffectKind
    defect: str
    arm: str
    against: str
    seeds: tuple[int, ...]
    mean: Mean
    level: float | None = None

    @property
    def estimate(self) -> Estimate:
        """With its 95 % interval by itself."""
        return self.mean.interval()

    @property
    def established(self) -> bool:
        """Whether 0 lies outside the interval that is adjusted for all effects together."""
        if self.level is None:
            return False
        wide = self.mean.interval(1 - self.level)
        return wide.low is not None and wide.high is not None and (wide.low > 0 or wide.high < 0)


def defective(study: Study) -> tuple[Defective, ...]:
    """The networks that the study has both with and without defects, in its order."""
    found = []
    for name, arm in study.arms.items():
        if arm.arch == MAKER or "order" not in arm.options:
            continue
        resolution = study.recipe_of(name).resolution
        mine = {
            frozenset(defect for defect in DEFECTS if other.options.get(defect)): label
            for label, other in study.arms.items()
            if other.arch == MAKER
            and other.options.get("family", "inception_flower") == arm.arch
            and other.options.get("order", "LAB") == arm.options["order"]
            and study.recipe_of(label).resolution == resolution
        }
        most = frozenset().union(*mine)
        if most and most in mine:
            defects = tuple(defect for defect in DEFECTS if defect in most)
            arms = {**mine, frozenset(): name}
            found.append(Defective(name, mine[most], arm.arch, arm.options["order"], resolution, defects, arms))
    return tuple(found)


def effects(tested: Tested, networks: Sequence[Defective]) -> tuple[Effect, ...]:
    """What the defects of these networks do, tested together. Pairs of which no seed is there are left out."""
    found: list[Effect] = []
    for one in networks:
        for kind, defect, arm, against in _planned(one):
            mean = combined(tested, {arm: 1.0, against: -1.0})
            if mean is not None:
                seeds = shared_seeds(tested, arm, against)
                found.append(Effect(one.right, kind, defect, arm, against, seeds, mean))
    return adjusted(found)


def adjusted(found: Sequence[Effect]) -> tuple[Effect, ...]:
    """The effects with Holm's levels, those without an error left out of the count."""
    p = {i: effect.mean.p for i, effect in enumerate(found)}
    known = {i: value for i, value in p.items() if value is not None}
    levels = dict(zip(known, holm_levels(list(known.values()), ALPHA), strict=True))
    return tuple(dataclasses.replace(effect, level=levels.get(i)) for i, effect in enumerate(found))


def _planned(one: Defective) -> list[tuple[EffectKind, str, str, str]]:
    planned: list[tuple[EffectKind, str, str, str]] = [("all", "", one.right, one.published)]
    if len(one.defects) == 1:
        return planned
    single = [(defect, one.without(defect), one.arm(defect)) for defect in one.defects]
    planned += [("removed", defect, without, one.published) for defect, without, _ in single if without]
    if POOL in one.defects and (without := one.without(POOL)):
        planned.append(("others", POOL, one.right, without))
    planned += [("alone", defect, one.right, alone) for defect, _, alone in single if alone]
    return planned
