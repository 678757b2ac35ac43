"""What the records of an arm's runs show of its training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from commongarden.records import Estimate

ObservationKind = Literal[
    "commonest class",
    "diverged",
    "dead branch",
    "dead units",
    "shrinking signal",
    "growing signal",
    "shrinking gradients",
    "growing gradients",
    "lagging validation",
    "noisy gradients",
    "unstable",
    "overfits",
    "still improving",
]


@dataclass(frozen=True)
class Observation:
    """One thing that an arm's runs show, where it is, and the number that shows it.

    path: the layer's or branch's, as `arch.trace` has it; "" for the whole network.
    value: over the runs, with a 95 % interval where there are several; docs/reasons.md says what it is for each kind.
    n_runs: runs that it was looked for in. more: the other numbers of the sentence, by name.
    """

    kind: ObservationKind
    arm: str
    path: str
    value: Estimate
    n_runs: int
    more: dict[str, float] = field(default_factory=dict)
