"""What was computed of a model before: kept by content beside the decoded images, so that no model is worked on twice.

Networks of the user's code are worked on each time, since what it does hangs on files that nobody here knows of.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import msgspec

from commongarden import arch
from commongarden.data import result_cache
from commongarden.runner import plan
from commongarden.screening import extraction, scoring
from commongarden.screening.extraction import Task
from commongarden.screening.folds import Fold
from commongarden.screening.scoring import Scores
from commongarden.study import origin
from commongarden.study.arm import Arm
from commongarden.study.origin import Origin

MAKERS = ("timm", "torch", "torchvision")


def is_kept(arm: Arm) -> bool:
    """Whether what is computed of the model can be kept."""
    return arm.origin is None or origin.is_of_library(arm.arch)


def origin_key(arm: Arm, n_classes: int, input: tuple[int, int, int]) -> str:
    """Of what was measured of a library's network."""
    weights = arm.origin.weights if arm.origin is not None else ""
    options = msgspec.json.encode(arm.options, order="sorted").decode()
    made_from = [arm.arch, options, weights, str(n_classes), str(input)]
    return result_cache.key("library-network", made_from, MAKERS)


def features_key(task: Task) -> str:
    """Of a model's features: its network with the hash of its weights, the preprocessing, the photos, and the machine
    that its time was measured on."""
    photos, recipe = [photo.sha256 for photo in task.photos.photos], task.recipe
    network = arch.write(task.arm.network(len(task.photos.classes)))
    drawn = "" if task.arm.wants_weights else f"{recipe.init} {recipe.init_std}"
    preprocessing = [str(recipe.resolution), str(recipe.framing), recipe.pixels, str(sorted(task.arm.overrides))]
    how = [recipe.precision, recipe.layout, str(recipe.rewrites), task.device, str(task.n_threads)]
    made_from = [network, drawn, *preprocessing, *how, str(task.photos.range), *photos]
    machine = f"{plan.machine().processor} {platform.node()}"
    return result_cache.key("features", made_from, ("pillow", *MAKERS), machine=machine)


def scores(
    features: str, folder: Path, labels: Sequence[int], folds: Sequence[Fold], tell: result_cache.Tell
) -> tuple[str, Scores | None]:
    """The key of the scores of the features under that key, and the scores where they are kept. features: "" where
    those are not kept, and so neither are these."""
    if not features:
        return "", None
    divided = [(fold.train.tolist(), fold.test.tolist()) for fold in folds]
    made_from = [features, str(scoring.VERSION), str(list(labels)), str(divided)]
    key = result_cache.key("scores", made_from, ("scikit-learn", "scipy"))
    data = result_cache.recall(folder, key, tell)
    return key, None if data is None else msgspec.json.decode(data, type=Scores)


def recalled_origin(arm: Arm, n_classes: int, input: tuple[int, int, int], folder: Path) -> Origin | None:
    """What was measured of a library's network before."""
    if not is_kept(arm):
        return None
    data = result_cache.recall(folder, origin_key(arm, n_classes, input))
    return None if data is None else msgspec.json.decode(data, type=Origin)


def recalled_features(key: str, folder: Path, tell: result_cache.Tell) -> extraction.Extracted | None:
    """The features under a key, where they are kept."""
    data = result_cache.recall(folder, key, tell) if key else None
    return None if data is None else extraction.unpacked(data)
