"""Which files may be photos, of which class, part and group: from folders, or from the rows of a CSV file."""

from __future__ import annotations

import posixpath
import unicodedata
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from os.path import exists, isfile
from pathlib import Path

from commongarden.data import fixes, image, layout, official, table
from commongarden.data.ambiguity import few
from commongarden.data.layout import Layout
from commongarden.data.tree import Tree, identity, is_named_so
from commongarden.data.vocabulary import ASIDE
from commongarden.errors import DataError
from commongarden.i18n.coded import NOTHING, Coded
from commongarden.i18n.language import N_, _
from commongarden.records import LeftOut

NO_FILE = N_("no such file")
UNLABELLED = N_("no label: not in a class folder")
SPLIT_OFF = {
    ("val",): N_("found no validation set with classes; it is split off from {folder}/ with the fractions in [split]"),
    ("test",): N_("found no test set with classes; it is split off from {folder}/ with the fractions in [split]"),
    ("val", "test"): N_(
        "found no validation or test set with classes; both are split off from {folder}/ with the fractions in [split]"
    ),
}
BESIDE = N_("in a folder that is neither a class nor a set")


@dataclass(frozen=True)
class Candidate:
    """A file that may be a photo. counts: among the share that may be unreadable; reason: why it is out already.

    written: as the CSV has the path, where its file is not there. stored: where its bytes lie, as `Photo` has it.
    """

    path: str
    label: str
    part: str = ""
    counts: bool = True
    reason: Coded = NOTHING
    group: str = ""
    written: str = ""
    stored: str = ""


@dataclass(frozen=True)
class Listed:
    """The files of a source before any is decoded. candidates: sorted by path once they are checked, those that are out
    already with their reason. layout: how the source was understood; notes: what else a person should know of it; in
    English, with their codes. root: what the paths begin from."""

    source: str
    root: str
    candidates: tuple[Candidate, ...]
    layout: Coded = NOTHING
    notes: tuple[Coded, ...] = ()

    @property
    def left_out(self) -> list[LeftOut]:
        """The files that are out already."""
        return [LeftOut(one.path, one.reason) for one in self.candidates if one.reason]


def files(folder: Path) -> Iterator[Path]:
    """Every file in a folder at any depth, but for what systems leave there."""
    yield from (folder / path for path in Tree(folder).walk("", set()))


def is_photo(path: Path) -> bool:
    """Whether a file was meant as a photo: by its name's ending, or by its first bytes."""
    return is_named_so(path.name) or image.begins_as_photo(path)


def in_folder(root: Path, chosen: str = "") -> Listed:
    """The files of class folders, or of class folders in part folders. chosen: the layout, "" to recognize it.

    Raises DataError where there is no layout, layout.AmbiguousError where there may be several.
    """
    outer = Tree(root)
    found = layout.recognized(outer, chosen)
    candidates = tuple(
        replace(one, path=posixpath.relpath(one.path, found.at) + "/" * one.path.endswith("/")) if found.at else one
        for one in _of_layout(outer, found)
    )
    own = root / found.at if found.at else root
    return Listed(str(root), str(own), candidates, found.said, tuple(_notes(outer, found)))


def _of_layout(tree: Tree, found: Layout) -> Iterator[Candidate]:
    yield from (_stray(posixpath.join(found.at, name)) for name in tree.files(found.at))
    for name in found.parts:
        place = posixpath.join(found.at, name)
        below = [one.path for one in found.classes if one.path.startswith(f"{place}/")]
        inside = posixpath.commonpath([posixpath.dirname(path) for path in below])
        while True:  # the folder itself, and those in it down to the class folders
            yield from (_stray(posixpath.join(place, file)) for file in tree.files(place))
            if place == inside:
                break
            place = posixpath.join(place, inside[len(place) + 1 :].partition("/")[0])
    for one in found.classes:
        yield from _in_class(tree, found.at, one.path, one.label, one.part)
    for place in found.unlabelled:
        yield from map(_stray, sorted(tree.walk(place, {identity(tree.root)})))
    for place in found.beside:
        for path in sorted(tree.walk(place, {identity(tree.root)})):
            if is_named_so(path):
                yield Candidate(path, "", counts=False, reason=BESIDE)


def _notes(tree: Tree, found: Layout) -> Iterator[Coded]:
    if tree.denied:
        text = N_("folders that cannot be read are skipped with their contents: {n}, such as {folder}/")
        yield text.format(n=len(tree.denied), folder=min(tree.denied))
    for link, own in sorted(tree.links.items()):
        yield N_("{folder} is a link to {own}/ and is skipped").format(folder=link, own=own)
    for one in found.classes:
        name = posixpath.basename(one.path)
        if name.lower() in ASIDE:
            yield N_("{folder}/ is read as a class; if it is not one, move it out of the data folder").format(
                folder=one.path
            )
    for place in found.unlabelled:
        n = sum(is_named_so(path) for path in tree.walk(place, {identity(tree.root)}))
        yield N_(
            "{folder}/: photos without a label (not in a class folder) are not used: {n}. To classify "
            "them after training: commongarden predict DIR/runs/ARM/SEED {path}"
        ).format(folder=place, n=n, path=(tree.root / place).as_posix())
    for place in found.beside:
        yield N_("{folder}/ is neither a class nor a set; its photos are skipped").format(folder=place)
    if found.outside:
        text = N_("only {at}/ is used; not used: {folders}")
        yield text.format(at=found.at, folders=few(found.outside))
    if found.kind == "inner":
        yield N_(
            "if the outer folders contain versions of the same photos, use only one of them (--layout "
            "only:FOLDER); if each is a patient, plant or place, keep it in one set (--group-by "
            "'^([^/]+)/')"
        )
    lacking = tuple(part for part in ("val", "test") if found.parts and part not in found.parts.values())
    if lacking:
        train = next(name for name, part in found.parts.items() if part == "train")
        yield SPLIT_OFF[lacking].format(folder=train)
    for file, place in _lists_of(tree, found):
        text = N_("{file} lists the classes of the photos in {folder}/; a CSV of path,label,split can list all sets")
        yield text.format(file=file, folder=place)
    yield from official.said(tree, found)
    spelled = Counter(unicodedata.normalize("NFC", label) for label in {one.label for one in found.classes})
    for label, n in sorted(spelled.items()):
        if n > 1:
            yield N_(
                "two folders are named {label} in different Unicode forms (NFC and NFD); they are read as one class"
            ).format(label=label)


def _lists_of(tree: Tree, found: Layout) -> Iterator[tuple[str, str]]:
    """CSV files beside unlabelled folders that name the classes of what is in these."""
    for place in found.unlabelled:
        for name in tree.files(found.at):
            file = tree.root / found.at / name
            if file.suffix.lower() in table.ENDINGS:
                with suppress(DataError):  # it is no list of photos
                    first = next(table.read(file).rows(), None)
                    if first is not None and (file.parent / first.path).is_relative_to(tree.root / place):
                        yield posixpath.join(found.at, name), place


def _in_class(tree: Tree, at: str, folder: str, label: str, part: str) -> Iterator[Candidate]:
    outside = {identity(tree.root), identity(tree.root / at)}
    files = sorted(tree.walk(folder, outside)) if (tree.root / folder).is_dir() else []
    label = unicodedata.normalize("NFC", label)
    denied = [place for place in tree.denied if f"{place}/".startswith(f"{folder}/")]
    for place in denied:
        reason = N_("the folder cannot be read: {reason}").format(reason=tree.denied[place])
        yield Candidate(f"{place}/", label, part, reason=reason)
    if not files and not denied:
        yield Candidate(f"{folder}/", "", part, counts=False, reason=N_("empty folder, not a class"))
    for path in files:
        reason = NOTHING if (tree.root / path).is_file() else N_("a broken link, or not a file")
        yield Candidate(path, label, part, counts=is_named_so(path), reason=reason)


def _stray(path: str) -> Candidate:
    return Candidate(path, "", counts=False, reason=UNLABELLED if is_named_so(path) else N_("not an image file"))


def in_table(file: Path, is_grouped: bool = False, earlier: Set[str] = frozenset()) -> Listed:
    """The rows of a CSV file. A photo listed twice is taken once, and left out where its labels differ. The rest is as
    in `table.read`."""
    read = table.read(file, is_grouped, earlier)
    found: dict[str, tuple[int, Candidate]] = {}
    for row in read.rows():
        candidate = _located(file.parent, row)
        first_line, first = found.setdefault(candidate.path, (row.line, candidate))
        if first.part != row.part:
            message = _(
                "{file}: line {line}: found {written} in {part}, but in {first_part} in line {first_line}; "
                "accepted: one set"
            )
            part, first_part = (declared or _("no set") for declared in (row.part, first.part))
            lines = {"line": row.line, "first_line": first_line}
            raise DataError(message.format(file=file, written=row.path, part=part, first_part=first_part, **lines))
        if first.label != candidate.label and not first.reason:
            text = N_("conflicting labels: {label} in line {line}, {other} in line {other_line}")
            reason = text.format(label=first.label, line=first_line, other=candidate.label, other_line=row.line)
            found[candidate.path] = (first_line, replace(first, reason=reason, counts=False))
    candidates = tuple(candidate for _, candidate in found.values())
    undeclared = next((candidate for candidate in candidates if not candidate.part), None)
    if undeclared is not None and any(candidate.part for candidate in candidates):
        line = found[undeclared.path][0]
        message = _("{file}: line {line}: found no split; accepted: train, val or test in every line, or in none")
        raise DataError(message.format(file=file, line=line))
    notes: list[Coded] = []
    if read.encoding:
        notes.append(N_("{file} is encoded as {encoding}").format(file=file.name, encoding=read.encoding))
    if said := table.SEPARATORS[read.separator]:
        notes.append(said.format(file=file.name))
    return Listed(str(file), str(file.parent), candidates, read.said, (*notes, *read.columns.notes))


def _located(root: Path, row: table.Row) -> Candidate:
    """The file that a row means, also where it was written on Windows or in another Unicode form."""
    written = row.path
    spellings = [written, written.replace("\\", "/")]
    spellings += [unicodedata.normalize(form, spellings[1]) for form in ("NFC", "NFD")]
    # isfile and exists of os.path: a name too long, or one with a null byte, is no error to them
    path = next((spelling for spelling in spellings if isfile(root / spelling)), spellings[1])
    reason = NOTHING if isfile(root / path) else N_("not a file") if exists(root / path) else NO_FILE
    label = unicodedata.normalize("NFC", row.label)
    missing = written if reason == NO_FILE else ""
    if missing and (said := fixes.address(written)):
        return Candidate(written, label, row.part, reason=said, group=row.group, written=written)
    return Candidate(posixpath.normpath(path), label, row.part, reason=reason, group=row.group, written=missing)
