"""A CSV file as people have it: its encoding, its separator, and which columns hold what."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commongarden.data import columns as columns_of
from commongarden.data import regular
from commongarden.data.columns import NONE, PART_WORDS, PATHS, Columns, plain
from commongarden.data.tree import is_named_so
from commongarden.data.vocabulary import PART_NAMES
from commongarden.errors import DataError, unknown
from commongarden.i18n.coded import NOTHING, Coded, verbatim
from commongarden.i18n.language import N_, _
from commongarden.io.terminal import NOT_IN_NAMES

ENDINGS = (".csv", ".tsv")
SEPARATORS = {",": NOTHING, ";": N_("{file} has semicolons as separators"), "\t": N_("{file} has tabs as separators"),
              "|": N_("{file} has vertical bars as separators")}  # fmt: skip
SAID = {
    (False, False): N_("Layout: the rows of {file}; paths in column {path}, classes in column {label}"),
    (True, False): N_(
        "Layout: the rows of {file}; paths in column {path}, classes in column {label}, split in column {column}"
    ),
    (False, True): N_(
        "Layout: the rows of {file}; paths in column {path}, classes in column {label}, groups in column {group}"
    ),
    (True, True): N_(
        "Layout: the rows of {file}; paths in column {path}, classes in column {label}, split in "
        "column {column}, groups in column {group}"
    ),
}
SAMPLE = 1000  # cells that are read of a column whose name is not known


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
    encoding: Coded = NOTHING  # "" for UTF-8
    skipped: int = 0  # lines above the header

    @property
    def said(self) -> Coded:
        """How it is read, in one sentence, as a record."""
        found = self.columns
        said, file = SAID[bool(found.part), bool(found.group)], self.file.name
        return said.format(file=file, path=found.path, label=found.label, column=found.part, group=found.group)

    def rows(self) -> Iterator[Row]:
        """Every row that is not empty. Raises DataError naming the line."""
        names = {getattr(self.columns, key): key for key in ("path", "label", "part", "group")}
        names.pop("", None)
        wanted = [names.get(name, "") for name in self.header]
        reader = _reader(self.text, self.separator)
        try:
            next(reader, [])
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    line = reader.line_num + self.skipped
                    yield self._row(_("{file}: line {line}").format(file=self.file, line=line), line, wanted, cells)
        except csv.Error as error:
            raise DataError(_("{file}: not a CSV file: {reason}").format(file=self.file, reason=error)) from None

    def _row(self, where: str, line: int, wanted: Sequence[str], cells: Sequence[str]) -> Row:
        if len(cells) != len(wanted):
            message = _("{where}: found {n} cells, accepted: {wanted}, as in the header")
            raise DataError(message.format(where=where, n=len(cells), wanted=len(wanted)))
        found = dict(zip(wanted, (cell.strip() for cell in cells), strict=True))
        if not found["path"] or not found["label"]:
            message = _("{where}: found {row!r}; accepted: a path and a label in every line")
            raise DataError(message.format(where=where, row=self.separator.join(cells)))
        for key in ("label", "group"):
            if NOT_IN_NAMES.search(found.get(key, "")):
                message = _("{where}: found the label {label!r}; accepted: a label without control characters")
                raise DataError(message.format(where=where, label=found[key]))
        part = found.get("part", "").lower()
        if part and part not in PART_WORDS:
            raise DataError(unknown("split", found["part"], PART_NAMES, where=where))
        group = found.get("group", "")
        group = "" if group.lower() in NONE else group
        return Row(line, found["path"], found["label"], PART_WORDS.get(part, ""), group)


def read(file: Path, is_grouped: bool = False, earlier: Set[str] = frozenset()) -> Table:
    """The table in a file. Raises DataError for text, columns or a separator that are not known for sure.

    is_grouped: the groups are found in the paths, so no column is taken for them. earlier: "part" and "group" where
    only columns are wanted that earlier versions read.
    """
    text, encoding = _text(file)
    first, _end, below = text.partition("\n")
    skipped = int(first.lower().startswith("sep=") and len(first.strip()) <= len("sep=;"))  # Excel's own first line
    text = below if skipped else text
    best: tuple[str, ...] = ()
    for separator in SEPARATORS:
        header = _header(file, text, separator)
        columns = None
        if columns_of.are_named(header):
            values = _values(header, text, separator)
            names = [name for name in header if not (is_grouped and plain(name) in columns_of.GROUPS)]
            columns = columns_of.chosen(file, values, names, earlier)
        if columns is not None:
            return Table(file, text, separator, header, columns, encoding, skipped)
        best = header if len(header) > len(best) else best
    raise DataError(_no_columns(file, best, text))


def _values(header: Sequence[str], text: str, separator: str) -> dict[str, list[str]]:
    """The cells of each column, of rows with as many cells as the header has; of a name that two columns bear, the
    first."""
    found: dict[str, list[str]] = {name: [] for name in header}
    if not found.keys() - {""} or len(header) < 2:
        return found
    places = [(place, found[name]) for place, name in enumerate(header) if header.index(name) == place]
    known = {place for place, _cells in places if plain(header[place]) in columns_of.KNOWN}
    reader = _reader(text, separator)
    next(reader, [])
    with suppress(csv.Error):  # it is reported where the rows are read
        for cells in reader:
            if len(cells) == len(header):
                for place, cells_of in places:
                    if place in known or len(cells_of) < SAMPLE:
                        cells_of.append(cells[place].strip())
    return found


def _text(file: Path) -> tuple[str, Coded]:
    try:
        with regular.opened(file) as opened:
            data = opened.read()
    except OSError as error:
        raise DataError(_("{file}: cannot be read: {reason}").format(file=file, reason=error.strerror)) from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        with suppress(UnicodeDecodeError):
            return data.decode("utf-16"), verbatim("UTF-16")
    for place, name in ((1, "utf-16-le"), (0, "utf-16-be")):  # Latin letters have a zero byte each
        if len(data) > 3 and len(data) % 2 == 0 and not any(data[place:64:2]):
            return data.decode(name, "replace"), N_("UTF-16 (no byte order mark)")
    try:
        return data.decode("utf-8-sig"), NOTHING
    except UnicodeDecodeError as error:
        message = _(
            "{file}: not UTF-8 text (byte {place}){looks}; save it as CSV in UTF-8 (in Excel: Save As, "
            "CSV UTF-8), otherwise class names are garbled"
        )
        raise DataError(message.format(file=file, place=error.start, looks=_looks_like(data))) from None


def _looks_like(data: bytes) -> str:
    """Which encoding text is in that is no UTF-8, as far as its letters tell."""
    encodings: tuple[tuple[str, str, Callable[[str], object]], ...] = (
        ("cp949", "CP949 (EUC-KR)", re.compile("[가-힣一-鿿]").fullmatch),
        ("cp1252", "Windows-1252 (Latin-1)", str.isalpha),
    )
    for codec, name, is_letter in encodings:
        with suppress(UnicodeDecodeError):
            foreign = [letter for letter in data.decode(codec) if ord(letter) > 127]
            if foreign and all(map(is_letter, foreign)):
                return _(", it may be {encoding}").format(encoding=name)
    return ""


def _reader(text: str, separator: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator)


def _header(file: Path, text: str, separator: str) -> tuple[str, ...]:
    try:
        return tuple(name.strip() for name in next(_reader(text, separator), []))
    except csv.Error as error:
        raise DataError(_("{file}: not a CSV file: {reason}").format(file=file, reason=error)) from None


def _no_columns(file: Path, header: Sequence[str], content: str) -> str:
    text = _("{file}: line 1: found the header {header!r}; accepted: path,label or path,label,split")
    found = text.format(file=file, header=",".join(header))
    if any(is_named_so(cell) for cell in header):
        return found + _("; this line is not a header: add the line path,label above it")
    names = {plain(name) for name in header}
    if names & {"path", *PATHS} and len(header) > 2:
        separator = next((separator for separator in SEPARATORS if len(_header(file, content, separator)) > 1), ",")
        sample = _values(_header(file, content, separator), content, separator)
        flags = [name for name in header if sample.get(name) and set(sample[name]) <= {"0", "1", "0.0", "1.0"}]
        if len(flags) > 1:
            return found + _(
                "; the columns {names} are one-hot (0 or 1 for each class): accepted is one column of classes"
            ).format(names=", ".join(flags[:6]))
    paths, labels = ("filename", "file", "image", "image_path", "id"), ("class", "category", "target")
    return found + _(
        " in any order, separated by commas, semicolons, tabs or vertical bars; also {paths} "
        "instead of path and {labels} instead of label"
    ).format(paths=", ".join(paths), labels=", ".join(labels))
