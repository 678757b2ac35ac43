"""What a study found, as frozen data: all that the table and the verdicts say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from commongarden.records import Estimate
from commongarden.stats.commonest import Commonest
from commongarden.stats.factorial import Factorial
from commongarden.study import Published

Outcome = Literal["better", "worse", "not resolved", "one seed", "no pairs"]


@dataclass(frozen=True)
class ArmResult:
    """What an arm reached over its finished runs. Accuracies are shares (0..1); None where no run finished.

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
    macs: int
    published: Published | None


@dataclass(frozen=True)
class ContrastResult:
    """A planned difference in test accuracy, paired by seed, with what differs between the two arms.

    difference: arm minus against, as a share. differs: (what, value of arm, value of against).
    """

    arm: str
    against: str
    outcome: Outcome
    difference: Estimate | None
    differs: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Results:
    """All that the table and the verdicts say."""

    study: str
    seeds: tuple[int, ...]
    classes: tuple[str, ...]
    n_train: int
    n_val: int
    n_test: int
    commonest: Commonest
    arms: tuple[ArmResult, ...]
    contrasts: tuple[ContrastResult, ...]
    factorial: Factorial | None = None
