"""Runs made in a store, whole or stopped and resumed."""

import itertools

import numpy as np
import torch

from commongarden.runner.events import EpochDone, Job, RunDone, RunStopped
from commongarden.runner.plan import run_plan
from commongarden.runner.training import train_run
from commongarden.study import SplitPlan, Study
from commongarden.study.recipe import Recipe
from running import numbers

# the smallest of each family, and each order of layers
FAMILIES = [
    ("plain_flower", {}), ("residual_flower", {"order": "LBA"}), ("bottleneck_flower", {"order": "BAL"}),
    ("inception_flower", {"order": "LAB"}), ("inception_flower", {"order": "LA"}),
]  # fmt: skip


def study_of(photos, arms, **recipe):
    defaults = {"resolution": 16, "epochs": 3, "batch_size": 12, "lr": 1e-2}
    return Study("resumed", str(photos), arms, Recipe(**(defaults | recipe)), (0,), split=SplitPlan(0.6, 0.2))


def grown(study, prepared, store, stop_at=None):
    """Makes every run in the store; stop_at: stopped at so many steps of this process, then gone on with."""
    for arm in study.arms:
        planned = run_plan(study, prepared, Job(arm, 0), "cpu")
        if stop_at is not None:
            asked = itertools.count(1)
            events = list(train_run(store, prepared, planned, lambda asked=asked: next(asked) >= stop_at))
            assert isinstance(events[-1], RunStopped)
            torch.rand(17)  # what else the process draws must not matter
            np.random.default_rng().random()
        events = list(train_run(store, prepared, planned, lambda: False))
        assert isinstance(events[-1], RunDone)
        if stop_at is not None and stop_at > 4:
            assert sum(isinstance(event, EpochDone) for event in events) < study.recipe.epochs
    return numbers(store.root)
