"""What a person decided about a study that runs, kept as decisions.json: models that get no more runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from commongarden.i18n.language import N_
from commongarden.io import reader

DECISION_SCHEMA = 1
FILE = "decisions.json"


@dataclass(frozen=True)
class Decision:
    """The latest one on a model counts. time: in seconds since 1970. n_runs: that the model had by then, of those
    planned."""

    time: float
    what: Literal["drop", "restore"]
    arm: str
    n_runs: int
    n_planned: int


@dataclass(frozen=True)
class Decisions:
    """All of them, the first one first."""

    decisions: tuple[Decision, ...] = ()
    schema: int = DECISION_SCHEMA


KIND = reader.Kind(FILE, N_("what people decided about a study"), reader.json_of(Decisions))


def dropped(decisions: Sequence[Decision]) -> dict[str, Decision]:
    """The models that get no more runs, each with the decision."""
    latest = {one.arm: one for one in decisions}
    return {arm: one for arm, one in latest.items() if one.what == "drop"}


def written(decisions: Sequence[Decision]) -> bytes:
    """The record as its file holds it."""
    return msgspec.json.format(msgspec.json.encode(Decisions(tuple(decisions))), indent=1)
