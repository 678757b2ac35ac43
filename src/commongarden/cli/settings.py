"""KEY=VALUE as it is typed after --set and --option."""

from __future__ import annotations

from typing import Any

from commongarden.errors import StudyError
from commongarden.i18n.language import _


def setting(text: str) -> tuple[str, Any]:
    """A recipe value as --set takes it; a list may be typed with commas alone (augment=flip,crop)."""
    import typing

    from commongarden.study.recipe import Recipe

    found = key_and_value(text)
    if found is None:
        raise StudyError(_("--set: found {text!r}, accepted: KEY=VALUE, such as --set optimizer=sgd").format(text=text))
    key, value = found
    is_list = typing.get_origin(typing.get_type_hints(Recipe).get(key)) is tuple
    if is_list and isinstance(value, str):
        return key, [one.strip() for one in value.split(",") if one.strip()]
    return key, value


def key_and_value(text: str) -> tuple[str, Any] | None:
    """KEY=VALUE with the value as TOML has it, or as text; None for what has no equals sign."""
    import tomllib

    key, equals, value = text.partition("=")
    if not equals:
        return None
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()  # a bare word is text
