"""One thing that makes two arms differ."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from commongarden.i18n.coded import Code, Coded, keep_code
from commongarden.records import Estimate


@dataclass(frozen=True)
class Reason:
    """Why one arm takes longer than another, or is right less often.

    about: what it explains. kind: what it is, a stable English name such as "slow layer".
    arm: whose property it is. path: where in that arm's network, "" for all of it.
    effect: milliseconds a step ("time") or points of accuracy ("accuracy"); None where only the finding is known.
    sentence: in English. code: of the sentence.
    """

    about: Literal["time", "accuracy"]
    kind: str
    arm: str
    path: str
    effect: Estimate | None
    sentence: str
    code: Code | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        keep_code(self, "sentence", "code")

    def to_row(self) -> dict[str, Any]:
        """The reason for `--json`, without its code."""
        row: dict[str, Any] = msgspec.to_builtins(dataclasses.replace(self, code=None))
        del row["code"]
        return row

    @property
    def text(self) -> Coded:
        """The sentence, to be shown by `translate`."""
        return Coded(self.sentence, self.code)
