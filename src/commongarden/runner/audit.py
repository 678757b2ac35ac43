"""The audit of one arm before its runs, on photos it will train on. Only workers import this module: it loads torch."""

from __future__ import annotations

import numpy as np
import torch

from commongarden.errors import CommonGardenError
from commongarden.records.findings import Audit
from commongarden.runner.events import Audited
from commongarden.runner.plan import RunPlan
from commongarden.runner.prepared_data import PreparedData
from commongarden.runner.run_setup import set_up
from commongarden.train.audit import audit_built, n_photos
from commongarden.train.blame import describe_user_error


def look(prepared: PreparedData, plan: RunPlan) -> Audited:
    """Audits the arm's network by its recipe, as the planned run begins. One that cannot be audited is no reason not to
    train it: the cause is reported."""
    try:
        return Audited(plan.job.arm, _look(prepared, plan))
    except CommonGardenError as error:
        return Audited(plan.job.arm, None, error.reason)
    except Exception as error:
        return Audited(plan.job.arm, None, describe_user_error(error))


def _look(prepared: PreparedData, plan: RunPlan) -> Audit:
    setup = set_up(prepared, plan)
    prepared, record = setup.prepared, setup.record
    classifier = setup.classifier()
    n = n_photos(setup.network, record.input, len(prepared.train))
    # evenly over the training part, so that every class of a folder has its share
    chosen = np.sort(prepared.train[np.linspace(0, len(prepared.train) - 1, n).astype(np.int64)])
    pixels = torch.from_numpy(np.asarray(setup.images[chosen])).permute(0, 3, 1, 2)
    labels = torch.from_numpy(prepared.labels[chosen])
    x = classifier.preprocessed(pixels)
    return audit_built(
        classifier.body, setup.network, record.recipe, len(record.classes), len(prepared.train), x, labels
    )
