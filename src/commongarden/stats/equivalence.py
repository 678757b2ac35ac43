"""Equivalence of several contrasts under one error rate: two one-sided tests (Schuirmann 1987) at Holm's levels.

Of one contrast, either a difference or an equivalence can be claimed in error, not both, since either there is none or
there is one of at least the margin. So the two kinds of claim do not share the error rate: differences are tested by
their own procedure, and equivalence among the contrasts that it leaves without a significant difference.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

from commongarden.records import Estimate
from commongarden.stats.holm import ALPHA, holm_levels
from commongarden.stats.means import Mean

Key = TypeVar("Key", bound=Hashable)


def equivalence_levels(means: Mapping[Key, Mean], levels: Mapping[Key, float], margin: float) -> dict[Key, float]:
    """The level of the two one-sided tests of each contrast without a significant difference; the interval at
    confidence 1 - 2 x level lies inside the margin exactly where Holm's method rejects. levels: that each difference is
    tested at."""
    p = {
        key: mean.not_equivalent_p(margin)
        for key, mean in means.items()
        if key in levels and mean.p is not None and mean.p > levels[key]
    }
    tested = {key: found for key, found in p.items() if found is not None}
    return dict(zip(tested, holm_levels(list(tested.values()), ALPHA), strict=True))


def is_within(equivalence: Estimate, margin: float) -> bool:
    """Whether an interval lies inside the margin: at 90 % confidence two one-sided tests at 5 %."""
    low, high = equivalence.low, equivalence.high
    return low is not None and high is not None and -margin < low and high < margin
