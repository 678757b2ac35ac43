"""Texts that earlier versions kept without a code: English messages, found again in a catalogue by their words.

For nothing else: a text with a code needs no search, and one that is not ours must not be found.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from commongarden.i18n.filling import filled_as_written

# of what was filled in, that which was a message itself; the rest is a person's, or of another program
OURS = frozenset(("cause", "kind", "layout", "part", "phase", "reason", "said", "size", "what"))
LETTERS = 4  # a template of so few fits by chance


@cache
def renamed() -> Mapping[str, str]:
    """Messages of earlier versions and what they are today, the same values in both."""
    return tomllib.loads((Path(__file__).parent / "renamed.toml").read_text(encoding="utf-8"))


def translate(text: str, catalogue: Mapping[str, str]) -> str:
    """The text in the catalogue's language; as it is where no message fits. Of several, the one with the most words of
    its own. catalogue: translations by message, a mapping that stays the same object."""
    return _translated(text, _Catalogue(catalogue))


class _Catalogue:
    """A mapping as a key of caches: by what it is, not by what it holds."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def __hash__(self) -> int:
        return id(self.texts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Catalogue) and other.texts is self.texts


@lru_cache(maxsize=10_000)  # a folder may hold thousands of files that are left out for a few reasons
def _translated(text: str, catalogue: _Catalogue) -> str:
    templates = _templates(catalogue)
    if text in templates:
        return templates[text].text
    fitting = sorted(
        (one for one in templates.values() if one.weight > LETTERS and all(part in text for part in one.literals)),
        key=lambda one: -one.weight,
    )
    for one in fitting:
        match = re.fullmatch(one.pattern, text, re.DOTALL)
        if match is not None:
            groups = match.groupdict().items()
            found = {name: _translated(value, catalogue) if name in OURS else value for name, value in groups}
            return filled_as_written(one.text, found)
    return text


@dataclass(frozen=True)
class _Template:
    """An English message as it is found again in a record: the text between what is filled in, how many letters that
    is, the whole as a regular expression, and the translation."""

    literals: tuple[str, ...]
    weight: int
    pattern: str
    text: str


@cache
def _templates(catalogue: _Catalogue) -> Mapping[str, _Template]:
    """By English text; without messages that are not filled in by names, which records do not hold."""
    found = {}
    for message, text in catalogue.texts.items():
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
