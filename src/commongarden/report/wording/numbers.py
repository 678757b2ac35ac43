"""Numbers and lists as text: formats without sentences."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from commongarden.i18n.language import _
from commongarden.io.terminal import DASH as DASH

INFINITE = 1e300  # JSON has no infinity, an audit has the largest number instead
NEGATIVE = re.compile(r"(?<![\w.])-(?=\d)")  # the sign of a number, not a hyphen


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


def scientific(value: float) -> str:
    """Three significant figures however small or large.

    >>> scientific(0.59), scientific(0.00044512), scientific(1563.28), scientific(3.1e-9), scientific(2.5e7)
    ('0.590', '4.45e-04', '1,563', '3.10e-09', '2.50e+07')
    """
    if abs(value) > INFINITE:
        return _("infinite")
    if value == 0 or (1e-3 <= abs(value) < 1e6):
        return number(value)
    return f"{value:.2e}"


def two_figures(value: float) -> str:
    """
    >>> two_figures(0.0312), two_figures(2.5e-7), two_figures(0.0)
    ('0.031', '2.5e-07', '0')
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "-"
    return f"{value:.2g}" if 1e-3 <= abs(value) < 100 else f"{value:.0f}" if 100 <= abs(value) < 1e5 else f"{value:.1e}"


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
