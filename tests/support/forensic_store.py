"""A store of the built-in study `forensics` with runs that nobody trained, of figures that a test wants."""

from __future__ import annotations

import dataclasses

from commongarden import study as studies
from commongarden.study.origin import Origin
from forensic_study.defects import MAKER
from grown import grown

CLASSES = ("daisy", "dandelion", "rose", "sunflower", "tulip")
# test accuracies by seed; LA stays on the line in its first seed
REACHED = {
    "LA": (0.20, 0.47, 0.48, 0.46, 0.49),
    "LA-published": (0.20, 0.20, 0.44, 0.20, 0.42),
    "LAB": (0.64, 0.61, 0.64, 0.65, 0.63),
    "LAB-published": (0.31, 0.28, 0.34, 0.30, 0.33),
    "plain": (0.59, 0.60, 0.58, 0.61, 0.62),
    "plain-published": (0.26, 0.28, 0.27, 0.30, 0.25),
    "residual": (0.65, 0.62, 0.65, 0.61, 0.64),
    "residual-published": (0.54, 0.45, 0.48, 0.50, 0.46),
    "bottleneck": (0.62, 0.62, 0.63, 0.62, 0.60),
    "bottleneck-published": (0.41, 0.44, 0.38, 0.45, 0.43),
    "LAB-without-pool": (0.58, 0.55, 0.60),
    "LAB-without-statistics": (0.33, 0.31, 0.34),
    "LAB-without-lag": (0.35, 0.33, 0.36),
    "LAB-without-positions": (0.31, 0.30, 0.33),
    "bottleneck-without-statistics": (0.47, 0.49, 0.44),
    "bottleneck-without-lag": (0.57, 0.55, 0.58),
    "bottleneck-without-positions": (0.42, 0.43, 0.39),
    "LAB-only-pool": (0.38, 0.36, 0.40),
    "bottleneck-only-statistics": (0.58, 0.57, 0.60),
    "bottleneck-only-lag": (0.50, 0.52, 0.48),
    "bottleneck-only-positions": (0.62, 0.61, 0.62),
}


def forensic_study():
    """The built-in study with its defective networks as if they had been measured."""
    study = studies.read("forensics")
    arms = {}
    for name, arm in study.arms.items():
        if arm.arch == MAKER:
            side = study.recipe_of(name).resolution
            measured = Origin("0" * 64, "", len(CLASSES), (side, side, 3), 43885, 16_638_000, 2_623_796)
            arm = dataclasses.replace(arm, origin=measured)
        arms[name] = arm
    return dataclasses.replace(study, data="photos", arms=arms)


def forensic_store(root, reached=REACHED):
    """An entry of None is a run that is missing; arms that are not named have none."""
    study = forensic_study()
    return grown(root, {name: reached.get(name, ()) for name in study.arms}, classes=CLASSES, study=study)
