"""A study file with several data sets: the same arms and seeds on each, as one ordinary study per data set.

[datasets.flowers]
data = "photos/flowers"

[datasets.leaves]
data = "photos/leaves"
recipe = {resolution = 96}     # in place of values in [recipe]
split = {train = 0.7}          # in place of values in [split]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commongarden.errors import ArchError, StudyError, check_known
from commongarden.i18n.language import _
from commongarden.study import arm as arms
from commongarden.study import file, reading
from commongarden.study.declared import ARM_NAME, Study
from commongarden.study.editable import editable, toml

SECTION = "datasets"
OWN = ("data", *reading.KEYS, "range", "recipe", "split")
FEWEST = 2


@dataclass(frozen=True)
class DataSets:
    """name: of the whole. base: what all data sets share, a study without data. own: what each declares, as in the
    file. studies: by data set."""

    name: str
    base: Study
    own: Mapping[str, Mapping[str, Any]]
    studies: Mapping[str, Study]

    def changed(self, change: Callable[[Study], Study]) -> DataSets:
        """With this change in each study and in what they share."""
        some = next(iter(self.studies.values()))
        base = dataclasses.replace(change(dataclasses.replace(self.base, data=some.data)), data="")
        studies = {name: change(study) for name, study in self.studies.items()}
        own = {name: _own(values, studies[name]) for name, values in self.own.items()}
        return dataclasses.replace(self, base=base, own=own, studies=studies)


def read(path: str | Path) -> DataSets | None:
    """The data sets of a study file, or of a built-in study; None where it has no [datasets]. Raises StudyError."""
    found = file.source(path)
    if found is None:
        return None
    table = file.loaded(found, where=str(path))
    return None if SECTION not in table else parse(table, where=str(path))


def parse(table: Mapping[str, Any], *, where: str) -> DataSets:
    """The study in nested mappings. Raises StudyError naming the place."""
    own = table[SECTION]
    if not isinstance(own, Mapping) or not all(isinstance(values, Mapping) for values in own.values()):
        text = _("{where}: datasets: found {found!r}, accepted: a table for each data set ([datasets.NAME])")
        raise StudyError(text.format(where=where, found=own))
    if len(own) < FEWEST:
        text = _("{where}: datasets: found {n}, accepted: at least 2 ([datasets.NAME], each with data = ...)")
        raise StudyError(text.format(where=where, n=len(own)))
    head = table.get("study", {})
    if isinstance(head, Mapping) and head.get("data"):
        text = _("{where}: study.data: found {data!r} together with [datasets]; accepted: one of them")
        raise StudyError(text.format(where=where, data=head["data"]))
    shared = {key: values for key, values in table.items() if key != SECTION}
    try:
        base = file.from_table(shared)
    except (StudyError, ArchError) as error:
        raise StudyError(f"{where}: {error}") from None
    folded = [name.casefold() for name in own]
    studies = {}
    for name, values in own.items():
        try:
            if not ARM_NAME.fullmatch(name) or folded.count(name.casefold()) > 1:
                raise StudyError(_("accepted: names that differ, of up to 64 letters, digits and . _ + -"))
            check_known("key", values, OWN, StudyError)
            if not values.get("data"):
                raise StudyError(_('found no data, accepted: data = "FOLDER"'))
            studies[name] = file.from_table(_with(shared, name, values))
        except (StudyError, ArchError) as error:
            raise StudyError(f"{where}: datasets.{name}: {error}") from None
    if Path(where).is_file():
        for name, arm in base.arms.items():
            arms.check_file(arm, where=f"{where}: arms.{name}")
    return DataSets(base.name, base, own, studies)


def _own(values: Mapping[str, Any], study: Study) -> dict[str, Any]:
    """What a data set declares, its recipe values as its study has them now."""
    recipe = {key: getattr(study.recipe, key) for key in values.get("recipe", {})}
    return {**values, "recipe": recipe} if recipe else dict(values)


def _with(shared: Mapping[str, Any], name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The table of one data set's study."""
    head = {key: value for key, value in values.items() if key not in ("recipe", "split")}
    merged = dict(shared)
    for section in ("recipe", "split"):
        inside = values.get(section, {})
        if not isinstance(inside, Mapping):
            text = _("{key}: found {value!r}, accepted: a table, such as {{key = value}}")
            raise StudyError(text.format(key=section, value=inside))
        merged[section] = {**shared.get(section, {}), **inside}
    return {**merged, "study": {**shared.get("study", {}), "name": name, **head}}


def to_edit(found: DataSets, *, full: bool = False) -> str:
    """The whole as a file to edit and run; `read` gives the same back."""
    lines = [line for line in editable(found.base, full=full).splitlines() if not line.startswith('data = ""')]
    tables = [
        "\n".join([f"[{SECTION}.{name}]", *(f"{key} = {toml(value)}" for key, value in values.items())])
        for name, values in found.own.items()
    ]
    return "\n".join(lines) + "\n\n" + "\n\n".join(tables) + "\n"
