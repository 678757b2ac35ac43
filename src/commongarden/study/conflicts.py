"""In what two definitions of an arm differ, so that a folder which holds one refuses the other."""

from __future__ import annotations

import re
from typing import Any

from commongarden.arch import listfile
from commongarden.i18n.language import _
from commongarden.study import origin
from commongarden.study.arm import Arm, to_table


def arm_conflicts(name: str, stored: Arm, wanted: Arm) -> list[str]:
    """In what two definitions of the arm `name` differ: the keys with both values. Where a file lies is no matter."""
    before, after = _without_folder(stored), _without_folder(wanted)
    keys = (
        {**before, **after}
        if before["arch"] == after["arch"]
        else dict.fromkeys(["arch", *stored.overrides, *wanted.overrides])
    )
    lines = [
        _("arms.{name}.{key}: {before!r} in the folder, {after!r} requested").format(
            name=name, key=key, before=before.get(key), after=after.get(key)
        )
        for key in keys
        if before.get(key) != after.get(key)
    ]
    if stored.origin and wanted.origin:
        for what in ("code", "weights"):
            old, new = getattr(stored.origin, what), getattr(wanted.origin, what)
            if old and new and old != new and not (what == "code" and origin.is_moved(wanted.arch)):
                where = _("arms.{name}, {arch}: SHA-256 of its {what}").format(name=name, arch=wanted.arch, what=what)
                text = _("{what}: {old}... in the folder, {new}... requested")
                lines.append(text.format(what=where, old=old[:12], new=new[:12]))
    if stored.list_form and wanted.list_form:
        changes = listfile.differences(stored.list_form, wanted.list_form)
        arm = f"arms.{name}, {wanted.arch}"
        lines += [
            _("{arm}: {place}: {old} in the folder, {new} requested").format(arm=arm, place=place, old=old, new=new)
            for place, old, new in changes[:5]
        ]
        if len(changes) > 5:
            lines.append(_("{arm}: and {n} more").format(arm=arm, n=len(changes) - 5))
    return lines


def _without_folder(arm: Arm) -> dict[str, Any]:
    """An arm's table without what its file holds and where it lies; of both, the file's name stays."""
    table = to_table(arm)
    table.pop("origin", None)
    if arm.origin is not None:
        table["weights"] = re.split(r"[/\\]", arm.options["weights"].rstrip("/\\"))[-1]
    if table.pop("list_form", ""):
        table["arch"] = re.split(r"[/\\]", arm.arch)[-1]
    return table
