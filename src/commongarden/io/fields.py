"""Frozen dataclasses from what TOML and JSON hold, with errors that name the key and the nearest right one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from commongarden.errors import StudyError, check_known, unknown
from commongarden.i18n.language import N_, _

T = TypeVar("T")
ACCEPTED = {
    bool: N_("true or false"),
    int: N_("an integer"),
    float: N_("a number"),
    str: N_("text in quotes"),
    tuple: N_('a list of text, such as ["flip"]'),
    UnionType: N_("an integer"),  # or nothing, which no file can say
}


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)  # which is slow, and asked for as often as a study has arms


def _not_a_choice(found: object, choices: tuple[str, ...], where: str) -> str:
    if isinstance(found, str):
        return unknown("value", found, choices, where=where)
    text = _("{where}: found {found!r}, accepted: {accepted}")
    return text.format(where=where, found=found, accepted=", ".join(map(repr, choices)))


def convert(kind: type[T], values: Mapping[str, Any], *, where: str) -> T:
    """`values`, as read from TOML or JSON, as the frozen dataclass `kind`.

    Raises StudyError for an unknown key (with the nearest one) and for a value of the wrong type.
    """
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    check_known("key", values, names, StudyError, where=where)
    hints = _hints(kind)  # type: ignore[arg-type]
    for key, value in values.items():
        listed = get_origin(hints[key]) is tuple
        literal = get_args(hints[key])[0] if listed else hints[key]
        choices = get_args(literal)
        for item in value if listed and isinstance(value, list | tuple) else [value]:
            if get_origin(literal) is Literal and item not in choices and (not listed or isinstance(item, str)):
                raise StudyError(_not_a_choice(item, choices, f"{where}.{key}"))
        try:
            msgspec.convert(value, hints[key])
        except msgspec.ValidationError as error:
            accepted = ACCEPTED.get(get_origin(hints[key]) or hints[key])
            text = _("{where}.{key}: found {value!r}, accepted: {accepted}")
            raise StudyError(
                text.format(where=where, key=key, value=value, accepted=_(accepted) if accepted else error)
            ) from None
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name not in values and field.default is field.default_factory is dataclasses.MISSING:
            raise StudyError(_('{where}: "{key}" is missing').format(where=where, key=field.name))
    made = msgspec.convert(values, kind)
    # built again by its own constructor: msgspec leaves defaults out of the instance, and then out of what it writes
    return dataclasses.replace(made)  # type: ignore[type-var]
