"""Studies as the command line asks for them: from names of architectures, or some arms of a declared one."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from commongarden import arch
from commongarden.errors import StudyError, check_known
from commongarden.i18n.language import _
from commongarden.study import arm as arms
from commongarden.study.arm import Arm
from commongarden.study.declared import SplitPlan, Study, run_seeds
from commongarden.study.recipe import Recipe
from commongarden.study.tuning import Tuning

CLASSROOM = "classroom"  # the preset of small networks, which a laptop trains in minutes
RECIPE = Recipe(schedule="one-cycle", augment=("flip",))
SPLIT = SplitPlan(val=0.10)
N_SEEDS = 5
ORDER = "LBA"  # of the small networks, with all their names: batch norm before the activation


def of_architectures(data: str, names: Sequence[str] | None) -> Study:
    """A study of architectures as the command line names them, by default the small ones of the preset "classroom",
    with settings that suit most photos; a study file may choose others."""
    chosen: dict[str, Arm] = {}
    if names is None:
        chosen = {name: Arm(name, {"order": ORDER}) for name in arch.families.FLOWER_ARMS}
    for text in names or ():
        name, arm = arms.from_text(text)
        if text in arch.families.FLOWER_ARMS:
            arm = Arm(text, {"order": ORDER})
        if name in chosen:
            message = _("models: found {name!r} twice ({text!r}); accepted: different names, in a study file")
            raise StudyError(message.format(text=text, name=name))
        chosen[name] = arm
    return Study(Path(data).name or "study", data, chosen, RECIPE, run_seeds(N_SEEDS), split=SPLIT)


def choose_arms(study: Study, names: list[str]) -> Study:
    """The study with some of its arms, and the contrasts and published figures between those."""
    check_known("model", names, study.arms, StudyError, where=study.name)
    whole = all(name in names for name in study.arms if study.levels_of(name))
    return dataclasses.replace(
        study,
        factors=study.factors if whole else {},  # a part of a grid is no factorial study
        factor_base=study.factor_base if whole else {},
        arms={name: study.arms[name] for name in names},
        contrasts=tuple(pair for pair in study.contrasts if pair.arm in names and pair.against in names),
        published={name: figures for name, figures in study.published.items() if name in names},
        tuning=study.tuning and _chosen_tuning(study.tuning, names),
        ablation=study.ablation if study.ablation in names else "",
    )


def _chosen_tuning(tuning: Tuning, names: list[str]) -> Tuning | None:
    """The search among the chosen arms; none where it was for others only."""
    arms = tuple(name for name in tuning.arms if name in names)
    best = {arm: tuned for arm, tuned in tuning.best.items() if arm in names and tuned in names}
    return None if tuning.arms and not arms else dataclasses.replace(tuning, arms=arms, best=best)


def folder_name(study: Study) -> str:
    """The study's name as a folder: letters, digits and - only."""
    return re.sub(r"[^\w.-]+", "-", study.name).strip("-.") or "study"
