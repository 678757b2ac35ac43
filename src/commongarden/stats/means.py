"""A mean whose standard error is itself an estimate: Student's interval and test from the two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from commongarden.records import Estimate

Bounds = tuple[float, float]  # what is possible; intervals are cut there
UNBOUNDED: Bounds = (-math.inf, math.inf)


@dataclass(frozen=True)
class Components:
    """Where the spread comes from, as standard deviations in the unit of what was measured.

    seed: between seeds over endlessly many photos. photo: between photos over endlessly many seeds; None where the
    design cannot tell it. rest: what is left in a single cell (one seed, one photo); None likewise.
    """

    seed: float
    photo: float | None = None
    rest: float | None = None


@dataclass(frozen=True)
class Mean:
    """A mean with its standard error and the degrees of freedom of that error.

    n: how many seeds or folds. error and df are None where the data do not allow one (one seed, one photo); method
    says then why. bounds: what is possible; intervals are cut there.
    """

    value: float
    error: float | None
    df: float | None
    n: int
    method: str
    components: Components | None = None
    bounds: Bounds = UNBOUNDED

    def interval(self, confidence: float = 0.95) -> Estimate:
        """Student's interval at this confidence; without an error the value alone."""
        if self.error is None or self.df is None:
            return Estimate(self.value, None, None, self.n, self.method)
        half = float(stats.t.ppf((1 + confidence) / 2, self.df)) * self.error
        low, high = max(self.value - half, self.bounds[0]), min(self.value + half, self.bounds[1])
        return Estimate(self.value, low, high, self.n, f"{self.method}, {confidence:.4g} confidence, {self.df:.4g} df")

    @property
    def p(self) -> float | None:
        """Two-sided p of Student's test that the mean is 0; under 0.05 exactly where the 95 % interval excludes 0."""
        if self.error is None or self.df is None:
            return None
        if self.error == 0:
            return 1.0 if self.value == 0 else 0.0
        return float(2 * stats.t.sf(abs(self.value) / self.error, self.df))


def student_mean(values: Sequence[float], *, least_spread: float = 0.0, bounds: Bounds = UNBOUNDED) -> Mean:
    """The mean of one value a seed, with the noise between seeds alone. least_spread: as in `stats.mean_interval`."""
    n, mean = len(values), float(np.mean(values))
    if n == 1:
        return Mean(mean, None, None, 1, "one run: no interval", None, bounds)
    spread = max(float(np.std(values, ddof=1)), least_spread)
    return Mean(mean, spread / math.sqrt(n), float(n - 1), n, "Student t over seeds", Components(spread), bounds)
