"""What a study found, as frozen data: all that the table and the verdicts say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from commongarden.records import Baseline, Estimate
from commongarden.stats.baselines import BesideBaseline
from commongarden.stats.best import Chances, Standing
from commongarden.stats.budgets import BudgetViews
from commongarden.stats.factorial import Factorial
from commongarden.stats.learning import LearningDifference
from commongarden.stats.majority_class import MajorityClass
from commongarden.stats.means import Components
from commongarden.stats.metrics import Imbalance
from commongarden.stats.power import Remedy
from commongarden.stats.tuned import Tuned
from commongarden.study import Published

Outcome = Literal[
    "better", "worse", "equivalent", "not resolved", "two seeds", "one seed", "one photo", "one group", "no pairs"
]
Design = Literal["crossed", "resampled"]
Swap = tuple[str, str, str]  # key, value of the whole network, value of the arm


@dataclass(frozen=True)
class Recall:
    """The share of one class's test photos that were called so. n_photos: of that class, on average over seeds."""

    label: str
    n_photos: int
    estimate: Estimate


@dataclass(frozen=True)
class ArmResult:
    """The results of one arm over its finished runs. Accuracies are shares (0..1), losses nats; None if no run
    finished.

    n_at_commonest: runs that did not learn: their validation accuracy is not above the share of the largest class
        (`stats.learning`). learned: the share of the runs that did, with its exact interval; accuracy_learned: their
        mean, if there are both kinds.
    beats_commonest: whether the interval (with one run: the value) is above that baseline.
    """

    arm: str
    arch: str
    input: tuple[int, int, int]
    n_finished: int
    n_failed: int
    test_accuracy: Estimate | None
    n_at_commonest: int
    accuracy_learned: Estimate | None
    beats_commonest: bool | None
    seconds: Estimate | None
    images_per_second: Estimate | None
    inference_ms: Estimate | None
    peak_memory_mb: Estimate | None
    model_mb: float | None
    n_params: int
    macs: int | None
    published: Published | None
    balanced_accuracy: Estimate | None = None
    log_loss: Estimate | None = None
    calibration_error: Estimate | None = None
    recalls: tuple[Recall, ...] = ()
    learned: Estimate | None = None


@dataclass(frozen=True)
class ContrastResult:
    """A planned comparison, paired by test photo, and by seed where seeds matter, with what differs between the arms.

    Differences are arm minus against in the metric's unit: shares (0..1), or nats for log_loss.
    margin: the largest difference that counts as none.
    family: number of comparisons that were corrected together.
    outcome: better or worse by `adjusted` alone, equivalent by `equivalence`.
    difference: with its own 95 % interval.
    adjusted: the same at the level of Holm's procedure for all comparisons of the study, or of Dunnett's where it has a
        reference.
    level: that level; 0.05 for a single comparison.
    equivalence: the difference with the interval of two one-sided tests at equivalence_level, by Holm's method: 90 %
        for a single comparison.
    within_margin: whether that interval is inside the margin.
    pair_seeds: whether runs with the same seed were compared as pairs.
    learning: how often either arm learned, if any run did not. Accuracies are then compared over the seeds in which
        both arms learned; all_runs: the difference over all seeds, if that leaves some out.
    p, p_holm: of the difference's t test by itself, and adjusted by Holm's method, or Dunnett's with a reference.
    p_signflip: of the exact sign-flip test over the pairs; p_permutation: of the exact permutation test, where runs are
        not paired; p_least: the smallest p that so many runs can give.
    probability: that a run of `arm` is better than a run of `against`. chances: that the true difference is below,
        within or above the margin.
    p_mcnemar: of McNemar's test, which accounts for test-set variation only.
    components: the sources of variation.
    remedy: what would settle the comparison, if it is not resolved.
    differs: (what, value of arm, value of against).
    folds: number of folds in place of seeds; 0 for none.
    together: recipe values that were declared to differ besides the networks, like `differs`.
    """

    arm: str
    against: str
    outcome: Outcome
    difference: Estimate | None
    differs: tuple[tuple[str, str, str], ...]
    metric: str = "accuracy"
    margin: float = 0.01
    family: int = 1
    adjusted: Estimate | None = None
    equivalence: Estimate | None = None
    within_margin: bool = False
    level: float | None = None
    p: float | None = None
    p_holm: float | None = None
    p_signflip: float | None = None
    p_least: float | None = None
    p_permutation: float | None = None
    pair_seeds: bool = True
    equivalence_level: float | None = None
    learning: LearningDifference | None = None
    all_runs: Estimate | None = None
    probability: Estimate | None = None
    chances: Chances | None = None
    p_mcnemar: float | None = None
    components: Components | None = None
    remedy: Remedy | None = None
    folds: int = 0
    together: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class PartContribution:
    """One part. All figures are the whole network's minus the arm's.

    arm: the arm without it. parts: what was taken out or swapped, as the study file spells it; swaps: the options and
    recipe values in which the arm differs. contrast: its place among the study's contrasts, which say how sure its
    accuracy is. seconds: of training and validation, paired by seed, with an interval over the seeds alone; n_params,
    macs: as counted.
    """

    arm: str
    parts: tuple[str, ...]
    swaps: tuple[Swap, ...]
    outcome: Outcome
    difference: Estimate | None
    adjusted: Estimate | None
    equivalence: Estimate | None
    within_margin: bool
    seconds: Estimate | None
    n_params: int
    macs: int
    equivalence_level: float | None = None


@dataclass(frozen=True)
class PartContributions:
    """The parts of `arm`, the most valuable first. n_params, macs: of the whole network; seconds: of one run of it."""

    arm: str
    parts: tuple[PartContribution, ...]
    n_params: int
    macs: int
    seconds: float | None


@dataclass(frozen=True)
class Results:
    """Everything that the table and the verdicts show.

    metric: what the arms are compared by. margin: the largest difference that counts as none, in the metric's unit.
    design: whether all seeds were tested on the same photos ("crossed") or each on its own ("resampled").
    standings: all arms from best to worst by that metric, over the seeds that all of them share.
    factorial: the effects of a study's factors.
    vary: what differs between runs of one arm. folds: number of folds, or 0; with folds, `seeds` are their numbers.
    contract: hash of what is equal for all arms and what differs.
    worth: the contributions of the parts, in an ablation study.
    reference: the arm that all others are compared with by Dunnett's procedure; empty for Holm's.
    can_be_best: the arms that may be the best at 95 % confidence, best mean first (Hsu 1981); None with fewer than five
        arms, or one seed.
    pair_seeds: whether runs with the same seed are compared as pairs (`stats.pairing`).
    looks: with how many seeds results were complete before seeds were added.
    has_earlier_rules: whether there are runs from before the present rules of conclusions.
    n_missing: planned runs that are not finished; 0 for a race, which plans as it goes.
    n_groups, n_test_groups: numbers of groups (patients, plants, videos) among all photos and the test photos, if
        groups are the unit of the intervals; 0 otherwise. A photo without a group counts as one.
    """

    study: str
    seeds: tuple[int, ...]
    classes: tuple[str, ...]
    n_train: int
    n_val: int
    n_test: int
    commonest: MajorityClass
    arms: tuple[ArmResult, ...]
    contrasts: tuple[ContrastResult, ...]
    baselines: tuple[Baseline, ...] = ()
    beside_baselines: tuple[BesideBaseline, ...] = ()
    tuned: Tuned | None = None
    budgets: tuple[BudgetViews, ...] = ()
    metric: str = "accuracy"
    margin: float = 0.01
    design: Design = "crossed"
    standings: tuple[Standing, ...] = ()
    imbalance: Imbalance | None = None
    factorial: Factorial | None = None
    vary: tuple[str, ...] = ("init", "order")
    folds: int = 0
    contract: str = ""
    worth: PartContributions | None = None
    n_groups: int = 0
    n_test_groups: int = 0
    reference: str = ""
    can_be_best: tuple[str, ...] | None = None
    n_missing: int = 0
    pair_seeds: bool = True
    has_earlier_rules: bool = False
    looks: tuple[int, ...] = ()
