"""A study stopped, resumed and extended from its page, by what the command line does: runner/steering.py, or the
command `run`. Each is kept in events.jsonl as what a person decided."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

from commongarden.errors import StoreError
from commongarden.i18n.language import _
from commongarden.records.event_log import Decided
from commongarden.store import Store, is_held
from commongarden.study import origin

Action = Literal["stop", "stop-after-epoch", "resume", "seed", "drop"]
ACTIONS = get_args(Action)
OUTPUT = "view-run.log"  # what a run prints that was started from the page
KEPT = ("--workers", "--device", "--log-to", "--cache-dir", "--cache-budget", "--until", "--budget")
REFUSES = 3.0  # seconds in which a command says that it cannot begin


def steer(folder: Path, action: Action, arm: str = "") -> None:
    """Stops the study with every finished epoch saved, resumes it, adds a seed to it or drops a model of it. Raises
    StoreError, StudyError where that cannot be done."""
    from commongarden.runner import steering

    match action:
        case "stop" | "stop-after-epoch":
            steering.stop(folder, after_epoch=action == "stop-after-epoch")
        case "drop":
            steering.drop(folder, arm)
        case "resume" | "seed":
            _run(folder, more_seeds=1 if action == "seed" else 0)
            steering.note(folder, Decided(time.time(), action))


def possible(folder: Path) -> tuple[list[Action], list[str]]:
    """What can be done with the study now, and the models that can be dropped. Raises StoreError."""
    from commongarden.runner import plan, steering

    store = Store(folder)
    study, arms = store.study(), steering.droppable(store)
    actions: list[Action] = ["stop-after-epoch", "stop"]
    if not is_held(folder):
        actions = ["resume"] if study.untuned() or plan.pending(study, store) else []
        actions += [] if study.folds else ["seed"]
    return [*actions, "drop"] if arms else actions, arms


def _run(folder: Path, more_seeds: int) -> None:
    if is_held(folder):
        raise StoreError(_("{path}: a process works on the study already").format(path=folder))
    study = Store(folder).study()
    line = [sys.executable, "-m", "commongarden.cli", "run", str(folder / "study.toml"), "--out", str(folder), "--yes"]
    if more_seeds:
        if study.folds:
            raise StoreError(_("{path}: a study with folds takes no more seeds").format(path=folder))
        line += ["--seeds", str(len(study.seeds) + more_seeds)]
    line += _as_before(Store(folder).command())
    environment = {name: value for name, value in os.environ.items() if name != origin.NO_CODE}
    with (folder / OUTPUT).open("ab") as output:
        begun = subprocess.Popen(  # outlives the page
            line, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )
    with suppress(subprocess.TimeoutExpired):
        if begun.wait(REFUSES) != 0:
            said = (folder / OUTPUT).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise StoreError(_("{path}: the command ended: {said}").format(path=folder, said=said[-1] if said else ""))


def _as_before(command: Sequence[str]) -> list[str]:
    """How the study was last run, as far as that is no part of it: workers, device, trackers.

    >>> _as_before(("commongarden", "run", "demo", "--workers", "1", "--device=cpu", "--epochs", "3"))
    ['--workers', '1', '--device=cpu']
    """
    kept: list[str] = []
    for word, following in pairwise((*command, "")):
        if word in KEPT:
            kept += [word, following]
        elif word.partition("=")[0] in KEPT:
            kept.append(word)
    return kept
