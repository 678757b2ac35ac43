"""How the data of a study are read, where more than one way is possible."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from commongarden.errors import StudyError, unknown
from commongarden.i18n.language import _

ONLY = "only:"
LAYOUTS = ("classes", "parts", "inner", f"{ONLY}FOLDER")


@dataclass(frozen=True)
class DataOptions:
    """How data are read that can be read in several ways. Empty values detect the layout, and neither group nor merge.

    layout: "classes" (each folder is a class), "parts" (the folders are training, validation and test sets), "inner"
        (the classes are one level further down), or "only:FOLDER" (use only this one of several alike).
    group_by: a regular expression, searched in each path; its first group, or its match, names the photo's group.
    merge_classes: merge classes whose names differ only in case, spaces or Unicode form.
    """

    layout: str = ""
    group_by: str = ""
    merge_classes: bool = False

    def __post_init__(self) -> None:
        folder = self.layout.removeprefix(ONLY) if self.layout.startswith(ONLY) else ""
        if self.layout and not folder.strip("/") and self.layout not in LAYOUTS[:3]:
            raise StudyError(unknown("layout", self.layout, LAYOUTS, where="study.layout"))
        try:
            re.compile(self.group_by)
        except (re.error, RecursionError, OverflowError) as error:
            text = _("study.group_by: {text!r} is not a regular expression: {reason}")
            raise StudyError(text.format(text=self.group_by, reason=error)) from None
        if not isinstance(self.merge_classes, bool):
            raise StudyError(
                _("study.merge_classes: found {value!r}, accepted: true or false").format(value=self.merge_classes)
            )


def with_options(kept: DataOptions, layout: str | None, group_by: str | None, merge_classes: bool) -> DataOptions:
    """How data are read by a study and by what a command line adds; None and false add nothing."""
    return DataOptions(
        kept.layout if layout is None else layout,
        kept.group_by if group_by is None else group_by,
        kept.merge_classes or merge_classes,
    )


KEYS = ("layout", "group_by", "merge_classes")


def to_table(options: DataOptions) -> dict[str, Any]:
    """The keys of [study] that hold them; those that nobody set are not written."""
    return {key: getattr(options, key) for key in KEYS if getattr(options, key)}
