"""What people decided about a study, written: see records/decision.py."""

from __future__ import annotations

import time
from typing import Literal

from commongarden.records.decision import FILE, Decision, written
from commongarden.store.checksums import keep
from commongarden.store.folder import Store


def decide(store: Store, what: Literal["drop", "restore"], arm: str) -> None:
    """Records that an arm gets no more runs, or gets its runs again. For the process that holds the study. Raises
    StoreError."""
    study = store.study()
    n_runs = sum(store.has(arm, seed) for seed in study.seeds)
    decision = Decision(round(time.time(), 3), what, arm, n_runs, len(study.seeds))
    keep(store.root, FILE, written((*store.decisions(), decision)))
