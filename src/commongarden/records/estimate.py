"""A number with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty. low and high are None where no interval can be given (n = 1)."""

    value: float
    low: float | None
    high: float | None
    n: int
    method: str
