"""The language that people are told things in: English as written in the code, others from gettext catalogues.

    from commongarden.language import _, ngettext

    raise DataError(_("{path}: cannot be read").format(path=path))
    ngettext("{n} seed", "{n} seeds", n).format(n=n)

Text is looked up when it is said, not when a module is imported, so the language can change while the program runs.
"""

from __future__ import annotations

import gettext
import locale
import os
from functools import cache
from pathlib import Path

DOMAIN = "commongarden"
CATALOGUES = Path(__file__).parent / "locale"  # LANGUAGE/LC_MESSAGES/commongarden.po and, compiled, .mo

_chosen: str | None = None


def languages() -> tuple[str, ...]:
    """The languages there are: English, and each that has a catalogue.

    >>> languages()[0]
    'en'
    """
    found = {path.parent.parent.name for path in CATALOGUES.glob(f"*/LC_MESSAGES/{DOMAIN}.mo")}
    return ("en", *sorted(found - {"en"}))


def use(language: str | None) -> None:
    """Says everything from now on in this language; None takes the environment's."""
    global _chosen
    _chosen = language


def current() -> str:
    """The language in use: the chosen one, else the environment's where there is a catalogue for it, else English."""
    return _chosen if _chosen is not None else _of_environment()


def _(message: str) -> str:
    """The message in the language in use."""
    return _catalogue(current()).gettext(message)


def ngettext(one: str, many: str, n: int) -> str:
    """The message for n of something in the language in use."""
    return _catalogue(current()).ngettext(one, many, n)


def pgettext(context: str, message: str) -> str:
    """The message where English has one word and another language several; context tells which."""
    return _catalogue(current()).pgettext(context, message)


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, CATALOGUES, [language], fallback=True)


def _of_environment() -> str:
    for name in ("COMMONGARDEN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            wanted = value
            break
    else:
        wanted = locale.getlocale()[0] or ""  # Windows keeps it elsewhere
    short = "ko" if wanted.lower().startswith("korean") else wanted.partition(".")[0].partition("_")[0].lower()
    return short if short in languages() else "en"
