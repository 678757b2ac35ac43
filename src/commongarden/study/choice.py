"""Studies as the command line asks for them: from names of architectures, or some arms of a declared one."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path

from commongarden.arch.families import FLOWER_ARMS
from commongarden.errors import StudyError, check_known
from commongarden.i18n.language import _
from commongarden.study import arm as arms
from commongarden.study.arm import Arm
from commongarden.study.declared import SplitPlan, Study, run_seeds
from commongarden.study.presets import PRESETS, Preset
from commongarden.study.tuning import Tuning

SPLIT = SplitPlan(val=0.10)
N_SEEDS = 5
ORDER = "LBA"  # of the small networks, with all their names: batch norm before the activation


def of_architectures(data: str, names: Sequence[str] | None, preset: str = "classroom") -> Study:
    """A study of architectures as the command line names them, trained as a preset says.

    names: None for the preset's own models, which then start from published weights where the preset says so. preset:
    one of PRESETS.
    """
    chosen: dict[str, Arm] = {}
    for text in PRESETS[preset].models if names is None else names:
        name, arm = arms.from_text(text)
        if text in FLOWER_ARMS:
            arm = Arm(text, {"order": ORDER})
        elif names is None:
            name, arm = _published(text, PRESETS[preset])
        if name in chosen:
            message = _("models: found {name!r} twice ({text!r}); accepted: different names, in a study file")
            raise StudyError(message.format(text=text, name=name))
        chosen[name] = arm
    recipe, seeds = PRESETS[preset].recipe, run_seeds(N_SEEDS)
    return Study(Path(data).name or "study", data, chosen, recipe, seeds, split=SPLIT, preset=preset)


def _published(text: str, preset: Preset) -> tuple[str, Arm]:
    """A library's network by its plain name: "timm:resnet18.a1_in1k" as "resnet18"."""
    name = text.rpartition(":")[2].partition(".")[0]
    return name, Arm(text, {"pretrained": preset.pretrained})


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


def studies_folder() -> Path:
    """Where studies are put if nobody says where: $COMMONGARDEN_STUDIES, or `garden` in the current folder."""
    return Path(os.environ.get("COMMONGARDEN_STUDIES") or "garden")


def folder_name(study: Study) -> str:
    """The study's name as a folder: letters, digits and - only."""
    return re.sub(r"[^\w.-]+", "-", study.name).strip("-.") or "study"
