"""A mean whose standard error is itself an estimate: Student's interval and test from the two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from commongarden.records import Estimate

Bounds = tuple[float, float]  # what is possible; intervals are cut there
UNBOUNDED: Bounds = (-math.inf, math.inf)
FEWEST_SEEDS = 3  # for a conclusion: with two, what they vary is hardly known


@dataclass(frozen=True)
class Components:
    """Where the spread comes from, as standard deviations in the unit of what was measured.

    seed: between seeds over endlessly many photos. photo: between photos over endlessly many seeds; None where the
    design cannot tell it. rest: what is left in a single cell (one seed, one photo); None likewise. equal: the degrees
    of freedom of `seed` for each seed beyond the first: 1, and up to 2 where two arms' runs are not paired.
    """

    seed: float
    photo: float | None = None
    rest: float | None = None
    equal: float = 1.0


@dataclass(frozen=True)
class Mean:
    """A mean with its standard error and the degrees of freedom of that error.

    n: how many seeds or folds. error and df are None where the data do not allow one (one seed, one photo); method
    says then why. bounds: what is possible; intervals are cut there. floor: the least error and its degrees of freedom;
    the interval is the wider one of the two.
    """

    value: float
    error: float | None
    df: float | None
    n: int
    method: str
    components: Components | None = None
    bounds: Bounds = UNBOUNDED
    floor: tuple[float, float] | None = None

    def interval(self, confidence: float = 0.95) -> Estimate:
        """Student's interval at this confidence; without an error the value alone."""
        if self.error is None or self.df is None:
            return Estimate(self.value, None, None, self.n, self.method)
        half = max(float(stats.t.ppf((1 + confidence) / 2, df)) * error for error, df in self._errors)
        low, high = max(self.value - half, self.bounds[0]), min(self.value + half, self.bounds[1])
        return Estimate(self.value, low, high, self.n, f"{self.method}, {confidence:.4g} confidence, {self.df:.4g} df")

    @property
    def p(self) -> float | None:
        """Two-sided p of Student's test that the mean is 0; under 0.05 exactly where the 95 % interval excludes 0."""
        if self.error is None or self.df is None:
            return None
        return max(_two_sided(self.value, error, df) for error, df in self._errors)

    def not_equivalent_p(self, margin: float) -> float | None:
        """The p of two one-sided tests of a difference of the margin or more (Schuirmann 1987), the larger of the two:
        at most a share exactly where the interval at confidence 1 - 2 x share lies inside the margin."""
        if self.error is None or self.df is None:
            return None
        distance = margin - abs(self.value)
        one_sided = (_two_sided(distance, error, df) / 2 for error, df in self._errors)
        return max(p if distance > 0 else 1 - p for p in one_sided)

    @property
    def _errors(self) -> list[tuple[float, float]]:
        own = [] if self.error is None or self.df is None else [(self.error, self.df)]
        return own if self.floor is None else [*own, self.floor]


def _two_sided(value: float, error: float, df: float) -> float:
    if error == 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * stats.t.sf(abs(value) / error, df))


def welch_mean(
    one: Sequence[float], two: Sequence[float], *, least_spread: float = 0.0, bounds: Bounds = UNBOUNDED
) -> Mean:
    """The mean difference of two independent samples of one value a run, as many of each (Welch 1947). least_spread: of
    the difference of two runs."""
    n, mean = len(one), float(np.mean(one)) - float(np.mean(two))
    if n == 1:
        return Mean(mean, None, None, 1, "one run: no interval", None, bounds)
    first, second = (float(np.var(side, ddof=1)) for side in (one, two))
    spread = max(math.sqrt(first + second), least_spread)
    df = float(sum_df(first, second, n - 1))
    return Mean(
        mean, spread / math.sqrt(n), df, n, "Welch t over seeds", Components(spread, equal=df / (n - 1)), bounds
    )


def sum_df(first: Any, second: Any, df: float) -> Any:
    """The degrees of freedom of the sum of two mean squares that have `df` each.

    Satterthwaite's (1946) are df r with r = (first + second)^2 / (first^2 + second^2), from 1 to 2: how nearly equal
    the two are. With few runs they look more equal than they are as often as less, and only the former errs towards
    false claims; so r - 1 counts to the power of (df + 2) / df, which is 1 for many runs."""
    with np.errstate(invalid="ignore", divide="ignore"):
        equal = np.where(first + second > 0, (first + second) ** 2 / (first**2 + second**2), 2.0)
    return df * (1 + np.maximum(equal - 1, 0.0) ** ((df + 2) / df))


def student_mean(values: Sequence[float], *, least_spread: float = 0.0, bounds: Bounds = UNBOUNDED) -> Mean:
    """The mean of one value a seed, with the noise between seeds alone. least_spread: as in `stats.mean_interval`."""
    n, mean = len(values), float(np.mean(values))
    if n == 1:
        return Mean(mean, None, None, 1, "one run: no interval", None, bounds)
    spread = max(float(np.std(values, ddof=1)), least_spread)
    return Mean(mean, spread / math.sqrt(n), float(n - 1), n, "Student t over seeds", Components(spread), bounds)
