"""`str.format` with Korean particles: the last letters of a field's format are a particle, "{arm:은}".

A value that ends a sentence ("did you mean 'x'?") takes no second mark from the text behind it.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

from commongarden.i18n.particles import with_particle


def filled(template: str, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """As `template.format(*args, **kwargs)`."""
    return _FORMATTER.vformat(template, args, kwargs)


def filled_as_written(template: str, values: Mapping[str, str]) -> str:
    """As `filled`, of values that were formatted before: only their particles are still to be chosen."""
    return _AS_WRITTEN.vformat(template, (), values)


_ENDED = "\ufdd0"  # behind a value that ends in a mark, until all is filled in; Unicode has no such character


class _Formatter(string.Formatter):
    def vformat(self, format_string: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        text = super().vformat(format_string, args, kwargs)
        if _ENDED not in text:
            return text
        text = re.sub(rf"\?{_ENDED}; ({_ENDED}?[a-z])", lambda found: f"? {found[1].upper()}", text)
        return re.sub(rf"{_ENDED}(\.(?!\.))?", "", text)

    def format_field(self, value: Any, format_spec: str) -> str:
        found = re.fullmatch(r"(.*?)([가-힣]*)", format_spec, re.DOTALL)
        assert found is not None
        text = self.plain(value, found[1])
        text = with_particle(text, found[2]) if found[2] else text
        return text + _ENDED if text.endswith((".", "?", "!")) else text

    def plain(self, value: Any, format_spec: str) -> str:
        return format(value, format_spec)


class _AsWritten(_Formatter):
    def plain(self, value: Any, format_spec: str) -> str:
        return str(value)

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return value


_FORMATTER = _Formatter()
_AS_WRITTEN = _AsWritten()
