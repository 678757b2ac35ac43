"""What a study found, as frozen data: all that the table and the verdicts say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from commongarden.records import Baseline, Estimate
from commongarden.stats.baselines import BesideBaseline
from commongarden.stats.best import Standing
from commongarden.stats.budgets import BudgetViews
from commongarden.stats.factorial import Factorial
from commongarden.stats.majority_class import MajorityClass
from commongarden.stats.means import Components
from commongarden.stats.metrics import Imbalance
from commongarden.stats.power import Remedy
from commongarden.stats.tuned import Tuned
from commongarden.study import Published

Outcome = Literal["better", "worse", "equivalent", "not resolved", "one seed", "one photo", "one group", "no pairs"]
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
    """What an arm reached over its finished runs. Accuracies are shares (0..1), losses nats; None where no run
    finished.

    n_at_commonest: runs that never left the commonest-class line (every test photo got one label, or the test
        accuracy is not above that line). accuracy_learned: over the other runs, where there are both kinds.
    beats_commonest: the interval lies above the line (with one run: the value).
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


@dataclass(frozen=True)
class ContrastResult:
    """A planned difference, paired by seed and by test photo, with what differs between the two arms.

    Differences are arm minus against in the metric's unit: shares (0..1), or nats for log_loss.
    margin: the largest difference that counts as none. family: how many contrasts were tested together.
    outcome: from `adjusted` alone whether better or worse, from `equivalence` whether equivalent.
    difference: with its 95 % interval by itself. adjusted: the same with Holm's level for all contrasts of the study
        (`level`; 0.05 for a single one). equivalence: with its 90 % interval, within_margin: whether that lies inside
        the margin.
    p: of the difference's t test by itself, p_holm: Holm's. p_signflip: exact over the pairs, p_least: the least that
        so many pairs can give. probability: that a run of `arm` beats a run of `against`. p_mcnemar: photo noise only.
    components: where the spread comes from. remedy: what would settle it, where it is not resolved.
    differs: (what, value of arm, value of against).
    folds: into how many the photos are divided, where folds take the place of seeds. together: the recipe values that
        were declared to differ besides the networks, like `differs`; every verdict names them.
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
    probability: Estimate | None = None
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
    """All that the table and the verdicts say.

    metric: what the contrasts are of. margin: the largest difference that counts as none, in the metric's unit.
    design: whether all seeds were tested on the same photos ("crossed") or each on its own ("resampled").
    standings: all arms from best to worst by that metric, over the seeds that all of them share.
    factorial: the effects of a study's factors.
    vary, folds: what makes runs of one arm differ; with folds, `seeds` are their numbers.
    contract: the hash of the terms on which the arms are compared.
    worth: what the parts of a network are worth that the study takes apart.
    n_groups, n_test_groups: to how many groups (patients, plants, videos) all photos and the test photos belong, a
        photo without one counted by itself; groups are then the unit of the intervals. 0 where photos are.
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
