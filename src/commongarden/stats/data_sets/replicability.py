"""On how many data sets one model is better: the partial conjunction of Benjamini & Heller (2008), as Dror et al.
(2017) use it over data sets. Bonferroni's form of it counts the data sets that Holm's procedure rejects, so these can
be named.
"""

from __future__ import annotations

from collections.abc import Sequence

from commongarden.stats.holm import ALPHA, holm_p
from commongarden.stats.means import Mean


def significant_on(differences: Sequence[Mean]) -> tuple[list[int], list[int]]:
    """The places of the data sets on which the difference is significantly above 0, and below 0, by two-sided tests at
    an error rate of 5 % for all of them together."""
    p = holm_p([1.0 if one.p is None else one.p for one in differences])
    found = [place for place, adjusted in enumerate(p) if adjusted <= ALPHA]
    above = [place for place in found if differences[place].value > 0]
    return above, [place for place in found if place not in above]
