"""From several studies to what holds across their data sets."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from commongarden.errors import StudyError
from commongarden.i18n.language import _
from commongarden.records import Estimate
from commongarden.stats.contrasts import outcome
from commongarden.stats.data_sets.best_on_new import chances
from commongarden.stats.data_sets.effects import Effects, effects
from commongarden.stats.data_sets.joining import Joined
from commongarden.stats.data_sets.random_effects import RandomEffects, random_effects
from commongarden.stats.data_sets.ranks import Ranks, ranks
from commongarden.stats.data_sets.replicability import significant_on
from commongarden.stats.data_sets.signed_rank import SignedRank, signed_rank
from commongarden.stats.equivalence import equivalence_levels, is_within
from commongarden.stats.holm import ALPHA, holm_levels, holm_p
from commongarden.stats.means import Mean
from commongarden.stats.metrics import METRICS
from commongarden.stats.results import Outcome
from commongarden.study import Contrast
from commongarden.study.declared import MOST_PAIRED

FEWEST_DATA_SETS = 3  # data sets for a conclusion: with two, what they vary is hardly known
ENOUGH = 6  # data sets; with fewer, all is said with a warning


@dataclass(frozen=True)
class DataSetResult:
    """One data set. name: of its study. reached: each arm's mean figure over its runs, in the order of the arms;
    n_seeds: of the arm with the fewest finished runs. n_not_learned: runs of each arm that did not learn
    (`stats.learning`); never: whether it learned in none."""

    name: str
    n_classes: int
    n_train: int
    n_test: int
    n_seeds: int
    reached: tuple[float, ...]
    n_not_learned: tuple[int, ...]
    never: tuple[bool, ...]


@dataclass(frozen=True)
class Without:
    """A contrast with one data set left out."""

    data_set: str
    difference: Estimate
    outcome: Outcome


@dataclass(frozen=True)
class AcrossContrast:
    """A comparison over data sets. Differences are arm minus against, in the metric's unit.

    by_data_set: the difference on each, with its own 95 % interval. difference: the mean over data sets; adjusted: the
    same at the level of Holm's procedure over the contrasts, from which outcome comes; equivalence: the same at the
    level of two one-sided tests. tau: standard deviation of true differences between data sets; i2: the share of the
    scatter that is not error. prediction: 95 % interval of the true difference on a new data set; better_on_new: the
    probability that arm is better there. signed_rank: Bayesian signed-rank test with the margin as region of
    equivalence. better_on, worse_on: data sets on which that is significant, at 5 % for all of them together.
    without: the same with each data set left out; empty with fewer than four.
    """

    arm: str
    against: str
    outcome: Outcome
    by_data_set: tuple[Estimate, ...]
    difference: Estimate
    adjusted: Estimate | None
    p: float | None
    p_holm: float | None
    equivalence: Estimate | None
    tau: float
    i2: float
    prediction: Estimate | None
    better_on_new: float | None
    signed_rank: SignedRank
    better_on: tuple[str, ...]
    worse_on: tuple[str, ...]
    without: tuple[Without, ...] = ()

    def n_ahead(self, higher_is_better: bool) -> int:
        """The data sets on which the arm's mean is better, whether significantly or not."""
        return sum((one.value > 0) == higher_is_better and one.value != 0 for one in self.by_data_set)


@dataclass(frozen=True)
class Combined:
    """What several studies say together. means: of each arm over data sets, each data set counting the same.

    best_on_new, best_on_average: the probability of each arm to be the best on a new data set, and on average; None
    with two data sets. without_first: the arm with the best mean if a data set is left out, by data set.
    left_out: models that some study lacks.
    """

    metric: str
    margin: float
    arms: tuple[str, ...]
    data_sets: tuple[DataSetResult, ...]
    means: tuple[float, ...]
    contrasts: tuple[AcrossContrast, ...]
    ranks: Ranks
    best_on_new: tuple[float, ...] | None
    best_on_average: tuple[float, ...] | None
    without_first: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...]

    @property
    def order(self) -> list[int]:
        """The places of the arms, the best mean first."""
        sign = 1.0 if METRICS[self.metric].higher_is_better else -1.0
        return sorted(range(len(self.arms)), key=lambda place: -sign * self.means[place])


def combine(studies: Joined) -> Combined:
    """What the studies say together. Raises StudyError where one has too few finished runs."""
    metric, arms = METRICS[studies.metric], studies.arms
    sign = 1.0 if metric.higher_is_better else -1.0
    pairs = planned(studies)
    found = [effects(side, arms, pairs) for side in studies.sides]
    for side, one in zip(studies.sides, found, strict=True):
        _check(side.name, one)
    figures = np.array([one.reached for one in found])
    order = [int(place) for place in np.argsort(-sign * figures.mean(axis=0), kind="stable")]
    several = len(found) >= FEWEST_DATA_SETS
    cell_errors = np.array([[one.error] for one in found])
    usual = {} if metric.unit == "points" else {"usual": 0.0}
    new, average = chances(sign * figures, cell_errors, **usual) if several else (None, None)
    return Combined(
        metric=studies.metric,
        margin=studies.margin,
        arms=arms,
        data_sets=tuple(
            DataSetResult(
                side.name,
                len(side.results.classes),
                side.results.n_train,
                side.results.n_test,
                one.n_seeds,
                one.reached,
                one.n_not_learned,
                one.never,
            )
            for side, one in zip(studies.sides, found, strict=True)
        ),
        means=tuple(map(float, figures.mean(axis=0))),
        contrasts=_contrasts(studies, pairs, found),
        ranks=ranks(sign * figures),
        best_on_new=None if new is None else tuple(map(float, new)),
        best_on_average=None if average is None else tuple(map(float, average)),
        without_first=_without_first(studies, sign * figures, order[0]) if len(found) > FEWEST_DATA_SETS else (),
        left_out=studies.left_out,
    )


def planned(studies: Joined) -> tuple[Contrast, ...]:
    """The comparisons that all studies plan; where there is none, every pair of up to four models, else each with the
    first."""
    plans = [side.store.study().planned_contrasts() for side in studies.sides]
    common = tuple(
        one for one in plans[0]
        if {one.arm, one.against} <= {*studies.arms} and all(one in plan for plan in plans)
    )  # fmt: skip
    if common:
        return common
    if len(studies.arms) <= MOST_PAIRED:
        return tuple(Contrast(arm, against) for against, arm in itertools.combinations(studies.arms, 2))
    return tuple(Contrast(arm, studies.arms[0]) for arm in studies.arms[1:])


def _check(name: str, found: Effects) -> None:
    for difference in found.differences.values():
        if difference is None or difference.error is None:
            text = _(
                "{study}: found too few finished runs; accepted: two seeds or more of each model, on two test images "
                "or "
                "more"
            )
            raise StudyError(text.format(study=name))


def _contrasts(studies: Joined, pairs: Sequence[Contrast], found: Sequence[Effects]) -> tuple[AcrossContrast, ...]:
    names = [side.name for side in studies.sides]
    by_pair = {pair: [_known(one.differences[pair]) for one in found] for pair in pairs}
    means = {pair: _mean(studies, by_pair[pair]) for pair in pairs}
    outcomes = judged({pair: one.mean for pair, one in means.items()}, studies)
    without: dict[Contrast, list[Without]] = {pair: [] for pair in pairs}
    if len(names) > FEWEST_DATA_SETS:
        for place, name in enumerate(names):
            fewer = {pair: _mean(studies, [*each[:place], *each[place + 1 :]]) for pair, each in by_pair.items()}
            for pair, one in judged({pair: one.mean for pair, one in fewer.items()}, studies).items():
                without[pair].append(Without(name, fewer[pair].mean.interval(), one.outcome))
    return tuple(_contrast(studies, pair, by_pair[pair], means[pair], outcomes[pair], without[pair]) for pair in pairs)


@dataclass(frozen=True)
class Judged:
    """What Holm's procedure says of one mean. adjusted, p_holm: None with fewer than three data sets."""

    outcome: Outcome
    adjusted: Estimate | None
    p_holm: float | None
    equivalence: Estimate | None


def judged(means: Mapping[Contrast, Mean], studies: Joined) -> dict[Contrast, Judged]:
    """The contrasts tested together."""
    p = {pair: mean.p for pair, mean in means.items() if mean.p is not None and mean.n >= FEWEST_DATA_SETS}
    levels = dict(zip(p, holm_levels(list(p.values()), ALPHA), strict=True))
    adjusted_p = dict(zip(p, holm_p(list(p.values())), strict=True))
    equivalence = equivalence_levels(means, levels, studies.margin)
    found = {}
    for pair, mean in means.items():
        if pair not in levels:
            found[pair] = Judged("not resolved", None, None, None)
            continue
        adjusted = mean.interval(1 - levels[pair])
        within = mean.interval(1 - 2 * equivalence.get(pair, ALPHA))
        higher = METRICS[studies.metric].higher_is_better
        said = outcome(mean.interval(), adjusted, is_within(within, studies.margin), higher_is_better=higher)
        found[pair] = Judged(said, adjusted, adjusted_p[pair], within)
    return found


def _contrast(
    studies: Joined, pair: Contrast, differences: Sequence[Mean], found: RandomEffects, said: Judged,
    without: Sequence[Without],
) -> AcrossContrast:  # fmt: skip
    higher = METRICS[studies.metric].higher_is_better
    names = [side.name for side in studies.sides]
    values = [one.value if higher else -one.value for one in differences]
    up, down = (tuple(names[place] for place in places) for places in significant_on(differences))
    above = found.above_zero
    return AcrossContrast(
        pair.arm,
        pair.against,
        said.outcome,
        tuple(one.interval() for one in differences),
        found.mean.interval(),
        said.adjusted,
        found.mean.p,
        said.p_holm,
        said.equivalence,
        found.tau,
        found.i2,
        found.prediction,
        above if above is None or higher else 1 - above,
        signed_rank(values, studies.margin),
        up if higher else down,
        down if higher else up,
        tuple(without),
    )


def _mean(studies: Joined, differences: Sequence[Mean]) -> RandomEffects:
    errors = [max(one.error or 0.0, 0.0 if one.floor is None else one.floor[0]) for one in differences]
    values = [one.value for one in differences]
    return random_effects(values, errors, METRICS[studies.metric].spread_bounds)


def _known(difference: Mean | None) -> Mean:
    assert difference is not None, "checked before"
    return difference


def _without_first(studies: Joined, figures: np.ndarray, first: int) -> tuple[tuple[str, str], ...]:
    """The data sets without which another arm has the best mean, with that arm."""
    found = []
    for place, side in enumerate(studies.sides):
        best = int(np.argmax(np.delete(figures, place, axis=0).mean(axis=0)))
        if best != first:
            found.append((side.name, studies.arms[best]))
    return tuple(found)
