"""The arms beside the best of the simple methods, photo by photo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from commongarden.records import Baseline, Estimate, Predictions, Run, Split
from commongarden.stats.clusters import Groups, clusters
from commongarden.stats.cross_validated import folded_mean
from commongarden.stats.crossed import crossed_difference, photo_error
from commongarden.stats.metrics import correct
from commongarden.stats.resampled import resampled_interval
from commongarden.stats.scores import Tested, are_folds
from commongarden.store import Store

Beside = Literal["above", "not shown", "below", "one run"]


@dataclass(frozen=True)
class BesideBaseline:
    """An arm's test accuracy less that of the best baseline, on the same photos. beside: what its interval allows one
    to say; "one run" where there is none."""

    arm: str
    baseline: Baseline
    difference: Estimate
    beside: Beside


BySplit = Mapping[str, tuple[tuple[Baseline, Predictions], ...]]  # of each split that the study has, by its hash


def baselines_of(store: Store, data: str, splits: Iterable[Split]) -> BySplit:
    """The baselines that the store holds of photos with this hash, for each of the splits that has some."""
    found = {parts.hash: store.baselines(data, parts.hash) for parts in splits}
    return {name: kept for name, kept in found.items() if kept}


def over_splits(found: BySplit) -> tuple[Baseline, ...]:
    """Each kind of baseline once: where there are several splits its mean over them."""
    rows: dict[str, list[Baseline]] = {}
    for kept in found.values():
        for item, _ in kept:
            rows.setdefault(item.kind, []).append(item)
    return tuple(items[0] if len(items) == 1 else _mean(items) for items in rows.values())


def _mean(items: Sequence[Baseline]) -> Baseline:
    one = len({item.setting for item in items}) == 1
    return Baseline(
        items[0].kind,
        items[0].setting if one else None,
        float(np.mean([item.val_accuracy for item in items])),
        float(np.mean([item.test_accuracy for item in items])),
        min(item.n_train for item in items),
        min(item.n_test for item in items),
        all(item.converged for item in items),
        sum(item.seconds for item in items),
    )


def best_baseline(found: Iterable[Baseline]) -> Baseline | None:
    """The one with the best validation accuracy (of equals the first): the test part chooses nothing."""
    return max(found, key=lambda item: item.val_accuracy, default=None)


def beside_baselines(
    said: Tested, arms: Sequence[str], runs: Sequence[Run], found: BySplit, groups: Groups | None = None
) -> tuple[BesideBaseline, ...]:
    """Every arm with a finished run beside the best baseline, which each run meets on its own split. said: by arm and
    seed. groups: of the photos that have one."""
    best = best_baseline(over_splits(found))
    if best is None:
        return ()
    lines = {
        split: _right(predictions)
        for split, kept in found.items()
        for item, predictions in kept
        if item.kind == best.kind
    }
    rows = []
    for arm in arms:
        mine = [run for run in runs if run.arm == arm and run.status == "finished" and run.hashes.split in lines]
        if not mine:
            continue
        tested = [said[run.arm][run.seed] for run in mine]
        tables = [_right(each) - lines[run.hashes.split] for each, run in zip(tested, mine, strict=True)]
        if len({run.hashes.split for run in mine}) == 1:
            units = clusters(np.sort(tested[0].photos), groups or {})
            difference = crossed_difference(np.array(tables), groups=units).interval()
        else:
            difference = _over_own_photos(tables, tested, mine, groups or {})
        rows.append(BesideBaseline(arm, best, difference, _beside(difference)))
    return tuple(rows)


def _over_own_photos(
    tables: Sequence[np.ndarray], tested: Sequence[Predictions], runs: Sequence[Run], groups: Groups
) -> Estimate:
    """The difference where each run has test photos of its own."""
    n_train, n_test = (float(np.mean([getattr(run, name) for run in runs])) for name in ("n_train", "n_test"))
    if are_folds(tested):
        units = [clusters(np.sort(each.photos), groups) for each in tested]
        mean = folded_mean(tables, units, least_error=photo_error(len(tables) * n_test), bounds=(-1.0, 1.0))
        if mean is not None:
            return mean.interval()
    return resampled_interval([float(table.mean()) for table in tables], n_train, n_test)


def _right(predictions: Predictions) -> np.ndarray:
    """(photos,) 1 where the guess is right, in the order of the photos' paths, so that two tables can be paired."""
    return correct(predictions)[np.argsort(predictions.photos, kind="stable")]


def _beside(difference: Estimate) -> Beside:
    if difference.low is None or difference.high is None:
        return "one run"
    if difference.low > 0:
        return "above"
    return "below" if difference.high < 0 else "not shown"
