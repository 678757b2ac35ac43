"""How long something will take, as people say it."""

from __future__ import annotations

from commongarden.i18n.language import ngettext


def duration(seconds: float) -> str:
    """Roughly.

    >>> duration(1.2), duration(42), duration(696), duration(18000)
    ('about 1 second', 'about 42 seconds', 'about 12 minutes', 'about 5 hours')
    """
    if seconds < 60:
        n = max(1, round(seconds))
        return ngettext("about {n} second", "about {n} seconds", n).format(n=n)
    if seconds < 90 * 60:
        n = max(1, round(seconds / 60))
        return ngettext("about {n} minute", "about {n} minutes", n).format(n=n)
    n = round(seconds / 3600)
    return ngettext("about {n} hour", "about {n} hours", n).format(n=f"{n:,}")
