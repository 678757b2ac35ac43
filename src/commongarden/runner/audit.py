"""The audit of one arm before its runs, on photos it will train on. Only workers import this module: it loads torch."""

from __future__ import annotations

import numpy as np
import torch

from commongarden.data import batches
from commongarden.errors import CommonGardenError
from commongarden.records.findings import Audit
from commongarden.runner.events import Audited, Job
from commongarden.runner.initial_network import first_weights, own_pixels
from commongarden.runner.prepared_data import PreparedData
from commongarden.study import Study
from commongarden.train import measure
from commongarden.train.audit import audit_built, n_photos
from commongarden.train.blame import describe_user_error


def look(study: Study, prepared: PreparedData, arm: str) -> Audited:
    """Audits the arm's network by its recipe, as the run with the first seed begins. One that cannot be audited is no
    reason not to train it: that is told."""
    try:
        return Audited(arm, _look(study, prepared, arm))
    except CommonGardenError as error:
        return Audited(arm, None, error.reason)
    except Exception as error:
        return Audited(arm, None, describe_user_error(error))


def _look(study: Study, prepared: PreparedData, arm: str) -> Audit:
    recipe, n_classes, prepared = study.recipe_of(arm), len(prepared.manifest.classes), prepared.of(study.seeds[0])
    shape = (recipe.resolution, recipe.resolution, 3)
    network = study.arms[arm].network(n_classes)
    measure.settle(recipe.threads, recipe.precision)
    images = prepared.images(recipe.resolution)
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if recipe.pixels == "standardized":
        mean, std = batches.channel_statistics(images, prepared.train)
    elif recipe.pixels == "own":
        mean, std = own_pixels(network)
    classifier = first_weights(study, Job(arm, study.seeds[0]), network, shape, recipe, mean, std)

    n = n_photos(network, shape, len(prepared.train))
    # evenly over the training part, so that every class of a folder has its share
    chosen = np.sort(prepared.train[np.linspace(0, len(prepared.train) - 1, n).astype(np.int64)])
    pixels = torch.from_numpy(np.asarray(images[chosen])).permute(0, 3, 1, 2)
    labels = torch.from_numpy(prepared.labels[chosen])
    x = classifier.preprocessed(pixels)
    return audit_built(classifier.body, network, recipe, n_classes, len(prepared.train), x, labels)
