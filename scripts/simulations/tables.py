"""How often something happened, as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scipy.stats import binomtest

ERRORS = 0.06  # the bar for wrong claims
Counts = tuple[int, int]  # so many, of so many studies


def shown(counts: Counts, bar: float) -> str:
    """A share of studies in per cent, with * where it is above the bar beyond chance."""
    wrong, n = counts
    low = binomtest(wrong, n).proportion_ci(0.99, method="exact").low
    return f"{100 * wrong / n:.1f}{'*' if low > bar else ''}"


def covering(counts: Counts, least: float, most: float = 1.0) -> str:
    """A share of intervals in per cent, with * where it is outside these bars beyond chance."""
    held, n = counts
    if not n:
        return ""
    found = binomtest(held, n).proportion_ci(0.99, method="exact")
    return f"{100 * held / n:.1f}{'*' if found.high < least or found.low > most else ''}"


def table(title: str, header: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    """As Markdown, line by line."""
    yield from ("", title, "", f"| {' | '.join(header)} |", f"|{'---|' * len(header)}")
    for row in rows:
        yield f"| {' | '.join(row)} |"
