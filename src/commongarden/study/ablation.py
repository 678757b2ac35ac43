"""A network taken apart: from one arm to a study of it beside arms that differ from it in one thing each."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from commongarden import arch
from commongarden.errors import ArchError, StudyError, check_known
from commongarden.i18n.language import _
from commongarden.study import arm as arms
from commongarden.study.arm import Arm
from commongarden.study.declared import Contrast, Study
from commongarden.study.recipe import Recipe

FACTORS = ("order", "init", *arch.PART_FACTORS)
ORDERS = ("LA", "LAB", "LBA", "BAL")
INITS = ("fan-in", "fixed", "own")


@dataclass(frozen=True)
class TakenApart:
    """The study, and what was not made an arm of: (what, why)."""

    study: Study
    left_out: tuple[tuple[str, str], ...]


def take_apart(data: str, text: str, factors: Sequence[str] | None, recipe: Recipe) -> TakenApart:
    """A study of the arm that `text` names (as on the command line) beside one arm for each single change.

    factors: some of FACTORS; None takes all that the network has a part for. A network that the change makes the same
    as another arm's, or that does not fit together any more, is left out and named.

    Raises StudyError for a factor that is not known, or that the network has no part for.
    """
    check_known("factor", factors or (), FACTORS, StudyError, where="--factors")
    name, arm = arms.from_text(text)
    found = {factor: list(_changes(arm, factor, recipe)) for factor in FACTORS}
    has = [factor for factor in FACTORS if found[factor]]
    for factor in factors or ():
        if not found[factor]:
            message = _("--factors: {arm} has no part for {factor!r}; accepted: {accepted}")
            raise StudyError(message.format(arm=name, factor=factor, accepted=", ".join(has)))
    shape = (recipe.resolution, recipe.resolution, 3)
    seen = {}
    if arm.origin is None:
        arch.trace(arm.network(2), shape)
        seen[arch.hash(arm.network(2)), ""] = name
    made, left_out = {name: arm}, []
    for factor in dict.fromkeys(factors or has):
        for called, changed in found[factor]:
            if isinstance(changed, ArchError):
                left_out.append((called, str(changed)))
                continue
            if changed.origin is None:
                network = changed.network(2)
                try:
                    arch.trace(network, shape)
                except ArchError as error:
                    left_out.append((called, str(error)))
                    continue
                key = arch.hash(network), str(changed.overrides.get("init", ""))
                if key in seen:
                    left_out.append((called, _("the same network as {arm}").format(arm=seen[key])))
                    continue
                seen[key] = called
            made[called] = changed
    if len(made) == 1:
        raise StudyError(_("{arm}: has no part that can be removed or replaced").format(arm=name))
    contrasts = tuple(Contrast(name, other) for other in made if other != name)
    study = Study(f"ablation of {name}", data, made, recipe, contrasts=contrasts, ablation=name)
    return TakenApart(study, tuple(left_out))


def _changes(arm: Arm, factor: str, recipe: Recipe) -> Iterator[tuple[str, Arm | ArchError]]:
    """Each arm that differs from `arm` in this factor alone, with the name it gets in a study."""
    if factor == "init":
        own = arm.overrides.get("init", recipe.init)
        for init in INITS:
            if init != own:
                yield f"init-{init}", dataclasses.replace(arm, overrides={**arm.overrides, "init": init})
    elif arm.origin is not None:
        return
    elif factor == "order":
        for order in ORDERS if "order" in arm.options else ():
            if order != arm.options["order"]:
                yield f"order-{order}", _tried(arm, options={**arm.options, "order": order})
    else:
        for part in arch.parts(arm.network(2)):
            if part.factor == factor:
                yield _arm_name(part.name), _tried(arm, ablated=(*arm.ablated, part.name))


def _tried(arm: Arm, **changes: object) -> Arm | ArchError:
    try:
        changed: Arm = dataclasses.replace(arm, **changes)  # type: ignore[arg-type]
        changed.network(2)
    except ArchError as error:
        return error
    return changed


def _arm_name(part: str) -> str:
    """
    >>> _arm_name("branch 3 of inception a"), _arm_name("max pool to avg pool")
    ('no-branch-3-of-inception-a', 'max-pool-to-avg-pool')
    """
    start = "" if " to " in part else "no "
    return re.sub(r"[^\w.+-]+", "-", start + part).strip(".+-")[:64].rstrip(".+-")
