"""Frozen dataclasses from what TOML and JSON hold, with errors that name the key and the nearest right one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from commongarden.errors import StudyError, unknown

T = TypeVar("T")


def convert(kind: type[T], values: Mapping[str, Any], *, where: str) -> T:
    """`values`, as read from TOML or JSON, as the frozen dataclass `kind`.

    Raises StudyError for an unknown key (with the nearest one) and for a value of the wrong type.
    """
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in names:
            raise StudyError(unknown("key", key, names, where=where))
    hints = get_type_hints(kind)
    for key, value in values.items():
        choices = get_args(hints[key])
        if get_origin(hints[key]) is Literal and isinstance(value, str) and value not in choices:
            raise StudyError(unknown("value", value, choices, where=f"{where}.{key}"))
    try:
        made = msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise StudyError(f"{where}{path.rstrip('`')}: {message}") from None
    # built again by its own constructor: msgspec leaves defaults out of the instance, and then out of what it writes
    return dataclasses.replace(made)  # type: ignore[type-var]
