"""The planned contrasts of a study: estimated, tested together, judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from commongarden.records import Estimate, Predictions
from commongarden.stats import learning
from commongarden.stats.clusters import Groups, clusters
from commongarden.stats.crossed import ONE_GROUP
from commongarden.stats.differs import differences_of
from commongarden.stats.equivalence import equivalence_levels, is_within
from commongarden.stats.holm import ALPHA, holm_levels, holm_p
from commongarden.stats.learning import ByRun
from commongarden.stats.means import FEWEST_SEEDS, Mean
from commongarden.stats.metrics import METRICS, Metric
from commongarden.stats.pairing import pair_seeds
from commongarden.stats.permutation import least_permutation_p, permutation_p
from commongarden.stats.power import Remedy, remedy
from commongarden.stats.racing import InterimResult, Race
from commongarden.stats.reference import Family, against_reference
from commongarden.stats.results import ContrastResult, Outcome
from commongarden.stats.scores import Sample, Tested, mean_difference, mean_differences, shared_photos
from commongarden.stats.signflip import least_p, signflip_p
from commongarden.stats.superiority import mcnemar_p, probability_better
from commongarden.store import contract
from commongarden.study import Contrast, Study

Runs = Mapping[int, Predictions]  # of one arm, by seed


@dataclass(frozen=True)
class SeedPairs:
    """The runs of a contrast's two arms with the seeds that both finished."""

    one: Sample
    two: Sample


def contrast_results(
    study: Study,
    tested: Tested,
    n_train: int,
    seconds: Mapping[str, float],
    n_classes: int,
    raced: Race | None = None,
    groups: Groups | None = None,
    learned: ByRun | None = None,
) -> tuple[ContrastResult, ...]:
    """Every planned contrast by the study's metric. tested: by arm and seed. seconds: of one run, by arm.
    raced: a race, or the looks at a study to which seeds were added; each contrast is then judged at the look that
    settled it, at that look's level. groups: of the photos that
    have one. learned: of each run whether it did; accuracies are compared over the seeds in which both arms learned."""
    metric, margin = METRICS[study.metric], study.margin / 100
    planned = study.planned_contrasts()
    last = {} if raced is None else raced.last_looks
    looks = [last.get((contrast.arm, contrast.against)) for contrast in planned]
    pairs = [
        paired(tested if look is None else _at(look[1], study, tested), contrast, n_train, groups, learned or {})
        for contrast, look in zip(planned, looks, strict=True)
    ]
    by_seed = pair_seeds(metric, tested)
    by_seeds = [by_seed if look is None else look[0].pair_seeds for look in looks]
    family = (_dunnett if study.reference else _holm)(metric, pairs, by_seeds)
    levels = family.levels
    there = {i: mean for i, mean in enumerate(family.means) if mean is not None}
    equivalence = equivalence_levels(there, levels, margin)
    found = []
    for i, (contrast, pair, mean) in enumerate(zip(planned, pairs, family.means, strict=True)):
        differs = differences_of(study, contrast, n_classes)
        together_with = contract.together(study, contrast, n_classes)
        kept = ContrastResult(
            contrast.arm, contrast.against, "no pairs", None, differs, metric.name, margin, len(levels),
            folds=study.folds, together=together_with,
        )  # fmt: skip
        kept = _beside_learning(kept, metric, tested, pair, learned or {}, n_train, groups)
        if pair is not None and mean is not None:
            look = looks[i]
            kept = dataclasses.replace(kept, pair_seeds=by_seeds[i])
            level = levels.get(i), equivalence.get(i)
            kept = _judged(kept, metric, pair, mean, level, None if look is None else look[0])
            kept = dataclasses.replace(kept, p_holm=family.p.get(i))
            if kept.outcome == "not resolved" and not study.folds:  # no fold can be added to those there are
                remedy = _remedy(pair, mean, margin, levels.get(i), contrast, seconds)
                kept = dataclasses.replace(kept, remedy=remedy)
        found.append(kept)
    return tuple(found)


def _holm(metric: Metric, pairs: Sequence[SeedPairs | None], by_seeds: Sequence[bool]) -> Family:
    means: list[Mean | None] = [None] * len(pairs)
    for by_seed in sorted(set(by_seeds)):
        there = [(i, pair) for i, pair in enumerate(pairs) if pair is not None and by_seeds[i] == by_seed]
        found = mean_differences(metric, [(pair.one, pair.two) for _, pair in there], pair_seeds=by_seed)
        for (i, _), mean in zip(there, found, strict=True):
            means[i] = mean
    p = {i: mean.p for i, mean in enumerate(means) if mean is not None and mean.p is not None and is_judged(mean)}
    levels, adjusted = holm_levels(list(p.values()), ALPHA), holm_p(list(p.values()))
    return Family(tuple(means), dict(zip(p, levels, strict=True)), dict(zip(p, adjusted, strict=True)))


def _dunnett(metric: Metric, pairs: Sequence[SeedPairs | None], by_seeds: Sequence[bool]) -> Family:
    return against_reference(
        metric, [None if pair is None else (pair.one, pair.two) for pair in pairs], pair_seeds=all(by_seeds)
    )


def is_judged(mean: Mean) -> bool:
    """Whether there are enough seeds for a conclusion: with two, what they vary is hardly known."""
    return mean.n >= FEWEST_SEEDS


def _judged(
    kept: ContrastResult,
    metric: Metric,
    pair: SeedPairs,
    mean: Mean,
    levels: tuple[float | None, float | None],
    look: InterimResult | None,
) -> ContrastResult:
    """The contrast with its outcome and its evidence. levels: of the family, for a difference and for equivalence;
    look: the one of a race that settled it."""
    level = levels[0]
    if look is not None and level is not None:
        level = look.level  # looking often has its price
    adjusted = None if level is None else mean.interval(1 - level)
    one_sided = levels[1] or ALPHA
    equivalence = mean.interval(1 - 2 * one_sided)
    within = is_within(equivalence, kept.margin)
    said = outcome(mean.interval(), adjusted, within, higher_is_better=metric.higher_is_better)
    if look is not None and level is not None:
        said = look.decision if look.decision in ("better", "worse", "equivalent") else "not resolved"
        within = said == "equivalent"
        seen = dataclasses.replace(mean.interval(1 - level), low=look.low, high=look.high)  # what decided, to the digit
        adjusted = seen
        if within:  # its level is that of two one-sided tests
            equivalence, adjusted, one_sided = seen, mean.interval(1 - level / 2), level / 2
    n = len(pair.one.runs)
    one, two = ([metric.whole(run) for run in side.runs] for side in (pair.one, pair.two))
    better, other = (one, two) if metric.higher_is_better else (two, one)
    flips = n > 1 and kept.pair_seeds
    return dataclasses.replace(
        kept,
        outcome=said,
        difference=mean.interval(),
        adjusted=adjusted,
        equivalence=equivalence if level is not None else None,
        equivalence_level=one_sided if level is not None else None,
        within_margin=within,
        level=level,
        p=mean.p,
        p_signflip=signflip_p([a - b for a, b in zip(one, two, strict=True)]) if flips else None,
        p_permutation=permutation_p(one, two) if n > 1 and not kept.pair_seeds else None,
        p_least=(least_p if flips else least_permutation_p)(n) if n > 1 else None,
        probability=probability_better(better, other) if n > 1 else None,
        p_mcnemar=_mcnemar(pair),
        components=mean.components,
    )


def _at(n_seeds: int, study: Study, tested: Tested) -> Tested:
    """What was known at the look of a race after so many seeds."""
    seen = study.seeds[:n_seeds]
    return {arm: {seed: run for seed, run in by_seed.items() if seed in seen} for arm, by_seed in tested.items()}


def paired(
    tested: Tested, contrast: Contrast, n_train: int, groups: Groups | None = None, learned: ByRun | None = None
) -> SeedPairs | None:
    """The runs of both arms with the seeds that are compared; None where there is no such seed."""
    one, two = tested[contrast.arm], tested[contrast.against]
    seeds = learning.compared_seeds(one, two, (contrast.arm, contrast.against), learned or {})
    return _with(seeds, one, two, n_train, groups)


def _with(seeds: Sequence[int], one: Runs, two: Runs, n_train: int, groups: Groups | None) -> SeedPairs | None:
    if not seeds:
        return None
    return SeedPairs(*(Sample(tuple(side[seed] for seed in seeds), n_train, groups or {}) for side in (one, two)))


def _beside_learning(
    kept: ContrastResult, metric: Metric, tested: Tested, pair: SeedPairs | None, learned: ByRun, n_train: int,
    groups: Groups | None,
) -> ContrastResult:  # fmt: skip
    """How often either arm learned, and the difference over all seeds that both finished; nothing where all did."""
    arms = (kept.arm, kept.against)
    did = [[learned.get((arm, seed), True) for seed in tested[arm]] for arm in arms]
    if all(map(all, did)):
        return kept
    one, two = (tested[arm] for arm in arms)
    both = _with(sorted(one.keys() & two.keys()), one, two, n_train, groups)
    if both is None:
        return kept
    left_out = pair is None or len(pair.one.runs) < len(both.one.runs)
    over_all = mean_difference(metric, both.one, both.two, pair_seeds=False).interval() if left_out else None
    return dataclasses.replace(kept, learning=learning.difference(*did), all_runs=over_all)


def outcome(
    difference: Estimate | None, adjusted: Estimate | None, within_margin: bool, *, higher_is_better: bool = True
) -> Outcome:
    """What the adjusted interval of a difference allows one to say, and whether the difference is within the margin."""
    if difference is None:
        return "no pairs"
    if adjusted is None or adjusted.low is None or adjusted.high is None:
        if difference.n == 1:
            return "one seed"
        if difference.low is not None and difference.n < FEWEST_SEEDS:
            return "two seeds"
        return "one group" if difference.method == ONE_GROUP else "one photo"
    if adjusted.low > 0 or adjusted.high < 0:
        return "better" if (adjusted.low > 0) == higher_is_better else "worse"
    return "equivalent" if within_margin else "not resolved"


def _mcnemar(pair: SeedPairs) -> float | None:
    """None where a photo was tested by some seeds and not by others."""
    if shared_photos(pair.one.runs):
        return mcnemar_p(pair.one.runs, pair.two.runs, pair.one.clusters)
    photos = np.concatenate([run.photos for run in pair.one.runs])
    if len(np.unique(photos)) < len(photos):
        return None
    return mcnemar_p([_joined(pair.one.runs)], [_joined(pair.two.runs)], clusters(photos, pair.one.groups))


def _joined(runs: Sequence[Predictions]) -> Predictions:
    return Predictions(
        *(np.concatenate([getattr(run, name) for run in runs]) for name in ("photos", "labels", "probabilities"))
    )


def _remedy(
    pair: SeedPairs, mean: Mean, margin: float, level: float | None, contrast: Contrast, seconds: Mapping[str, float]
) -> Remedy | None:
    if level is None:
        return None
    both = [seconds[arm] for arm in (contrast.arm, contrast.against) if arm in seconds]
    shared = shared_photos(pair.one.runs)
    floor = None if shared else pair.one.n_test / pair.one.n_train
    units = pair.one.clusters if shared else None
    return remedy(mean, margin, level, round(pair.one.n_test), sum(both) if len(both) == 2 else None, floor, units)
