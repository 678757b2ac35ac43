"""What an audit finds in a network before it is trained: plain data, to be sent, stored and told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

AUDIT_SCHEMA = 1

# bounds that an audit at the first weights and the observations of a training share
FACTOR = 1.15  # from one layer to the next; less is no trend
WHOLE_FACTOR = 100.0  # of a signal over the whole depth
DEAD_SHARE = 0.7  # of a rectifier's channels: without normalization half of a sound dense layer may be off for all
# photos of a small batch

Kind = Literal[
    "small weights",
    "large weights",
    "shrinking signal",
    "growing signal",
    "shrinking gradients",
    "growing gradients",
    "growing sum",
    "dead units",
    "constant output",
    "faint output",
    "cut gradient",
    "zero gradient",
    "unused parameter",
    "wrong gradient",
    "train and eval apart",
    "lagging statistics",
    "dropped positions",
    "small batch",
    "saturated logits",
]


@dataclass(frozen=True)
class Finding:
    """One thing that may keep a network from learning, where it is, and the number that shows it.

    path: the layer's, as `arch.trace` has it, or a module's dotted name in a network that somebody else wrote.
    value: what `report.wording.audits` says it is for each kind. more: the other numbers of the sentence, by name.
    what: a name that belongs to it, such as a parameter's; "" where there is none.
    """

    kind: Kind
    path: str
    value: float
    more: dict[str, float] = field(default_factory=dict)
    what: str = ""


@dataclass(frozen=True)
class Scale:
    """The signal at one linear layer, at the first weights.

    depth: linear layers on the longest way to it, itself included.
    activation: root mean square of its output. gradient: norm of the loss's gradient there, for one photo; None where
    none arrives. gain: by how much its weights alone change the root mean square of what comes in.
    """

    path: str
    depth: int
    activation: float
    gradient: float | None
    gain: float


@dataclass(frozen=True)
class Audit:
    """How a network looks at its first weights, in the recipe's mode of training.

    network: the hash of its text form, "" where it has none. n_photos: how many it was looked at with.
    """

    schema: int
    network: str
    n_photos: int
    findings: tuple[Finding, ...]
    scales: tuple[Scale, ...]


@dataclass(frozen=True)
class Probe:
    """What a network shows at its first weights and over its first few steps, for explaining without a study.

    weights: by linear layer, the root mean square of its weights times the root of their fan-in; sqrt(2) by He et al.
        2015. dead: branches whose output was the same for every photo, or whose weights got no gradient, at the first
        weights and after the steps. half_lives: by batch norm, steps in which its running statistics come half way.
    """

    audit: Audit
    weights: dict[str, float]
    dead: tuple[str, ...]
    half_lives: dict[str, float]
    steps_per_epoch: int
    epochs: int
