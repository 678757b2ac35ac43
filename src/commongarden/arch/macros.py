"""The macros of a list form: named configs with gaps, filled in where they are used."""

from __future__ import annotations

from collections.abc import Mapping
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
                text = _("args: found {key!r}, accepted: names that begin with #, such as '#{key}'")
                raise ArchError(text.format(key=key))
        used: dict[str, None] = {}
        config = self._filled(self._bodies[name], name, args, used, (), 0)
        check_known("argument", args, used, ArchError, where=f"macro {name!r}")
        return config

    def _filled(
        self,
        value: Any,
        name: str,
        args: Mapping[str, Any],
        used: dict[str, None],
        within: tuple[str, ...],
        depth: int,
    ) -> Any:
        self._n_values += 1
        if self._n_values > MAX_VALUES:
            text = _("macro {name!r}: the macros write out more than {most:,} values; accepted: up to that")
            raise ArchError(text.format(name=name, most=MAX_VALUES))
        if depth > MAX_NESTING:
            text = _("macro {name!r}: nested too deeply; accepted: up to {most} brackets")
            raise ArchError(text.format(name=name, most=MAX_NESTING))

        def filled(part: Any) -> Any:
            return self._filled(part, name, args, used, within, depth + 1)

        match value:
            case dict():
                return {key: filled(part) for key, part in value.items()}
            case list():
                return [filled(part) for part in value]
            case str() if value.startswith("##"):
                return value[1:]
            case str() if value.startswith("#"):
                if value in within:
                    text = _("macro {name!r}: argument {value!r} stands for itself")
                    raise ArchError(text.format(name=name, value=value))
                if value not in args:
                    given = ", ".join(args) or "nothing"
                    text = _("macro {name!r}: argument {value!r} is missing; args gives {given}")
                    raise ArchError(text.format(name=name, value=value, given=given))
                used[value] = None
                return self._filled(args[value], name, args, used, (*within, value), depth + 1)
            case _:
                return value
