"""What differs between two networks, in one sentence; English and Korean."""

from __future__ import annotations

from collections.abc import Callable

from commongarden.arch import Difference
from commongarden.errors import StudyError, unknown
from commongarden.sentences import english, korean

LANGUAGES: dict[str, Callable[[Difference], str]] = {"en": english.sentence, "ko": korean.sentence}


def difference(found: Difference, lang: str = "en") -> str:
    """The edits, equal ones together, and what they cost. Raises StudyError for a language that is not there."""
    if lang not in LANGUAGES:
        raise StudyError(unknown("language", lang, LANGUAGES, where="lang"))
    return LANGUAGES[lang](found)
