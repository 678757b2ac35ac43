"""What differs between two networks, in one sentence; English and Korean."""

from __future__ import annotations

from collections.abc import Callable

from commongarden.arch import Difference
from commongarden.sentences import english, korean

LANGUAGES: dict[str, Callable[[Difference], str]] = {"en": english.sentence, "ko": korean.sentence}


def difference(found: Difference, lang: str = "en") -> str:
    """The edits, equal ones together, and what they cost; English where a language has no sentences of its own."""
    return LANGUAGES.get(lang, english.sentence)(found)
