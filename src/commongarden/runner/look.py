"""The audit of one arm before its runs, on photos it will train on. Only workers import this module: it loads torch."""

from __future__ import annotations

import numpy as np
import torch

from commongarden.runner.events import Audited
from commongarden.runner.soil import Soil
from commongarden.study import Study
from commongarden.train import measure
from commongarden.train.audit import audit_arm, n_photos


def look(study: Study, soil: Soil, arm: str) -> Audited:
    """Audits the arm's network by its recipe. One that cannot be audited is no reason not to train it: that is told."""
    recipe, n_classes = study.recipe_of(arm), len(soil.manifest.classes)
    shape = (recipe.resolution, recipe.resolution, 3)
    network = study.arms[arm].network(n_classes)
    measure.settle(recipe.threads)
    n = n_photos(network, shape, len(soil.train))
    # evenly over the training part, so that every class of a folder has its share
    chosen = np.sort(soil.train[np.linspace(0, len(soil.train) - 1, n).astype(np.int64)])
    pixels = torch.from_numpy(np.asarray(soil.images(recipe.resolution)[chosen])).permute(0, 3, 1, 2)
    labels = torch.from_numpy(soil.labels[chosen])
    try:
        return Audited(arm, audit_arm(network, shape, n_classes, recipe, len(soil.train), pixels, labels))
    except (RuntimeError, ValueError, MemoryError) as error:
        return Audited(arm, None, f"{type(error).__name__}: {error}")
