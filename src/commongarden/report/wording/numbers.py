"""Numbers and lists as text: formats without sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable

from commongarden.i18n.language import _

DASH = "\N{EN DASH}"  # of a figure that is not known


def signed_points(share: float) -> str:
    """
    >>> signed_points(0.026), signed_points(-0.00001)
    ('+2.6', '0.0')
    """
    text = hundredths(share)
    return f"+{text}" if share > 0 and float(text) != 0 else text


def span(low: float, high: float) -> str:
    """An interval as it stands below or beside its mean."""
    return _("{low} to {high}").format(low=hundredths(low), high=hundredths(high))


def percent(share: float, decimals: int = 1) -> str:
    """
    >>> percent(0.2438)
    '24.4 %'
    """
    return _("{number} %").format(number=hundredths(share, decimals))


def hundredths(share: float, decimals: int = 1) -> str:
    """A share in hundredths, without its sign of percent; never "-0.0"."""
    return _plain(100 * share, decimals)


def number(value: float, like: float | None = None) -> str:
    """Three significant figures, thousands set off; with `like`, as many decimals as that number would have.

    >>> number(1563.28), number(84.137), number(0.5464), number(-3.2, like=84.1)
    ('1,563', '84.1', '0.546', '-3.2')
    """
    size = abs(value if like is None else like)
    digits = 3 if size == 0 else 2 - math.floor(math.log10(size))
    return _plain(value, min(max(digits, 0), 6))


def whole(value: int) -> str:
    """
    >>> whole(1234567)
    '1,234,567'
    """
    return f"{value:,}"


def short(value: int | None) -> str:
    """A count in three figures: 43.9 k, 1.20 M. A dash for what could not be counted (None, or below 0).

    >>> short(43885), short(8896832), short(512), short(-1)
    ('43.9 k', '8.90 M', '512', '–')
    """
    if value is None or value < 0:
        return DASH
    for size, letter in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{number(value / size)} {letter}"
    return str(value)


def time_unit(longest: float) -> tuple[str, float]:
    """The unit for an axis that ends at `longest` seconds, and how many seconds it has."""
    for name, size in ((_("hours"), 3600.0), (_("minutes"), 60.0)):
        if longest > 3 * size:
            return name, size
    return _("seconds"), 1.0


def counted(n: int, one: str, many: str) -> str:
    """
    >>> counted(1, "seed", "seeds"), counted(3, "seed", "seeds")
    ('1 seed', '3 seeds')
    """
    return f"{n:,} {one if n == 1 else many}"


def listed(items: Iterable[str]) -> str:
    """
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *first, last = items
    return _("{first} and {last}").format(first=", ".join(first), last=last) if first else last


def _plain(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if not any(digit in text for digit in "123456789") else text
