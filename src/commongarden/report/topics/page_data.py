"""What several topics read of the store, as plain data."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import PurePath

from commongarden.records import Epoch, Predictions, Run
from commongarden.report.wording import words
from commongarden.stats import Results, by_arm, raced
from commongarden.store import Store
from commongarden.study import Study

Histories = dict[str, dict[int, tuple[Epoch, ...]]]


def histories(store: Store, arms: Sequence[str], runs: Sequence[Run]) -> Histories:
    """The epochs of every finished run, by arm and seed; an arm without one has an empty entry."""
    return by_arm(arms, runs, store.history)


def accuracies(arms: Sequence[str], runs: Sequence[Run]) -> dict[str, list[float]]:
    """Test accuracies of the finished runs, by arm."""
    return {
        arm: [run.test_accuracy for run in runs if run.arm == arm and run.test_accuracy is not None] for arm in arms
    }


def all_predictions(store: Store, runs: Sequence[Run]) -> list[tuple[Run, Predictions]]:
    """Each finished run with what it said of the test part."""
    return [(run, store.predictions(run.arm, run.seed)) for run in runs if run.status == "finished"]


def machine_lines(runs: Sequence[Run]) -> list[str]:
    """Every machine that runs were trained on, once."""
    lines = dict.fromkeys(words.machine(run.machine, run.device) for run in runs)
    return [*lines, *filter(None, [words.machines(len(lines))])]


def versions(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """(name, versions that runs were made with) of Python and the packages."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        for name, version in {"python": run.machine.python, **run.machine.packages}.items():
            found.setdefault(name, {})[version] = None
    return [(name, ", ".join(seen)) for name, seen in found.items()]


def command(store: Store) -> str | None:
    """The command that the study was last made with, as typed into a shell; None where none is kept."""
    return shlex.join(store.command()) or None


def data_name(study: Study) -> str:
    """The data's name without the folders it lies in, which are no one else's business."""
    return study.data if study.data.startswith("builtin:") else PurePath(study.data.replace("\\", "/")).name or "."


def progress(store: Store, results: Results) -> str | None:
    """How much of the study is done; None where all is, or where a race decides what is left."""
    if raced.read(store) is not None:
        return None
    done, failed = (sum(getattr(arm, name) for arm in results.arms) for name in ("n_finished", "n_failed"))
    return words.progress(done, failed, done + failed + results.n_missing)
