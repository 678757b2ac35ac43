"""Texts that are kept: English, beside a code with values from which any language can say them.

    N_("the {part} loss became {loss}").format(part=N_("training"), loss="nan")

is the English text, and knows that it was made of that message and those values. A record keeps both: the text, which
people and earlier versions read, and its `Code`, which `language.translate` reads. What is filled in is never
translated, unless it is such a text itself; what is not ours (the message of somebody else's exception) is `verbatim`.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self, Union


@dataclass(frozen=True)
class Code:
    """What a text was made of: a message of the catalogues, and by name what is filled in. message: "" for a text that
    is not ours, which stays as it is in every language."""

    message: str
    values: dict[str, Value] = field(default_factory=dict)


Value = Union[str, int, float, Code]  # noqa: UP007 (of a class that is named in its own field)
VERBATIM = Code("")


class Coded(str):
    """An English text with its code; None where an earlier version wrote it, without. Operations of `str` give plain
    text, which no language translates."""

    code: Code | None

    def __new__(cls, text: str, code: Code | None = None) -> Self:
        made = super().__new__(cls, text)
        made.code = code
        return made

    def format(self, *args: object, **kwargs: object) -> Coded:
        """The message filled in, by names alone."""
        assert not args
        assert self.code is not None
        values = {name: _value(value) for name, value in kwargs.items()}
        return Coded(str(self).format(**kwargs), Code(self.code.message, values))

    def changed(self, change: Callable[[str], str]) -> Coded:
        """The text with what was filled in changed, such as the name of a folder taken out of it."""
        if change(self) == self:
            return self
        return Coded(change(self), None if self.code is None else _changed(self.code, change))


def verbatim(text: str) -> Coded:
    """A text that is not ours."""
    return Coded(text, VERBATIM)


NOTHING = verbatim("")


def keep_code(record: object, text: str, code: str) -> None:
    """Puts the code of the text in one field of a new record into another one; the text is plain from then on."""
    found = getattr(record, text)
    if isinstance(found, Coded):
        object.__setattr__(record, text, str(found))
        object.__setattr__(record, code, found.code)


def keep_codes(record: object, texts: str, codes: str) -> None:
    """As `keep_code`, of a tuple of texts."""
    found = getattr(record, texts)
    if any(isinstance(text, Coded) for text in found):
        kept = tuple(text.code if isinstance(text, Coded) else VERBATIM for text in found)
        object.__setattr__(record, texts, tuple(map(str, found)))
        object.__setattr__(record, codes, kept if any(kept) else ())


def coded(texts: Sequence[str], codes: Sequence[Code | None]) -> tuple[Coded, ...]:
    """Texts of a record with their codes; without, where there is not one for each."""
    return tuple(map(Coded, texts, codes if len(codes) == len(texts) else [None] * len(texts)))


def _value(value: object) -> Value:
    """As a record can hold it."""
    if not isinstance(value, str | bool | numbers.Real):
        value = str(value)
    if isinstance(value, Coded):
        return value.code if value.code is not None and value.code.message else str(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else str(value)
    return str(value)


def _changed(code: Code, change: Callable[[str], str]) -> Code:
    values: dict[str, Value] = {}
    for name, value in code.values.items():
        if isinstance(value, Code):
            values[name] = _changed(value, change)
        else:
            values[name] = change(value) if isinstance(value, str) else value
    return Code(code.message, values)
