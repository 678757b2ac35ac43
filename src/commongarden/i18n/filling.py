"""`str.format` with Korean particles: the last letters of a field's format are a particle, "{arm:은}"."""

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


class _Formatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        found = re.fullmatch(r"(.*?)([가-힣]*)", format_spec, re.DOTALL)
        assert found is not None
        text = self.plain(value, found[1])
        return with_particle(text, found[2]) if found[2] else text

    def plain(self, value: Any, format_spec: str) -> str:
        return format(value, format_spec)


class _AsWritten(_Formatter):
    def plain(self, value: Any, format_spec: str) -> str:
        return str(value)

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return value


_FORMATTER = _Formatter()
_AS_WRITTEN = _AsWritten()
