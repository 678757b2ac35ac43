"""The language in which people read: English as written in the code, others from gettext catalogues.

    from commongarden.i18n.language import _, ngettext

    raise DataError(_("{path}: cannot be read").format(path=path))
    ngettext("{n} seed", "{n} seeds", n).format(n=n)

Text is looked up when it is shown, not when a module is imported, so the language can change while the program runs.
Records on disk are English whatever the language: their texts are made with `N_`, which keeps a code beside them
(coded.py), and shown by `translate`.
"""

from __future__ import annotations

import gettext
import locale
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, reduce
from pathlib import Path

from commongarden.i18n import legacy
from commongarden.i18n.coded import Code, Coded
from commongarden.i18n.filling import filled
from commongarden.i18n.register import polite

DOMAIN = "commongarden"
CATALOGUES = Path(__file__).parent / "locale"  # LANGUAGE/LC_MESSAGES/commongarden.po and, compiled, .mo
VARIABLE = "COMMONGARDEN_LANG"

_chosen: str | None = None
_is_recording = False
_is_spoken = False
_written_here: ContextVar[str | None] = ContextVar("_written_here", default=None)


def languages() -> tuple[str, ...]:
    """The languages there are: English, and each that has a catalogue.

    >>> languages()
    ('en', 'ko')
    """
    return _languages(CATALOGUES)


def use(language: str | None) -> None:
    """Says everything from now on in this language; None takes the environment's."""
    global _chosen
    _chosen = language


@contextmanager
def used(language: str | None) -> Iterator[None]:
    """Says everything in this language for a while; None changes nothing."""
    if _written_here.get() is not None:
        with written(language or current()):
            yield
        return
    before = _chosen
    use(before if language is None else language)
    try:
        yield
    finally:
        use(before)


@contextmanager
def written(language: str) -> Iterator[None]:
    """Says everything in this language for a while, as a document does, in this thread or task alone: what a server
    writes for one of its readers."""
    token = _written_here.set(language)
    try:
        yield
    finally:
        _written_here.reset(token)


@contextmanager
def spoken(is_spoken: bool = True) -> Iterator[None]:
    """Says everything for a while as a terminal does, or as a document: Korean has a register for each."""
    global _is_spoken
    before = _is_spoken
    _is_spoken = is_spoken
    try:
        yield
    finally:
        _is_spoken = before


def in_register(text: str) -> str:
    """A text of the language in use in the register of `spoken`; a text with places before they are filled in."""
    is_spoken = _is_spoken and _written_here.get() is None
    return polite(text) if is_spoken and current() == "ko" else text


@contextmanager
def recorded() -> Iterator[None]:
    """Makes each message, for a while, as a record keeps it: in English, with its code. Plural forms have no code."""
    global _is_recording
    before = _is_recording
    with used("en"):
        _is_recording = True
        try:
            yield
        finally:
            _is_recording = before


def current() -> str:
    """The language in use: the chosen one, else the environment's where there is a catalogue for it, else English."""
    if (here := _written_here.get()) is not None:
        return here
    return _chosen if _chosen is not None else _of_environment()


class Message(str):
    """Text to be filled in; a catalogue can have a Korean particle behind a name, "{arm:은}"."""

    def format(self, *args: object, **kwargs: object) -> str:
        """As `str.format`."""
        return filled(self, args, kwargs)


def _(message: str) -> str:
    """The message in the language in use."""
    return N_(message) if _is_recording else _fillable(_catalogue(current()).gettext(message))


def N_(message: str) -> Coded:
    """The message in English with its code, as records keep it; also marks it for the catalogues, where `_` or
    `translate` looks it up later."""
    return Coded(message, Code(message))


def ngettext(one: str, many: str, n: int) -> str:
    """The message for n of something in the language in use."""
    return _fillable(_catalogue(current()).ngettext(one, many, n))


def pgettext(context: str, message: str) -> str:
    """The message where English has one word and another language several; context tells which."""
    return _fillable(_catalogue(current()).pgettext(context, message))


def with_commas(texts: Iterable[str]) -> str:
    """The texts one after another, with commas: unlike `join`, one text with a code where they have one."""
    return reduce(lambda first, then: _("{first}, {then}").format(first=first, then=then), texts)


def _fillable(text: str) -> str:
    text = in_register(text)
    return Message(text) if "{" in text else str(text)  # what is shown is plain text, as JSON and others want it


def translate(text: Coded) -> str:
    """A text with a code in the language in use; as it is where the catalogue does not know its message.

    A text without a code is of an earlier version's record, and is found again by its words.
    """
    texts = _texts(current())
    if not texts:
        return str(text)
    if text.code is None:
        return legacy.translate(str(text), texts)
    try:
        return _said(text.code, texts)
    except (LookupError, ValueError, TypeError, RecursionError):  # another version's message, or one that was changed
        return str(text)


def _said(code: Code, texts: Mapping[str, str]) -> str:
    values = {name: _said(value, texts) if isinstance(value, Code) else value for name, value in code.values.items()}
    template = in_register(texts[code.message])
    return filled(template, (), values) if "{" in template else template


@cache
def _texts(language: str) -> Mapping[str, str]:
    """Translations by message, those of earlier versions too, without plural forms and contexts, which no code has."""
    known: Mapping[object, str] = getattr(_catalogue(language), "_catalog", {})  # gettext has no other way to list it
    texts = {
        message: text
        for message, text in known.items()
        if isinstance(message, str) and message and "\x04" not in message
    }
    return texts | {old: texts[new] for old, new in legacy.renamed().items() if new in texts}


@cache
def _languages(folder: Path) -> tuple[str, ...]:
    found = {path.parent.parent.name for path in folder.glob(f"*/LC_MESSAGES/{DOMAIN}.mo")}
    return ("en", *sorted(found - {"en"}))


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, CATALOGUES, [language], fallback=True)


def _of_environment() -> str:
    """By gettext's own order of variables, ours first; LANGUAGE may name several."""
    for name in (VARIABLE, "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            wanted = value.split(":")
            break
    else:
        wanted = [locale.getlocale()[0] or ""]  # Windows keeps it elsewhere
    known = languages()
    for one in wanted:
        short = "ko" if one.lower().startswith("korean") else re.split(r"[._@-]", one)[0].lower()
        if short in known:
            return short
    return "en"
