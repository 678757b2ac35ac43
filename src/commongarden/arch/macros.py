"""The macros of a list form: named configs with gaps, filled in where they are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from commongarden.arch.listfile import MAX_NESTING
from commongarden.errors import ArchError, check_known
from commongarden.i18n.language import _

MAX_VALUES = 1_000_000


class Macros:
    """Every macro of one list form. It counts what it writes out, so that no macro fills the memory."""

    def __init__(self, bodies: Mapping[str, Any]) -> None:
        self._bodies = bodies
        self._n_values = 0

    def use(self, name: str, args: Mapping[str, Any]) -> Any:
        """The macro's config with its gaps filled.

        A text "#key" takes the value of args["#key"], in which gaps are filled likewise; "##key" becomes "#key", a gap
        of the macro that is used next. Keys stay as they are. Raises ArchError, without the place.
        """
        check_known("macro", [name], self._bodies, ArchError)
        for key in args:
            if not key.startswith("#"):
                text = _("args: found {key!r}, accepted: names that start with #, such as '#{key}'")
                raise ArchError(text.format(key=key))
        use = _Use(self, name, args)
        config = use.filled(self._bodies[name], (), 0)
        check_known("argument", args, use.used, ArchError, where=f"macro {name!r}")
        return config

    def count(self, name: str) -> None:
        """One more value is written out, by this macro. Raises ArchError where they are too many."""
        self._n_values += 1
        if self._n_values > MAX_VALUES:
            text = _("macro {name!r}: expands to more than {most:,} values; accepted: up to {most:,}")
            raise ArchError(text.format(name=name, most=MAX_VALUES))


@dataclass(frozen=True)
class _Use:
    """One use of a macro. used: the arguments that a gap has taken so far."""

    macros: Macros
    name: str
    args: Mapping[str, Any]
    used: dict[str, None] = field(default_factory=dict)

    def filled(self, value: Any, within: tuple[str, ...], depth: int) -> Any:
        """A value with its gaps filled. within: the arguments that it stands in; depth: the brackets."""
        self.macros.count(self.name)
        if depth > MAX_NESTING:
            text = _("macro {name!r}: nested too deeply; accepted: up to {most} levels of brackets")
            raise ArchError(text.format(name=self.name, most=MAX_NESTING))
        match value:
            case dict():
                return {key: self.filled(part, within, depth + 1) for key, part in value.items()}
            case list():
                return [self.filled(part, within, depth + 1) for part in value]
            case str() if value.startswith("##"):
                return value[1:]
            case str() if value.startswith("#"):
                if value in within:
                    text = _("macro {name!r}: argument {value!r} refers to itself")
                    raise ArchError(text.format(name=self.name, value=value))
                if value not in self.args:
                    text = _("macro {name!r}: argument {value!r} is missing; found in args: {given}")
                    raise ArchError(text.format(name=self.name, value=value, given=", ".join(self.args) or "nothing"))
                self.used[value] = None
                return self.filled(self.args[value], (*within, value), depth + 1)
            case _:
                return value
