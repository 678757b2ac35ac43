"""A CSV file as people have it: its encoding, its separator, and which columns hold what."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commongarden.data.tree import is_named_so
from commongarden.data.vocabulary import PART_NAMES
from commongarden.errors import DataError, unknown
from commongarden.language import N_, _
from commongarden.terminal import NOT_IN_NAMES

ENDINGS = (".csv", ".tsv")
PATHS = ("filepath", "filepaths", "file_path", "filename", "filenames", "file_name", "file", "image_path", "imagepath",
         "img_path", "image_file", "image_name", "image", "images", "img", "photo", "picture", "image_id", "imageid",
         "img_id", "id_code", "id")  # fmt: skip
LABELS = ("class", "class_name", "classname", "class_label", "label_name", "labels", "category", "category_name",
          "target", "classid", "class_id", "label_id", "category_id", "species", "breed", "diagnosis", "dx",
          "y")  # fmt: skip
PARTS = ("split", "part")
OTHER_PARTS = ("set", "data_set", "dataset", "subset", "partition", "phase")
GROUPS = ("group", "group_id", "patient", "patient_id", "subject", "subject_id", "participant_id", "lesion_id",
          "plant_id", "video_id")  # fmt: skip
BOXES = frozenset(("xmin", "ymin", "xmax", "ymax"))
SEPARATORS = {",": "", ";": N_("{file} is separated by semicolons"), "\t": N_("{file} is separated by tabs")}
SAID = {
    (False, False): N_("Layout: the rows of {file}; paths in column {path}, classes in column {label}"),
    (True, False): N_(
        "Layout: the rows of {file}; paths in column {path}, classes in column {label}, parts in column {part}"
    ),
    (False, True): N_(
        "Layout: the rows of {file}; paths in column {path}, classes in column {label}, groups in column {group}"
    ),
    (True, True): N_(
        "Layout: the rows of {file}; paths in column {path}, classes in column {label}, parts in column {part}, groups "
        "in column {group}"
    ),
}
SAMPLE = 50  # rows that are looked at to tell what a column holds


@dataclass(frozen=True)
class Columns:
    """The names of the columns as the file has them; "" for one that it has not."""

    path: str
    label: str
    part: str = ""
    group: str = ""


@dataclass(frozen=True)
class Row:
    line: int
    path: str
    label: str
    part: str
    group: str


@dataclass(frozen=True)
class Table:
    """The text of a CSV file with what was found of its form."""

    file: Path
    text: str
    separator: str
    header: tuple[str, ...]
    columns: Columns
    encoding: str = ""  # "" for UTF-8

    @property
    def said(self) -> str:
        """How it is read, in one sentence, as a record."""
        found = self.columns
        said = SAID[bool(found.part), bool(found.group)]
        return said.format(file=self.file.name, **vars(found))

    def rows(self) -> Iterator[Row]:
        """Every row that is not empty. Raises DataError naming the line."""
        names = {value: key for key, value in vars(self.columns).items() if value}
        wanted = [names.get(name, "") for name in self.header]
        reader = _reader(self.text, self.separator)
        try:
            next(reader, [])
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield self._row(f"{self.file}: line {reader.line_num}", reader.line_num, wanted, cells)
        except csv.Error as error:
            raise DataError(_("{file}: not a CSV file: {reason}").format(file=self.file, reason=error)) from None

    def _row(self, where: str, line: int, wanted: Sequence[str], cells: Sequence[str]) -> Row:
        if len(cells) != len(wanted):
            raise DataError(
                _("{where}: found {n} cells, accepted: {wanted}, as in the header").format(
                    where=where, n=len(cells), wanted=len(wanted)
                )
            )
        found = dict(zip(wanted, (cell.strip() for cell in cells), strict=True))
        if not found["path"] or not found["label"]:
            raise DataError(
                _("{where}: found {row!r}; accepted: a path and a label in every line").format(
                    where=where, row=self.separator.join(cells)
                )
            )
        for key in ("label", "group"):
            if NOT_IN_NAMES.search(found.get(key, "")):
                raise DataError(
                    _("{where}: found the label {label!r}; accepted: a label without control characters").format(
                        where=where, label=found[key]
                    )
                )
        part = found.get("part", "").lower()
        if part and part not in PART_NAMES:
            raise DataError(unknown("split", found["part"], PART_NAMES, where=where))
        return Row(line, found["path"], found["label"], PART_NAMES.get(part, ""), found.get("group", ""))


def read(file: Path) -> Table:
    """The table in a file. Raises DataError for text, columns or a separator that are not known for sure."""
    text, encoding = _text(file)
    best: tuple[str, ...] = ()
    for separator in SEPARATORS:
        header = _header(file, text, separator)
        columns = _columns(file, header, text, separator)
        if columns is not None:
            return Table(file, text, separator, header, columns, encoding)
        best = header if len(header) > len(best) else best
    raise DataError(_no_columns(file, best, text))


def holds_photos(file: Path) -> bool:
    """Whether a CSV file can be read as a list of photos with their classes."""
    try:
        read(file)
    except (DataError, OSError):
        return False
    return True


def _text(file: Path) -> tuple[str, str]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(_("{file}: cannot be read: {reason}").format(file=file, reason=error.strerror)) from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16"), "UTF-16"
        except UnicodeDecodeError:
            pass
    try:
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError as error:
        raise DataError(
            _(
                "{file}: not UTF-8 text (byte {place}){looks}; save it as CSV in UTF-8 (in Excel: Save As, CSV UTF-8), "
                "since class names would be read wrongly"
            ).format(file=file, place=error.start, looks=_looks_like(data))
        ) from None


def _looks_like(data: bytes) -> str:
    """Which encoding text is in that is no UTF-8, as far as its letters tell."""
    try:
        foreign = [letter for letter in data.decode("cp949") if ord(letter) > 127]
        if foreign and all("가" <= letter <= "힣" or "一" <= letter <= "鿿" for letter in foreign):
            return _(", it looks like {encoding}").format(encoding="CP949 (EUC-KR)")
    except UnicodeDecodeError:
        pass
    try:
        foreign = [letter for letter in data.decode("cp1252") if ord(letter) > 127]
    except UnicodeDecodeError:
        return ""
    if foreign and all(letter.isalpha() for letter in foreign):
        return _(", it looks like {encoding}").format(encoding="Windows-1252 (Latin-1)")
    return ""


def _reader(text: str, separator: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator)


def _header(file: Path, text: str, separator: str) -> tuple[str, ...]:
    try:
        return tuple(name.strip() for name in next(_reader(text, separator), []))
    except csv.Error as error:
        raise DataError(_("{file}: not a CSV file: {reason}").format(file=file, reason=error)) from None


def _plain(name: str) -> str:
    return re.sub(r"[\s.\-]+", "_", name.lower())


def _columns(file: Path, header: Sequence[str], text: str, separator: str) -> Columns | None:
    """Which column is which; None where none is for paths or for classes. Raises DataError where several may be."""
    by_name: dict[str, list[str]] = {}
    for name in header:
        by_name.setdefault(_plain(name), []).append(name)
    usual = "path" in by_name and "label" in by_name
    paths = by_name.get("path") or [name for key in PATHS for name in by_name.get(key, [])]
    labels = by_name.get("label") or [name for key in LABELS for name in by_name.get(key, [])]
    if not paths or not labels:
        return None
    if not usual and by_name.keys() >= BOXES:
        raise DataError(
            _(
                "{file}: found the columns xmin, ymin, xmax, ymax: boxes around objects, with several lines for a "
                "photo; accepted: one line and one class for each photo (path,label)"
            ).format(file=file)
        )
    sample = _sample(header, text, separator)
    path = _one(file, paths, sample, N_("paths"), "path", [name for name in paths if _holds_files(sample[name])])
    labels = [name for name in labels if name != path]
    texts = [name for name in labels if not all(_is_number(value) for value in sample[name])]
    label = _one(file, labels, sample, N_("classes"), "label", texts)  # a class's name rather than its number
    parts = [name for key in PARTS for name in by_name.get(key, [])]
    if not usual:
        others = [name for key in OTHER_PARTS for name in by_name.get(key, []) if name not in (path, label)]
        parts += [name for name in others if all(value.lower() in PART_NAMES for value in sample[name])]
    groups = [name for key in GROUPS for name in by_name.get(key, []) if name not in (path, label)]
    return Columns(path, label, parts[0] if parts else "", groups[0] if len(groups) == 1 else "")


def _one(
    file: Path, names: Sequence[str], sample: Mapping[str, Sequence[str]], what: str, wanted: str, likely: Sequence[str]
) -> str:
    if len(names) == 1 or len(likely) == 1:
        return names[0] if len(names) == 1 else likely[0]
    if len(names) > 1 and len({tuple(sample[name]) for name in names}) == 1:
        return names[0]
    raise DataError(
        _(
            "{file}: line 1: several columns may hold the {what}: {names}; accepted: one of them named {wanted!r}"
        ).format(file=file, what=_(what), names=", ".join(names) or _("none"), wanted=wanted)
    )


def _sample(header: Sequence[str], text: str, separator: str) -> dict[str, list[str]]:
    reader = _reader(text, separator)
    next(reader, [])
    found: dict[str, list[str]] = {name: [] for name in header}
    try:
        for _number, cells in zip(range(SAMPLE), reader, strict=False):
            if any(cell.strip() for cell in cells):
                for name, cell in zip(header, cells, strict=False):
                    found[name].append(cell.strip())
    except csv.Error:
        pass  # reported where the rows are read
    return found


def _holds_files(values: Sequence[str]) -> bool:
    return bool(values) and all(is_named_so(value) for value in values)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _no_columns(file: Path, header: Sequence[str], text: str) -> str:
    found = _("{file}: line 1: found the header {header!r}; accepted: path,label or path,label,split").format(
        file=file, header=",".join(header)
    )
    if any(is_named_so(cell) for cell in header):
        return found + _("; this line names a photo already: put path,label above it")
    names = {_plain(name) for name in header}
    if names & {"path", *PATHS} and len(header) > 3:
        separator = next((separator for separator in SEPARATORS if len(_header(file, text, separator)) > 1), ",")
        sample = _sample(header, text, separator)
        flags = [name for name in header if sample[name] and set(sample[name]) <= {"0", "1", "0.0", "1.0"}]
        if len(flags) > 1:
            return found + _(
                "; the columns {names} hold 0 or 1, one for each class: accepted is one column of classes"
            ).format(names=", ".join(flags[:6]))
    return found + _(
        " in any order, separated by commas, semicolons or tabs; also {paths} for path and {labels} for label"
    ).format(
        paths=", ".join(("filename", "file", "image", "image_path", "id")),
        labels=", ".join(("class", "category", "target")),
    )
