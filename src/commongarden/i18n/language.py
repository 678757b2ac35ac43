"""The language that people are told things in: English as written in the code, others from gettext catalogues.

    from commongarden.i18n.language import _, ngettext

    raise DataError(_("{path}: cannot be read").format(path=path))
    ngettext("{n} seed", "{n} seeds", n).format(n=n)

Text is looked up when it is said, not when a module is imported, so the language can change while the program runs.
Records on disk are English whatever the language: their texts are marked with `N_` and said with `told`.
"""

from __future__ import annotations

import gettext
import locale
import os
import re
import string
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from commongarden.i18n.particles import with_particle

DOMAIN = "commongarden"
CATALOGUES = Path(__file__).parent / "locale"  # LANGUAGE/LC_MESSAGES/commongarden.po and, compiled, .mo
VARIABLE = "COMMONGARDEN_LANG"

_chosen: str | None = None


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
    before = _chosen
    use(before if language is None else language)
    try:
        yield
    finally:
        use(before)


def current() -> str:
    """The language in use: the chosen one, else the environment's where there is a catalogue for it, else English."""
    return _chosen if _chosen is not None else _of_environment()


class Message(str):
    """Text to be filled in; a catalogue can have a Korean particle behind a name, "{arm:은}"."""

    def format(self, *args: object, **kwargs: object) -> str:
        """As `str.format`."""
        return _FORMATTER.vformat(str(self), args, kwargs)


def _(message: str) -> str:
    """The message in the language in use."""
    return _fillable(_catalogue(current()).gettext(message))


def N_(message: str) -> str:
    """The message as it is, marked for the catalogues: it is looked up later, by `_` or `told`."""
    return message


def ngettext(one: str, many: str, n: int) -> str:
    """The message for n of something in the language in use."""
    return _fillable(_catalogue(current()).ngettext(one, many, n))


def pgettext(context: str, message: str) -> str:
    """The message where English has one word and another language several; context tells which."""
    return _fillable(_catalogue(current()).pgettext(context, message))


def _fillable(text: str) -> str:
    return Message(text) if "{" in text else text  # what is said is plain text, as JSON and others want it


def translate(record: str) -> str:
    """An English message that a record holds, in the language in use; as it is where the catalogue does not know it.

    The message is found again by its text: of all that fit, the one with the most words of its own.
    """
    return _told(current(), record)


class _Formatter(string.Formatter):
    """`str.format`, and a particle as the last letters of a field's format."""

    def format_field(self, value: Any, format_spec: str) -> str:
        found = re.fullmatch(r"(.*?)([가-힣]*)", format_spec, re.DOTALL)
        assert found is not None
        text = self.plain(value, found[1])
        return with_particle(text, found[2]) if found[2] else text

    def plain(self, value: Any, format_spec: str) -> str:
        return format(value, format_spec)


class _AsRecorded(_Formatter):
    """Of values that were written out before: only particles are still to be chosen."""

    def plain(self, value: Any, format_spec: str) -> str:
        return str(value)

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return value


_NAMES = frozenset(("path", "label", "group", "column", "word", "file", "folder"))  # of a person's data
_FORMATTER = _Formatter()
_AS_RECORDED = _AsRecorded()


@lru_cache(maxsize=10_000)  # a folder may hold thousands of files that are left out for a few reasons
def _told(language: str, record: str) -> str:
    templates = _templates(language)
    if record in templates:
        return templates[record].text
    fitting = sorted(
        (one for one in templates.values() if one.weight > 4 and all(part in record for part in one.literals)),
        key=lambda one: -one.weight,
    )
    for one in fitting:
        match = re.fullmatch(one.pattern, record, re.DOTALL)
        if match is not None:
            groups = match.groupdict().items()
            found = {name: value if name in _NAMES else _told(language, value) for name, value in groups}
            return _AS_RECORDED.vformat(one.text, (), found)
    return record


@dataclass(frozen=True)
class _Template:
    """An English message as it is found again in a record: the text between what is filled in, how many letters that
    is, the whole as a regular expression, and the translation."""

    literals: tuple[str, ...]
    weight: int
    pattern: str
    text: str


@cache
def _templates(language: str) -> Mapping[str, _Template]:
    """By English text; without plural forms and contexts, which records do not hold."""
    known: Mapping[Any, str] = getattr(_catalogue(language), "_catalog", {})  # gettext names no other way to list it
    found = {}
    for message, text in known.items():
        if not isinstance(message, str) or not message or "\x04" in message:
            continue
        try:
            parts = list(string.Formatter().parse(message))
        except ValueError:  # it shows braces and is not filled in
            continue
        literals, pattern, seen = [], "", set()
        for literal, name, _spec, _conversion in parts:
            literals.append(literal)
            pattern += re.escape(literal)
            if name is not None and not name.isidentifier():
                break
            if name:
                pattern += f"(?P={name})" if name in seen else f"(?P<{name}>.*?)"
                seen.add(name)
        else:
            weight = sum(letter.isalpha() for literal in literals for letter in literal)
            found[message] = _Template(tuple(literals), weight, pattern, text)
    return found


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
