"""Which folders are classes, and which are training, validation and test sets: recognized, or chosen by a person."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from commongarden.data.ambiguity import AmbiguousError, check_sure, few, within
from commongarden.data.elsewhere import labels_elsewhere, listed_elsewhere
from commongarden.data.parts import ACCEPTED, parts_of, unwrapped
from commongarden.data.tree import Tree
from commongarden.data.vocabulary import PICTURES, part_of
from commongarden.errors import DataError, unknown
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_, _
from commongarden.study.reading import ONLY

PARTS_SAID = {
    ("train",): N_("Layout: training set in {train}; classes are the folders inside"),
    ("train", "val"): N_("Layout: training set in {train}, validation set in {val}; classes are the folders inside"),
    ("train", "test"): N_("Layout: training set in {train}, test set in {test}; classes are the folders inside"),
    ("train", "val", "test"): N_(
        "Layout: training set in {train}, validation set in {val}, test set in {test}; classes are the folders inside"
    ),
}


@dataclass(frozen=True)
class ClassFolder:
    """A folder whose photos, at any depth, have one label. part: "" where the split is still to be made."""

    path: str
    label: str
    part: str = ""


@dataclass(frozen=True)
class Layout:
    """How a folder is read. Paths are relative to the source.

    at: the folder in which the layout stands, "" for the source itself.
    said: in one sentence, as a record.
    classes: the class folders. unlabelled: folders with photos without a class. beside: folders with photos that take
        no part. parts: folder -> part, where the data declare parts. kind: "inner", where folders inside are classes.
    outside: folders with photos beside the one in which the layout stands.
    """

    at: str
    said: Coded
    classes: tuple[ClassFolder, ...]
    parts: Mapping[str, str]
    unlabelled: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    kind: str = ""
    outside: tuple[str, ...] = ()


def recognized(tree: Tree, chosen: str = "", start: str = "") -> Layout:
    """The layout of a folder, or of one in it. Raises DataError where it has none, AmbiguousError where it may have
    several."""
    at = _innermost(tree, start, chosen)
    if chosen.startswith(ONLY):
        return _only(tree, at, chosen.removeprefix(ONLY).strip("/"))
    if chosen == "classes":
        return _classes(tree, at)
    if chosen == "inner":
        return _inner(tree, at)
    parts = parts_of(tree, at, chosen == "parts")
    if chosen == "parts" and not parts:
        message = _("{root}: found no training set among the folders {folders}; accepted: another --layout")
        raise DataError(message.format(root=tree.root, folders=few(tree.folders(at))))
    if parts:
        return _in_parts(tree, at, parts, is_sure=chosen == "parts")
    holding = tree.holding(at)
    if not holding:
        raise DataError(_nothing(tree, at))
    if one := _data_set(tree, at, holding):
        found = recognized(tree, start=posixpath.join(at, one))
        return replace(found, outside=tuple(name for name in holding if name != one))
    if len(holding) == 1 and (hint := labels_elsewhere(tree, at)):
        message = _("{root}: found no class folders in {folder}/; {hint}")
        raise DataError(message.format(root=tree.root / at, folder=holding[0], hint=hint))
    check_sure(tree, at, holding)
    if file := listed_elsewhere(tree, at):
        text = _("{where}: the classes in {file} differ from the folders of {folders}; to use the file: --data {path}")
        where, path = ((tree.root / place).as_posix() for place in (at, file))
        said = text.format(where=where, file=posixpath.basename(file), folders=few(holding), path=path)
        raise AmbiguousError(said, [("classes", _("each of these folders is a class"))])
    return _classes(tree, at)


def _data_set(tree: Tree, at: str, holding: Sequence[str]) -> str:
    """The one folder that holds a training set with its validation or test set, beside others that hold no such; "" for
    none. Raises AmbiguousError where there are several."""
    found = []
    for name in holding:
        with suppress(DataError):
            if len(parts_of(tree, _innermost(tree, posixpath.join(at, name)), False)) > 1:
                found.append(name)
    if len(found) > 1:
        text = _("{where}: found a training set in each of {folders}")
        said = text.format(where=(tree.root / at).as_posix(), folders=few(found))
        raise AmbiguousError(said, [(f"{ONLY}{name}", _("only {name}/").format(name=name)) for name in found])
    return found[0] if found else ""


def _innermost(tree: Tree, at: str, chosen: str = "") -> str:
    """The folder in which the layout stands: below a chain of folders that hold nothing else."""
    wanted = chosen.removeprefix(ONLY) if chosen.startswith(ONLY) else None
    while True:
        holding = tree.holding(at)
        if len(holding) != 1 or (wanted is None and part_of(holding[0]) == "train"):
            return at
        inside = posixpath.join(at, holding[0])
        if holding[0] == wanted and wanted not in tree.folders(inside):  # a folder in one of its own name is meant
            return at
        if not tree.holding(inside) or tree.photos(inside):
            return at
        at = inside


def _in_parts(tree: Tree, at: str, parts: Mapping[str, str], only: str = "", is_sure: bool = False) -> Layout:
    train = next(name for name, part in parts.items() if part == "train")
    place = unwrapped(tree, posixpath.join(at, train))
    holding = tree.holding(place)
    if not holding or (len(holding) == 1 and holding[0].lower() in PICTURES):
        message, hint = _("{root}: found no class folders in {folder}/; {hint}"), labels_elsewhere(tree, at)
        raise DataError(message.format(root=tree.root / at, folder=train, hint=hint or _(ACCEPTED)))
    if not only and not is_sure:
        check_sure(tree, place, holding, "parts")
    is_version = only in tree.folders(place)
    known = set(tree.folders(posixpath.join(place, only) if is_version else place))
    classes: list[ClassFolder] = []
    unlabelled: list[str] = []
    said: dict[str, str] = {}
    for name, part in parts.items():
        inside = place if name == train else unwrapped(tree, posixpath.join(at, name), known)
        if is_version and only in tree.folders(inside):
            inside = posixpath.join(inside, only)
        names = tree.folders(inside)
        if name != train and not known & set(names) and len(tree.holding(inside)) < 2:
            unlabelled.append(posixpath.join(at, name))
            continue
        said[part] = f"{inside}/"
        below = "" if is_version else only
        classes += (ClassFolder(posixpath.join(inside, label, below).rstrip("/"), label, part) for label in names)
    rest = [name for name in tree.holding(at) if name not in parts]
    flat = [name for name in rest if not tree.holding(posixpath.join(at, name)) or part_of(name) == "unlabelled"]
    text = PARTS_SAID[tuple(part for part in ("train", "val", "test") if part in said)].format(**said)
    if only and not is_version:
        text = N_("{layout}, only {name}/ is used").format(layout=text, name=only)
    return Layout(
        at,
        text,
        tuple(classes),
        {name: part for name, part in parts.items() if part in said},
        (*unlabelled, *(posixpath.join(at, name) for name in flat if part_of(name) in ("unlabelled", "test", "val"))),
        tuple(posixpath.join(at, name) for name in rest if not (name in flat and part_of(name))),
    )


def _classes(tree: Tree, at: str) -> Layout:
    said = N_("Layout: each folder is a class") if not at else N_("Layout: each folder in {folder} is a class")
    classes = tuple(ClassFolder(posixpath.join(at, name), name) for name in tree.folders(at))
    return Layout(at, said.format(folder=f"{at}/"), classes, {})


def _inner(tree: Tree, at: str) -> Layout:
    outer = tree.holding(at)
    places = [within(tree, posixpath.join(at, name)) for name in outer]
    classes = tuple(
        ClassFolder(posixpath.join(place, label), label) for place in places for label in tree.folders(place)
    )
    if not classes:
        message = _("{root}: found no folders inside {folders}; accepted: another --layout")
        raise DataError(message.format(root=tree.root / at, folders=few(outer)))
    said = N_("Layout: classes are the folders inside {folders}; folders with the same name are one class")
    return Layout(at, said.format(folders=few(outer)), classes, {}, kind="inner")


def _only(tree: Tree, at: str, name: str) -> Layout:
    if name in tree.folders(at):
        return recognized(tree, start=posixpath.join(at, name))
    said = N_("Layout: each folder is a class, and only {name}/ inside it is used")
    parts = parts_of(tree, at, False)
    if parts:
        return _in_parts(tree, at, parts, name)
    having = [outer for outer in tree.folders(at) if name in tree.folders(posixpath.join(at, outer))]
    if not having:
        names = Counter(inner for outer in tree.holding(at) for inner in tree.folders(posixpath.join(at, outer)))
        accepted = [*tree.folders(at), *(inner for inner, n in names.items() if n > 1)]
        raise DataError(unknown("folder", name, accepted[:20], where=f"--layout {ONLY}{name}"))
    classes = tuple(ClassFolder(posixpath.join(at, outer, name), outer) for outer in having)
    beside = tuple(posixpath.join(at, outer) for outer in tree.holding(at) if outer not in having)
    return Layout(at, said.format(name=name), classes, {}, beside=beside)


def _nothing(tree: Tree, at: str) -> str:
    """Why a folder without folders of photos is refused."""
    folders, files = tree.listed(at)
    root, photos = tree.root / at, tree.photos(at)
    if not folders and not files:
        found = _("an empty folder")
    elif not folders:
        found = _("{n} files and no class folders").format(n=len(files))
    else:
        text = _("{n} photos at the top level and none in the folders {folders}")
        text = text if photos else _("no photos in the folders {folders}")
        found = text.format(n=len(photos), folders=few(folders))
    hint = labels_elsewhere(tree, at) or _(ACCEPTED)
    return _("{root}: found {found}; {accepted}").format(root=root, found=found, accepted=hint)
