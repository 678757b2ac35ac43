"""Several contrasts, one error rate: Holm's step-down procedure (Holm 1979), and intervals that say what it says."""

from __future__ import annotations

from collections.abc import Sequence

ALPHA = 0.05  # the chance that any finding of a family tested together is a false one


def holm_levels(p: Sequence[float], alpha: float = 0.05) -> list[float]:
    """The level at which each contrast's interval is taken, so that it excludes 0 exactly where Holm rejects.

    In the order of p, the k-th of m is tested at alpha / (m - k + 1). Once one is not rejected none is any more, and
    that one's level is the level of all that follow. With a single contrast the level is alpha.
    """
    order = sorted(range(len(p)), key=lambda i: p[i])
    levels = [0.0] * len(p)
    stopped: float | None = None
    for k, i in enumerate(order):
        level = alpha / (len(p) - k) if stopped is None else stopped
        levels[i] = level
        if stopped is None and p[i] > level:
            stopped = level
    return levels


def holm_p(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p values. Not by statsmodels' multipletests, which collects the garbage of the whole process at
    each call (0.1 s); a test holds them together."""
    adjusted = [0.0] * len(p)
    largest = 0.0
    for k, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, min((len(p) - k) * p[i], 1.0))
        adjusted[i] = largest
    return adjusted
