"""The file of a list form: JSON text, checked and brought into one spelling, so that only a change of the network is
a change.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from commongarden.errors import ArchError, check_known, nearest
from commongarden.i18n.language import N_, _

KEYS = ("macros", "model")
MAX_BYTES = 1_000_000
MAX_NESTING = 150  # brackets within brackets; the deepest accepted network needs fewer
WHOLE = N_('{"macros": {NAME: CONFIG}, "model": CONFIG or list of CONFIG}')


def is_list_file(arch: str) -> bool:
    """Whether an architecture's name is that of a file in list form."""
    return arch.lower().endswith(".json")


def read(path: str) -> str:
    """The contents of the file in one spelling: whatever its spaces and order of keys, the same text for the same
    network. Relative paths start at the current folder. Raises ArchError.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise ArchError(_not_read(path, error)) from None
    if len(data) > MAX_BYTES:
        message = _("{path}: larger than {most:,} bytes; accepted: a network in list form, {accepted}")
        raise ArchError(message.format(path=path, most=MAX_BYTES, accepted=_(WHOLE)))
    try:
        text = data.decode("utf-8-sig")  # editors on Windows put a mark in front
    except UnicodeDecodeError as error:
        message = _("{path}: not UTF-8 text (byte {place}); a list form is JSON in UTF-8")
        raise ArchError(message.format(path=path, place=error.start)) from None
    return one_spelling(text, where=path)


def one_spelling(text: str, *, where: str) -> str:
    """The list form in JSON text, spelt as `read` spells it. Raises ArchError naming the place."""
    return json.dumps(parse(text, where=where), ensure_ascii=False, sort_keys=True)


def parse(text: str, *, where: str) -> dict[str, Any]:
    """The whole of a list form as JSON holds it: {"macros": ..., "model": ...}. Raises ArchError naming the place."""

    def constant(name: str) -> None:
        raise ArchError(_("{where}: not valid JSON: found {name}, accepted: numbers").format(where=where, name=name))

    try:
        whole = json.loads(text, object_pairs_hook=_object, parse_constant=constant)
    except json.JSONDecodeError as error:
        message = _("{where}: not valid JSON: {reason} (line {line}, column {column})")
        raise ArchError(message.format(where=where, reason=error.msg, line=error.lineno, column=error.colno)) from None
    except RecursionError:
        message = _("{where}: nested too deeply; accepted: up to {most} levels of brackets")
        raise ArchError(message.format(where=where, most=MAX_NESTING)) from None
    except ValueError as error:  # a whole number of thousands of digits
        raise ArchError(_("{where}: not valid JSON: {reason}").format(where=where, reason=error)) from None
    _check(whole, (), where)
    if not isinstance(whole, dict):
        message = _("{where}: found {whole}, accepted: {accepted}")
        raise ArchError(message.format(where=where, whole=shown(whole), accepted=_(WHOLE)))
    check_known("key", whole, KEYS, ArchError, where=where)
    if "model" not in whole:
        raise ArchError(_('{where}: "model" is missing; accepted: {accepted}').format(where=where, accepted=_(WHOLE)))
    if not isinstance(whole.get("macros", {}), dict):
        message = _("{where}: macros: found {macros}, accepted: {{NAME: CONFIG}}")
        raise ArchError(message.format(where=where, macros=shown(whole["macros"])))
    return whole


def differences(one: str, two: str) -> list[tuple[str, str, str]]:
    """Where two list forms differ: (place, what `one` has there, what `two` has) for each place."""
    found = _differences((), json.loads(one), json.loads(two))
    return [(" / ".join(place), shown(old), shown(new)) for place, old, new in found]


def shown(value: object) -> str:
    """A value as JSON writes it, cut where it is long; "nothing" where there is none."""
    text = _("nothing") if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:56]} ..."


class _Repeated(dict[str, Any]):
    """An object in which a key stands twice, told once its place is known."""

    key = ""


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            made = _Repeated(made)
            made.key = key
        made[key] = value
    return made


def _check(value: object, place: tuple[str, ...], where: str) -> None:
    """What JSON can hold and a list form cannot: a key twice, null, halves of letters, endless numbers and depths."""
    if len(place) > MAX_NESTING:
        text = _("{where}: nested too deeply; accepted: up to {most} levels of brackets")
        raise ArchError(text.format(where=where, most=MAX_NESTING))
    options = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    for each in (value, *options):  # a config's options have its own place
        if problem := _problem(each):
            raise ArchError(": ".join(filter(None, (where, " / ".join(place), problem))))
    for key, part in parts(value):
        _check(part, (*place, key), where)


def _problem(value: object) -> str:
    if isinstance(value, _Repeated):
        return _("duplicate key {key!r} in an object").format(key=value.key)
    if value is None:
        return _("found null, accepted: a number, text, true, false, a list or an object")
    if isinstance(value, float) and not math.isfinite(value):
        return _("number out of range")
    texts = [value] if isinstance(value, str) else value if isinstance(value, dict) else []
    if any("\ud800" <= letter <= "\udfff" for text in texts for letter in text):
        return _("found a lone surrogate (half a character), accepted: text")
    return ""


def parts(value: object) -> list[tuple[str, Any]]:
    """What a JSON value holds, each with the name it has in a place: a config's options by their key, its children and
    the items of other lists by their number from 1.
    """
    match value:
        case dict():
            return list(value.items())
        case [str(kind), dict(options), *rest]:
            return [("type", kind), *options.items(), *_numbered(rest)]
        case [str(kind), *rest]:
            return [("type", kind), *_numbered(rest)]
        case list():
            return _numbered(value)
        case _:
            return []


def _numbered(items: list[Any]) -> list[tuple[str, Any]]:
    return [(str(number), item) for number, item in enumerate(items, 1)]


def _differences(place: tuple[str, ...], one: object, two: object) -> list[tuple[tuple[str, ...], Any, Any]]:
    if json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True):  # unlike ==, tells 1 from true
        return []
    before, after = dict(parts(one)), dict(parts(two))
    inner = []
    if type(one) is type(two) and before and after:
        for key in {**before, **after}:
            inner += _differences((*place, key), before.get(key), after.get(key))
    return inner or [(place, one, two)]


def _not_read(path: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        file = Path(path)
        names = sorted(entry.name for entry in file.parent.glob("*") if is_list_file(entry.name))
        near = nearest(file.name, names)
        hint = _("; did you mean {near!r}?").format(near=str(file.parent / near[0])) if near else ""
        text = _("{path}: no such file; a relative path starts at the current folder ({folder}){hint}")
        return text.format(path=path, folder=Path.cwd(), hint=hint)
    return _("{path}: cannot be read: {reason}").format(path=path, reason=getattr(error, "strerror", None) or error)
