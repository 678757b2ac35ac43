"""Whether conclusions depend on single seeds, on how runs are paired, or on the normal theory behind intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from commongarden.records import Estimate
from commongarden.stats import learning
from commongarden.stats.contrasts import SeedPairs, paired
from commongarden.stats.means import FEWEST_SEEDS
from commongarden.stats.metrics import METRICS, Metric
from commongarden.stats.pairing import seeds_p
from commongarden.stats.results import ContrastResult, Results
from commongarden.stats.scores import Sample, Tested, mean_difference, shared_photos
from commongarden.stats.summary import predictions_by_arm
from commongarden.store import Store

DRAWS = 1_000
MOST = 20  # comparisons


@dataclass(frozen=True)
class Sensitivity:
    """One comparison analysed in other ways.

    left_out: the least and the largest difference with one seed left out; None with three seeds or fewer. n_same: in
    how many of these n the conclusion on a difference (better, worse or neither, at the comparison's level) is as
    before. other: the 95 % interval if runs with the same seed were paired where they are not, and the reverse.
    bootstrap: the 95 % percentile interval over seeds and photos drawn anew (Owen 2007), which is too narrow with few
    seeds.
    """

    arm: str
    against: str
    left_out: tuple[float, float] | None
    n_same: int
    n: int
    other: Estimate
    bootstrap: tuple[float, float]


@dataclass(frozen=True)
class Assumptions:
    """What the conclusions assume, as measured.

    seeds_p: of the F test of the seeds over all arms; None where it cannot be made. spreads: each arm's standard
    deviation between its runs' figures, in the metric's unit.
    """

    seeds_p: float | None
    spreads: dict[str, float]


def assumptions(results: Results, tested: Tested) -> Assumptions:
    """Of the arms that have two runs or more."""
    metric = METRICS[results.metric]
    figures = {arm: {seed: metric.whole(run) for seed, run in runs.items()} for arm, runs in tested.items() if runs}
    shared = sorted(set.intersection(*map(set, figures.values()))) if figures else []
    p = None
    if len(figures) > 1 and len(shared) > 1:
        p = float(seeds_p([[own[seed] for seed in shared] for own in figures.values()]))
    spreads = {arm: float(np.std(list(own.values()), ddof=1)) for arm, own in figures.items() if len(own) > 1}
    return Assumptions(p, spreads)


def of_study(store: Store, results: Results) -> tuple[Assumptions, tuple[Sensitivity, ...]]:
    """Of the results' comparisons that have a conclusion, where all runs were tested on the same photos."""
    study, runs, manifest = store.study(), store.runs(), store.manifest()
    tested = predictions_by_arm(store, study, runs)
    groups = {photo.path: photo.group for photo in manifest.photos if photo.group}
    learned = learning.learned(store, runs)
    metric = METRICS[results.metric]
    found = []
    contrasts = {(one.arm, one.against): one for one in study.planned_contrasts()}
    for kept in [one for one in results.contrasts if one.level is not None][:MOST]:
        pair = paired(tested, contrasts[kept.arm, kept.against], results.n_train, groups, learned)
        if pair is None or metric.by_photo is None or not shared_photos(pair.one.runs):
            continue
        if kept.difference is not None and kept.difference.n == len(pair.one.runs):  # not at an interim analysis
            found.append(_of_contrast(metric, kept, pair))
    return assumptions(results, tested), tuple(found)


def _of_contrast(metric: Metric, kept: ContrastResult, pair: SeedPairs) -> Sensitivity:
    n, level = len(pair.one.runs), kept.level or 0.05
    left_out, n_same = None, 0
    if n > FEWEST_SEEDS:
        means = [
            mean_difference(metric, _without(pair.one, i), _without(pair.two, i), pair_seeds=kept.pair_seeds)
            for i in range(n)
        ]
        left_out = min(mean.value for mean in means), max(mean.value for mean in means)
        n_same = sum(_side(mean.interval(1 - level)) == _side(kept.adjusted) for mean in means)
    other = mean_difference(metric, pair.one, pair.two, pair_seeds=not kept.pair_seeds).interval()
    return Sensitivity(kept.arm, kept.against, left_out, n_same, n, other, _bootstrap(metric, kept, pair))


def _without(sample: Sample, i: int) -> Sample:
    return Sample((*sample.runs[:i], *sample.runs[i + 1 :]), sample.n_train, sample.groups)


def _side(found: Estimate | None) -> int:
    """1 where the interval is above 0, -1 where it is below."""
    if found is None or found.low is None or found.high is None:
        return 0
    return (found.low > 0) - (found.high < 0)


def _bootstrap(metric: Metric, kept: ContrastResult, pair: SeedPairs) -> tuple[float, float]:
    """Photos and seeds are drawn independently; the seeds of both arms together where they are paired."""
    assert metric.by_photo is not None
    generator = np.random.default_rng(0)
    one, two = (np.stack([metric.by_photo(run) for run in side.runs]) for side in (pair.one, pair.two))
    n, n_photos = one.shape
    units = pair.one.clusters
    if units is None:
        photos = generator.multinomial(n_photos, np.full(n_photos, 1 / n_photos), DRAWS).astype(np.float64)
    else:
        drawn = generator.multinomial(units.n, np.full(units.n, 1 / units.n), DRAWS)
        photos = np.empty((DRAWS, n_photos))
        photos[:, units.order] = np.repeat(drawn, units.sizes, axis=1)
    photos /= photos.sum(axis=1, keepdims=True)
    seeds = [generator.multinomial(n, np.full(n, 1 / n), DRAWS) / n for _ in range(2)]
    if kept.pair_seeds:
        seeds[1] = seeds[0]
    means = [np.einsum("bs,bs->b", chosen, photos @ side.T) for chosen, side in zip(seeds, (one, two), strict=True)]
    low, high = np.quantile(means[0] - means[1], [0.025, 0.975])
    return float(low), float(high)


def counted(found: Sequence[Sensitivity]) -> tuple[int, int]:
    """How many comparisons keep their conclusion whichever seed is left out, and of how many."""
    told = [one for one in found if one.left_out is not None]
    return sum(one.n_same == one.n for one in told), len(told)
