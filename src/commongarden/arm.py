"""One alternative of a study: an architecture, by name or from a file, and what it has of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commongarden import arch
from commongarden.arch import Serial, listfile, listform
from commongarden.errors import ArchError, StudyError, unknown
from commongarden.recipe import FIELDS


@dataclass(frozen=True)
class Arm:
    """One alternative: an architecture, its options, and the recipe values it must have of its own.

    arch: a family's name, or the path of a file in list form (.json).
    options: those that are not given are filled in with the architecture's defaults, so that two spellings of one arm
        are equal and a default that changes later is seen.
    list_form: what the file holds. It is read once, when the arm is declared, and kept in the study file from then on:
        a study stands by itself, whatever becomes of the file. Empty for a family.

    Raises ArchError for a name or option that is not known, and for a file that holds no network.
    """

    arch: str
    options: dict[str, Any] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)
    list_form: str = ""

    def __post_init__(self) -> None:
        if listfile.is_list_file(self.arch):
            for key in self.options:
                raise ArchError(unknown("option", key, (), where=self.arch))
            kept = self.list_form
            text = listfile.one_spelling(kept, where="list_form") if kept else listfile.read(self.arch)
            object.__setattr__(self, "list_form", text)
            self.network(2)  # so that a mistake in the file is told before anything is done
        elif self.list_form:
            raise StudyError(f"arch: found {self.arch!r} beside a list_form, accepted: the name of its file (.json)")
        else:
            options = arch.defaults(self.arch) | arch.checked(self.arch, self.options)
            object.__setattr__(self, "options", _as_read(options))
        object.__setattr__(self, "overrides", _as_read(self.overrides))

    def network(self, n_classes: int) -> Serial:
        """The architecture with a head of `n_classes`. Raises ArchError where it cannot be made."""
        if self.list_form:
            return listform.network(self.list_form, n_classes, where=self.arch)
        return arch.network(self.arch, n_classes, **self.options)


def _as_read(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as a study file gives them back: it has lists, not tuples."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def from_table(name: str, values: object) -> Arm:
    """An arm from its table: `arch`, options of that architecture, and recipe fields, told apart by name.

    The `arch` of a file in list form is read here, unless the table holds its `list_form` already. Raises StudyError.
    """
    if not isinstance(values, Mapping) or not isinstance(values.get("arch"), str):
        raise StudyError(
            f'arms.{name}: found {values!r}; accepted: a table with arch = "..." (see: commongarden describe)'
        )
    architecture = values["arch"]
    options = ["list_form"] if listfile.is_list_file(architecture) else list(arch.defaults(architecture))
    for key in values:
        if key != "arch" and key not in options and key not in FIELDS:
            raise StudyError(unknown("key", key, ["arch", *options, *FIELDS], where=f"arms.{name}"))
    if not isinstance(values.get("list_form", ""), str):
        raise StudyError(f"arms.{name}.list_form: found {values['list_form']!r}, accepted: JSON text in quotes")
    given = {key: value for key, value in values.items() if key in options}
    overrides = {key: value for key, value in values.items() if key in FIELDS}
    try:
        return Arm(architecture, given, overrides, given.pop("list_form", ""))
    except ArchError as error:  # of a file in list form, which is read at once
        raise StudyError(f"arms.{name}: {error}") from None


def to_table(arm: Arm) -> dict[str, Any]:
    """The arm as a study file holds it."""
    list_form = {"list_form": arm.list_form} if arm.list_form else {}
    return {"arch": arm.arch, **list_form, **arm.options, **arm.overrides}


def from_text(text: str) -> tuple[str, Arm]:
    """An arm as the command line names it, and its name in a study: an architecture ("plain_flower"), with an order
    ("inception_flower:LA"), or the path of a file in list form ("nets/mine.json")."""
    if listfile.is_list_file(text):
        stem = re.sub(r"[^\w.+-]+", "-", Path(text).stem).strip(".+-")[:64] or "network"
        return stem, from_table(stem, {"arch": text})
    architecture, _, order = text.partition(":")
    name = text.replace(":", "-")
    return name, from_table(name, {"arch": architecture} | ({"order": order} if order else {}))


def check_file(arm: Arm, *, where: str) -> None:
    """Refuses an arm that keeps another network than its file, where there is one, now holds. Raises StudyError."""
    if not arm.list_form or not Path(arm.arch).is_file():
        return
    changes = listfile.differences(arm.list_form, listfile.read(arm.arch))
    if changes:
        place, kept, found = changes[0]
        raise StudyError(
            f"{where}: {arm.arch} has changed: {place}: {kept} in list_form, {found} in the file; "
            "accepted: no list_form, which takes what the file holds, or the name of another file"
        )


def conflicts(name: str, stored: Arm, wanted: Arm) -> list[str]:
    """In what two definitions of the arm `name` differ: the keys with both values. Where a file lies is no matter."""
    before, after = _without_folder(stored), _without_folder(wanted)
    keys = (
        {**before, **after}
        if before["arch"] == after["arch"]
        else dict.fromkeys(["arch", *stored.overrides, *wanted.overrides])
    )
    lines = [
        f"arms.{name}.{key}: {before.get(key)!r} here, {after.get(key)!r} asked for"
        for key in keys
        if before.get(key) != after.get(key)
    ]
    if stored.list_form and wanted.list_form:
        changes = listfile.differences(stored.list_form, wanted.list_form)
        told = f"arms.{name}, {wanted.arch}"
        lines += [f"{told}: {place}: {old} here, {new} asked for" for place, old, new in changes[:5]]
        if len(changes) > 5:
            lines.append(f"{told}: {len(changes) - 5} more places")
    return lines


def _without_folder(arm: Arm) -> dict[str, Any]:
    """An arm's table without what its file holds and where it lies; the file's name is told of both."""
    table = to_table(arm)
    if table.pop("list_form", ""):
        table["arch"] = re.split(r"[/\\]", arm.arch)[-1]
    return table
