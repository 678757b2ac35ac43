"""Racing: seeds are spent where they decide something.

Every arm gets the same first seeds; then all contrasts are tested, and those that are settled get no more. A contrast
is settled where it is established either way, where its two arms are equivalent within the margin, or where only more
test photos could tell. The rule is a function of the finished runs and of nothing else: it replays every look from the
first, so a study that was stopped and goes on decides as one that was left alone.

The error rate is kept over looks by alpha spending (sequential.py) and over contrasts by Holm's rule: of m contrasts
with r established, each of the others is tested at alpha / (m - r) at every look (Ye, Li, Liu & Yao 2013; Maurer &
Bretz 2013). Equivalence is two one-sided tests (Schuirmann 1987) at the levels of the same looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from commongarden.stats import sequential
from commongarden.stats.clusters import Clusters
from commongarden.stats.crossed import MeanSquares, difference_squares
from commongarden.stats.learning import both_learned
from commongarden.stats.pairing import are_paired

Decision = Literal["better", "worse", "equivalent", "photos", "open"]
PHOTO_Z, EQUIVALENCE_Z = 1.96, 1.645  # of the widest level that Holm's rule can come to
SEED_LEVEL = 0.05  # at which a limit over all seeds, on the photos there are, is told


@dataclass(frozen=True)
class RacePlan:
    """How a study is raced. most: seeds that an arm gets at the most; margin: of equivalence, as a share."""

    most: int
    margin: float = 0.01
    alpha: float = 0.05

    @property
    def looks(self) -> tuple[int, ...]:
        return sequential.interim_schedule(self.most)

    @property
    def ends_for_photos(self) -> bool:
        """Whether a contrast that only more test photos could settle gets no more seeds."""
        return True

    def levels(self, alpha: float) -> tuple[float, ...]:
        """The two-sided level of each look."""
        return sequential.levels(self.looks, alpha)


@dataclass(frozen=True)
class ContrastEvidence:
    """What the runs of one contrast say at a look: the mean difference, its standard error over new seeds and photos
    with degrees of freedom, and the errors over new seeds on these photos and over new photos alone. seed_df: of the
    former; floor: the least error that the photos allow, with its degrees of freedom. pair_seeds: whether runs with the
    same seed are pairs."""

    n: int
    difference: float
    error: float
    df: float
    seed_error: float
    photo_error: float
    seed_df: float
    floor: tuple[float, float]
    pair_seeds: bool = True

    def p(self, distance: float) -> float:
        """One-sided, of this distance or more."""
        errors = ((self.error, self.df), self.floor)
        found = [float(special.stdtr(df, -abs(distance) / error)) for error, df in errors if error > 0]
        return max(found if distance > 0 else [1 - p for p in found])

    def half(self, level: float) -> float:
        """Of the interval at this two-sided level."""
        return max(-float(special.stdtrit(df, level / 2)) * error for error, df in ((self.error, self.df), self.floor))


@dataclass(frozen=True)
class InterimResult:
    """One contrast at one look. level: two-sided, of the interval low..high. n: pairs of seeds that it rests on; where
    they are fewer than two there are no figures. pair_seeds: whether runs with the same seed were pairs, which they
    always were in earlier versions."""

    arm: str
    against: str
    n: int
    difference: float | None
    low: float | None
    high: float | None
    level: float
    decision: Decision
    pair_seeds: bool = True


@dataclass(frozen=True)
class InterimAnalysis:
    """What was seen once so many seeds were in: the contrasts that were open till then."""

    n_seeds: int
    contrasts: tuple[InterimResult, ...]


@dataclass(frozen=True)
class Race:
    """How a race stands. needed: runs (arm, seed) that the next look waits for, empty where the race is over.

    stopped: after how many seeds an arm got no more, for the arms that have stopped before the most.
    """

    plan: RacePlan
    looks: tuple[InterimAnalysis, ...]
    needed: tuple[tuple[str, int], ...]
    stopped: tuple[tuple[str, int], ...]

    @property
    def last_looks(self) -> dict[tuple[str, str], tuple[InterimResult, int]]:
        """The last look at each contrast (arm, against), which settled it or is the latest where it is open, and how
        many seeds were in by then; in the order of the first look."""
        return {(row.arm, row.against): (row, look.n_seeds) for look in self.looks for row in look.contrasts}


def race(
    pairs: Sequence[tuple[str, str]],
    arms: Sequence[str],
    seeds: Sequence[int],
    right: Callable[[str, int], np.ndarray | None],
    is_there: Callable[[str, int], bool],
    plan: RacePlan,
    groups: Clusters | None = None,
    learned: Callable[[str, int], bool] = lambda arm, seed: True,
) -> Race:
    """Replays the race over the runs that are there.

    pairs: contrasts as (arm, against); seeds: the first plan.most are used, in their order. right: for each test photo
    whether the run called it by its name, None for a failed run; is_there: whether the run is in the store. groups: of
    the test photos, where those are the unit. learned: whether the run did; contrasts are decided over the seeds in
    which both arms learned, so that no claim rests on how many runs happened to fail so far.
    """
    if len(seeds) < plan.most:
        raise ValueError(f"seeds: found {len(seeds)}, accepted: at least as many as the plan's most ({plan.most})")
    decisions: list[Decision] = ["open"] * len(pairs)
    found: list[InterimAnalysis] = []
    needed: list[tuple[str, int]] = []
    stopped: dict[str, int] = {}
    for k, n_seeds in enumerate(plan.looks):
        playing = [arm for arm in arms if k == 0 or _plays(arm, pairs, decisions)]
        needed = [(arm, seed) for seed in seeds[:n_seeds] for arm in playing if not is_there(arm, seed)]
        if needed:
            break
        was_open = [i for i, decision in enumerate(decisions) if decision == "open"]
        paired = _are_paired(playing, seeds[:n_seeds], right)
        tables = {i: _tables(*pairs[i], seeds[:n_seeds], right, learned) for i in was_open}
        evidence = {i: evidence_of(*both, groups, paired) for i, both in tables.items()}
        at = decide(evidence, decisions, k, plan)
        seen = tuple(_looked(pairs[i], evidence[i], at[i], decisions[i]) for i in was_open)
        found.append(InterimAnalysis(n_seeds, seen))
        for arm in playing:
            if n_seeds < plan.most and not _plays(arm, pairs, decisions):
                stopped[arm] = n_seeds
        if "open" not in decisions:
            break
    return Race(plan, tuple(found), tuple(needed), tuple(stopped.items()))


def decide(
    evidence: dict[int, ContrastEvidence | None], decisions: list[Decision], k: int, plan: RacePlan
) -> dict[int, float]:
    """Decides at look k on the open contrasts that evidence holds, in place; gives the level of each one's interval."""
    at: dict[int, float] = {}
    while True:  # a contrast that is established leaves its share of alpha to the others, at this look already
        level = plan.levels(plan.alpha / _n_left(decisions))[k]
        new: dict[int, Decision] = {
            i: "better" if seen.difference > 0 else "worse"
            for i, seen in evidence.items()
            if decisions[i] == "open" and seen is not None and p_value(seen.difference, seen) <= level
        }
        at |= {i: level for i in evidence if decisions[i] == "open"}
        if not new:
            break
        for i, decision in new.items():
            decisions[i] = decision
    one_sided = plan.levels(2 * plan.alpha / _n_left(decisions))[k] / 2
    for i, seen in evidence.items():
        if decisions[i] != "open" or seen is None:
            continue
        if not_equivalent_p(seen, plan.margin) <= one_sided:
            decisions[i] = "equivalent"
            at[i] = 2 * one_sided
        elif plan.ends_for_photos and only_photos(seen, plan.margin):
            decisions[i] = "photos"
    return at


def _n_left(decisions: Sequence[Decision]) -> int:
    return max(sum(decision not in ("better", "worse") for decision in decisions), 1)


def p_value(distance: float, seen: ContrastEvidence) -> float:
    """Two-sided, of no difference."""
    return 2 * seen.p(abs(distance)) if distance else 1.0


def not_equivalent_p(seen: ContrastEvidence, margin: float) -> float:
    """Of a difference of the margin or more, the larger of two one-sided tests."""
    return seen.p(margin - abs(seen.difference))


def only_photos(seen: ContrastEvidence, margin: float) -> bool:
    """Whether the difference that all seeds together would have on these photos is so small that the noise of the
    photos alone would hide it, and that noise so large that equivalence could not be told either."""
    if seen.n < sequential.FIRST:
        return False
    limit = abs(seen.difference) + float(special.stdtrit(seen.seed_df, 1 - SEED_LEVEL / 2)) * seen.seed_error
    return limit < PHOTO_Z * seen.photo_error and EQUIVALENCE_Z * seen.photo_error > margin


def evidence_of(
    one: np.ndarray, two: np.ndarray, groups: Clusters | None = None, pair_seeds: bool = True
) -> ContrastEvidence | None:
    """From both arms' tables (seeds, photos) of 1 and 0; None with fewer than two seeds, photos or groups of photos."""
    if min(one.shape, default=0) < 2 or (groups is not None and groups.n < 2):
        return None
    return of_mean_squares(difference_squares(one, two, groups, pair_seeds=pair_seeds))


def of_mean_squares(found: MeanSquares) -> ContrastEvidence:
    """The evidence in the mean squares of a difference."""
    size = found.n_seeds * found.n_photos
    photo = float(np.sqrt(max(found.photo - found.rest, 0.0) / size))
    paired = found.seed_df is None
    seed_error, seed_df = float(np.sqrt(found.seed / size)), float(found.n_seeds - 1 if paired else found.seed_df)
    floor = (found.least_error, float(found.floor_df))
    own = float(found.error()), float(found.df())
    return ContrastEvidence(
        found.n_seeds, float(found.mean), *own, seed_error, photo, seed_df=seed_df, floor=floor, pair_seeds=paired
    )


def _plays(arm: str, pairs: Sequence[tuple[str, str]], decisions: Sequence[Decision]) -> bool:
    return any(arm in pair and decision == "open" for pair, decision in zip(pairs, decisions, strict=True))


def _tables(
    arm: str,
    against: str,
    seeds: Sequence[int],
    right: Callable[[str, int], np.ndarray | None],
    learned: Callable[[str, int], bool],
) -> tuple[np.ndarray, np.ndarray]:
    """Of the seeds that both arms finished, and in which both learned."""
    shared = [seed for seed in seeds if right(arm, seed) is not None and right(against, seed) is not None]
    rows = [(right(arm, seed), right(against, seed)) for seed in both_learned(shared, (arm, against), learned)]
    both = [(one, two) for one, two in rows if one is not None and two is not None]
    return np.array([one for one, _ in both], np.float64), np.array([two for _, two in both], np.float64)


def _are_paired(arms: Sequence[str], seeds: Sequence[int], right: Callable[[str, int], np.ndarray | None]) -> bool:
    """Whether the runs of the arms that are still raced are paired by seed, over the seeds that all finished."""
    table = [[right(arm, seed) for arm in arms] for seed in seeds]
    figures = [[run.mean() for run in row if run is not None] for row in table]
    full = [row for row in figures if len(row) == len(arms)]
    return len(full) > 1 and len(arms) > 1 and bool(are_paired(np.array(full).T))


def _looked(pair: tuple[str, str], seen: ContrastEvidence | None, level: float, decision: Decision) -> InterimResult:
    if seen is None:
        return InterimResult(*pair, 0, None, None, None, level, decision)
    half = seen.half(level)
    low, high = max(seen.difference - half, -1.0), min(seen.difference + half, 1.0)
    return InterimResult(*pair, seen.n, seen.difference, low, high, level, decision, seen.pair_seeds)
