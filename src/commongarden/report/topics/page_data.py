"""What each section of the page tells, gathered from the store as plain data."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from commongarden.i18n.coded import Coded
from commongarden.records import Epoch, LeftOut, Manifest, Predictions, Run, Split
from commongarden.report.wording import audits, numbers, words
from commongarden.report.wording.labels import TEXT
from commongarden.stats import most_missed
from commongarden.store import Store
from commongarden.study import Arm, Study
from commongarden.study.recipe import FIELDS

PARTS = ("train", "val", "test")
N_PATHS = 200  # paths of left-out files that the page lists one by one

Histories = dict[str, dict[int, tuple[Epoch, ...]]]


@dataclass(frozen=True)
class Missed:
    """A test photo that runs got wrong. said: what they called it, and how often. jpeg: None where none is stored."""

    path: str
    label: str
    said: str
    jpeg: bytes | None


@dataclass(frozen=True)
class AuditRow:
    """What an arm's audit found: in one line, and each finding as its path and its sentence."""

    arm: str
    said: str
    found: list[tuple[str, str]]


@dataclass(frozen=True)
class LeftOutFor:
    """Files left out for one reason. more: how many of them are not listed."""

    said: str
    paths: tuple[str, ...]
    more: int


def histories(store: Store, arms: Sequence[str], runs: Sequence[Run]) -> Histories:
    """The epochs of every finished run, by arm and seed; an arm without one has an empty entry."""
    found: Histories = {arm: {} for arm in arms}
    for run in runs:
        if run.status == "finished":
            found[run.arm][run.seed] = store.history(run.arm, run.seed)
    return found


def accuracies(arms: Sequence[str], runs: Sequence[Run]) -> dict[str, list[float]]:
    """Test accuracies of the finished runs, by arm."""
    return {
        arm: [run.test_accuracy for run in runs if run.arm == arm and run.test_accuracy is not None] for arm in arms
    }


def all_predictions(store: Store, runs: Sequence[Run]) -> list[tuple[Run, Predictions]]:
    """Each finished run with what it said of the test part."""
    return [(run, store.predictions(run.arm, run.seed)) for run in runs if run.status == "finished"]


def confusion_shares(predictions: Sequence[tuple[Run, Predictions]], arm: str, n_classes: int) -> np.ndarray | None:
    """(true, called) shares of the photos of the true class, mean over the arm's runs; None without a run."""
    matrices = []
    for run, found in predictions:
        if run.arm == arm:
            counts = np.zeros((n_classes, n_classes))
            np.add.at(counts, (found.labels, found.probabilities.argmax(axis=1)), 1)
            matrices.append(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    return np.mean(matrices, axis=0) if matrices else None


def missed_photos(store: Store, predictions: Sequence[tuple[Run, Predictions]], classes: Sequence[str]) -> list[Missed]:
    """The photos that most runs got wrong, worst first."""
    worst = most_missed(store)
    if not worst:
        return []
    thumbnails = store.thumbnails()
    wrong: dict[str, Counter[str]] = {path: Counter() for path, _ in worst}
    label: dict[str, str] = {}
    for _, found in predictions:
        for path, true, guess in zip(found.photos, found.labels, found.probabilities.argmax(axis=1), strict=True):
            if path in wrong and guess != true:
                wrong[str(path)][classes[int(guess)]] += 1
                label[str(path)] = classes[int(true)]
    return [Missed(path, label[path], words.called(wrong[path]), thumbnails.get(path)) for path, _ in worst]


def audit_rows(store: Store, arms: Sequence[str]) -> list[AuditRow]:
    """The arms that were looked at before their runs, those with findings first."""
    kept = store.audits()
    rows = [
        AuditRow(
            arm, audits.summary(arm, kept[arm]), [(found.path, audits.says(found)) for found in kept[arm].findings]
        )
        for arm in arms
        if arm in kept
    ]
    return sorted(rows, key=lambda row: not row.found)


def class_counts(manifest: Manifest, split: Split) -> list[tuple[str, list[int]]]:
    """(class, photos in train, val, test) for every class, and last their sums under ""."""
    label = {photo.path: photo.label for photo in manifest.photos}
    counts = {part: Counter(label[path] for path in getattr(split, part)) for part in PARTS}
    rows = [(name, [counts[part][name] for part in PARTS]) for name in manifest.classes]
    return [*rows, ("", [counts[part].total() for part in PARTS])]


def share_of(manifest: Manifest, paths: Sequence[str], label: str) -> float:
    """The share of one class among photos."""
    labels = {photo.path: photo.label for photo in manifest.photos}
    return sum(labels[path] == label for path in paths) / max(len(paths), 1)


def left_out(manifest: Manifest, split: Split) -> list[LeftOutFor]:
    """What takes no part, by reason, most files first."""
    by_reason: dict[Coded, list[str]] = {}
    for item in (*manifest.left_out, *split.left_out):
        by_reason.setdefault(_general(item), []).append(item.path)
    found = sorted(by_reason.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [
        LeftOutFor(words.left_out(reason, len(paths)), tuple(paths[:N_PATHS]), len(paths[N_PATHS:]))
        for reason, paths in found
    ]


def _general(item: LeftOut) -> Coded:
    return item.text.changed(lambda text: text.replace(item.path, "").strip(" :") or text)


def recipe_rows(study: Study) -> list[tuple[str, str, list[str]]]:
    """(field, shared value, arms with a value of their own) for every field of the recipe."""
    rows = []
    for field in FIELDS:
        own = [
            words.own_value(name, _shown(getattr(study.recipe_of(name), field)))
            for name, arm in study.arms.items()
            if field in arm.overrides
        ]
        rows.append((field, _shown(getattr(study.recipe, field)), own))
    return rows


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or TEXT["none"]
    return str(value).lower() if isinstance(value, bool) else str(value)


def arm_rows(study: Study) -> list[tuple[str, str, str]]:
    """(arm, architecture, its options) for every arm."""
    return [
        (name, arm.arch, ", ".join(f"{key} = {_shown(value)}" for key, value in _options(arm).items()))
        for name, arm in study.arms.items()
    ]


def _options(arm: Arm) -> dict[str, object]:
    given = {key: value for key, value in arm.options.items() if value != ""}  # no file of weights
    return {**given, **({"ablated": arm.ablated} if arm.ablated else {})}


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


def plain(shares: np.ndarray, places: Sequence[int]) -> list[list[float]]:
    """The rows and columns at `places`, as lists."""
    kept: list[list[float]] = shares[np.ix_(places, places)].tolist()
    return kept


def run_rows(runs: Sequence[Run], epochs: Mapping[str, Mapping[int, Sequence[Epoch]]]) -> list[dict[str, str]]:
    """Every run in one line."""
    rows = []
    for run in runs:
        seconds = sum(epoch.seconds for epoch in epochs[run.arm].get(run.seed, ()))
        rows.append(
            {
                "arm": run.arm,
                "seed": str(run.seed),
                "status": TEXT[run.status],
                "test_accuracy": "" if run.test_accuracy is None else numbers.percent(run.test_accuracy),
                "epoch_tested": str(run.selected_epoch or ""),
                "time_taken": numbers.number(seconds) if seconds else "",
                "device": run.device,
                "started": run.started.replace("T", " ")[:16],
            }
        )
    return rows


def fingerprints(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """(what, hash) of the soil; more than one hash under a name would be a mixed study."""
    kinds = {"hash_data": "data", "hash_split": "split"}
    return [
        (TEXT[text], ", ".join(dict.fromkeys(getattr(run.hashes, name)[:12] for run in runs)))
        for text, name in kinds.items()
        if runs
    ]
