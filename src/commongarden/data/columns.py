"""Which columns of a CSV file hold the paths, classes, parts and groups: by their names and by what is in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from commongarden.data.tree import is_named_so
from commongarden.data.vocabulary import PART_NAMES, part_of
from commongarden.errors import DataError
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_, _

PATHS = ("filepath", "filepaths", "file_path", "filename", "filenames", "file_name", "file", "image_path", "imagepath",
         "img_path", "image_file", "image_name", "image", "images", "img", "photo", "picture", "image_id", "imageid",
         "img_id", "id_code", "id")  # fmt: skip
LABELS = ("class", "class_name", "classname", "class_label", "label_name", "labels", "category", "category_name",
          "target", "classid", "class_id", "label_id", "category_id", "species", "breed", "diagnosis", "dx",
          "y")  # fmt: skip
PARTS = ("split", "part")
OTHER_PARTS = ("set", "data_set", "dataset", "subset", "partition", "phase", "usage")
GROUPS = ("group", "group_id", "patient", "patient_id", "subject", "subject_id", "participant_id", "lesion_id",
          "plant_id", "video_id", "patientid", "subjectid", "participantid", "lesionid", "plantid", "videoid",
          "case_id", "caseid", "person_id", "animal_id", "slide_id", "specimen_id")  # fmt: skip
NUMBERED = ("fold", "kfold", "cv_fold", "is_train", "is_training", "is_val", "is_valid", "is_test")
BOXES = frozenset(("xmin", "ymin", "xmax", "ymax"))
KNOWN = frozenset(("path", "label", *PATHS, *LABELS, *PARTS, *OTHER_PARTS, *GROUPS, *NUMBERED))
# words of columns; folders that are named so are asked about
PART_WORDS = PART_NAMES | {
    "dev": "val", "devel": "val", "development": "val", "eval": "val", "evaluation": "val", "publictest": "val",
    "holdout": "test", "hold-out": "test", "privatetest": "test",
}  # fmt: skip
NONE = frozenset(("", "-", "na", "n/a", "nan", "none", "null"))  # cells that name no group
FEW = 8  # words of a column that may be parts


@dataclass(frozen=True)
class Columns:
    """The names of the columns as the file has them; "" for one that it has not. notes: what else a person should know
    of them, as records."""

    path: str
    label: str
    part: str = ""
    group: str = ""
    notes: tuple[Coded, ...] = ()


def chosen(file: Path, values: Mapping[str, Sequence[str]], names: Sequence[str], earlier: Set[str]) -> Columns | None:
    """Which column is which; None where none is for paths or for classes. Raises DataError where several may be.

    values: the cells of each column. names: the header, which may name a column twice. earlier: "part" and "group"
    where only columns are wanted that earlier versions read.
    """
    by_name: dict[str, list[str]] = {}
    for name in names:
        by_name.setdefault(plain(name), []).append(name)
    usual = "path" in by_name and "label" in by_name
    paths = by_name.get("path") or [name for key in PATHS for name in by_name.get(key, [])]
    labels = by_name.get("label") or [name for key in LABELS for name in by_name.get(key, [])]
    if not paths or not labels:
        return None
    if not usual and by_name.keys() >= BOXES:
        message = _(
            "{file}: found the columns xmin, ymin, xmax, ymax (bounding boxes, several lines per "
            "photo); accepted: one line with one class per photo (path,label)"
        )
        raise DataError(message.format(file=file))
    of_files = [name for name in paths if values[name] and all(map(is_named_so, values[name]))]
    path = _one(file, paths, values, N_("paths"), "path", of_files)
    labels = [name for name in labels if name != path]
    texts = [name for name in labels if not are_numbers(values[name])]
    label = _one(file, labels, values, N_("classes"), "label", texts)  # a class's name rather than its number
    if not usual:
        label = _name_of(label, values, by_name)
    rest = [name for name in by_name if name not in (plain(path), plain(label))]
    part, notes = _part(file, {key: by_name[key][0] for key in rest}, values, earlier)
    groups = [name for key in GROUPS if key in rest for name in by_name[key]]
    found = Columns(path, label, part, _group(file, groups, values, "group" in earlier), notes)
    for name in (found.path, found.label, found.part, found.group):
        if name and names.count(name) > 1:
            message = _("{file}: line 1: found {n} columns named {name!r}; accepted: one")
            raise DataError(message.format(file=file, n=names.count(name), name=name))
    return found


def are_named(names: Sequence[str]) -> bool:
    """Whether a header names a column that may hold paths, and one that may hold classes."""
    found = {plain(name) for name in names}
    return bool(found & {"path", *PATHS}) and bool(found & {"label", *LABELS})


def plain(name: str) -> str:
    """A column's name as it is compared with those that are known."""
    return re.sub(r"[\s.\-]+", "_", name.lower())


def _one(
    file: Path, names: Sequence[str], values: Mapping[str, Sequence[str]], what: str, wanted: str, likely: Sequence[str]
) -> str:
    if len(names) == 1 or len(likely) == 1:
        return names[0] if len(names) == 1 else likely[0]
    if len(names) > 1 and len({tuple(values[name]) for name in names}) == 1:
        return names[0]
    message = _(
        "{file}: line 1: several columns may contain the {what}: {names}; accepted: one of them named {wanted!r}"
    )
    raise DataError(message.format(file=file, what=_(what), names=", ".join(names) or _("none"), wanted=wanted))


def _name_of(label: str, values: Mapping[str, Sequence[str]], by_name: Mapping[str, Sequence[str]]) -> str:
    """The column with the names of numbered classes, where there is one: it has one name for each number."""
    if not are_numbers(values[label]):
        return label
    for name in (name for key in LABELS for name in by_name.get(key, ())):
        pairs = set(zip(values[label], values[name], strict=False))
        n_named = len({named for _number, named in pairs})
        if name != label and n_named == len(pairs) == len(set(values[label])) and not are_numbers(values[name]):
            return name
    return label


def _part(
    file: Path, columns: Mapping[str, str], values: Mapping[str, Sequence[str]], earlier: Set[str]
) -> tuple[str, tuple[Coded, ...]]:
    """The column of parts, "" for none, and a note on each other column that looks like one."""
    words = {key: {value.lower() for value in values[name]} for key, name in columns.items()}
    part = next((key for key in PARTS if key in columns), "")
    if not part and "part" not in earlier:
        likely = [key for key in OTHER_PARTS if key in columns and words[key] & PART_WORDS.keys()]
        if len({tuple(values[columns[key]]) for key in likely}) > 1:
            named = ", ".join(columns[key] for key in likely)
            message = _("{file}: line 1: several columns may contain the split: {names}; accepted: one named 'split'")
            raise DataError(message.format(file=file, names=named))
        part = likely[0] if likely else ""
    notes: list[Coded] = []
    for key in columns:
        found = words[key]
        meaning = {word for word in found if word in PART_WORDS or part_of(word) in PART_NAMES}
        is_split = len(found) <= FEW and 2 * len(meaning) >= max(len(found), 1)
        if key not in (part, *PARTS) and (is_split or (key in NUMBERED and len(found) > 1)):
            text = N_(
                "column {column} ({words}) may be a split and is not used; to use it, rename it to split, "
                "with the values train, val, test"
            )
            notes.append(text.format(column=columns[key], words=", ".join(sorted(found)[:4])))
    if part:
        text = N_("column {column}: {word} is read as {taken}")
        other = sorted(words[part] & PART_WORDS.keys() - PART_NAMES.keys())
        notes += (text.format(column=columns[part], word=word, taken=PART_WORDS[word]) for word in other)
    return columns.get(part, ""), tuple(notes)


def _group(file: Path, names: Sequence[str], values: Mapping[str, Sequence[str]], is_earlier: bool) -> str:
    named = [name for name in names if any(value.lower() not in NONE for value in values[name])]
    own = [name for name in named if plain(name) == "group"] or named
    if len(own) < 2 or len({tuple(values[name]) for name in own}) == 1:
        return own[0] if own else ""
    if is_earlier:
        return ""
    message = _(
        "{file}: line 1: several columns may contain the groups: {names}; accepted: the one that "
        "identifies a patient, plant or video named 'group', or --group-by REGEX"
    )
    raise DataError(message.format(file=file, names=", ".join(own)))


def are_numbers(values: Sequence[str]) -> bool:
    """Whether every cell is a number."""
    try:
        return bool(list(map(float, values))) or not values
    except ValueError:
        return False
