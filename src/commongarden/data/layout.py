"""Which folders are classes, and which are training, validation and test sets: recognized, or chosen by a person."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from commongarden.data.ambiguity import check_sure, few
from commongarden.data.elsewhere import labels_elsewhere
from commongarden.data.tree import Tree
from commongarden.data.vocabulary import PART_NAMES, PICTURES, part_of
from commongarden.errors import DataError, unknown
from commongarden.language import N_, _
from commongarden.study.reading import ONLY

ACCEPTED = N_(
    "accepted: a folder with a folder of photos for each class, a folder with train/, val/, test/ and class folders "
    "in each, a CSV file of path,label[,split], or builtin:flowers"
)
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
    """

    at: str
    said: str
    classes: tuple[ClassFolder, ...]
    parts: Mapping[str, str]
    unlabelled: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    kind: str = ""


def recognized(tree: Tree, chosen: str = "") -> Layout:
    """The layout of a folder. Raises DataError where it has none, AmbiguousError where it may have several."""
    at = _innermost(tree, "", chosen)
    if chosen.startswith(ONLY):
        return _only(tree, at, chosen.removeprefix(ONLY).strip("/"))
    if chosen == "classes":
        return _classes(tree, at, tree.folders(at))
    if chosen == "inner":
        return _inner(tree, at)
    parts = _parts(tree, at, chosen == "parts")
    if chosen == "parts" and not parts:
        raise DataError(
            _("{root}: found no training set among the folders {folders}; accepted: another --layout").format(
                root=tree.root, folders=few(tree.folders(at))
            )
        )
    if parts:
        return _in_parts(tree, at, parts, is_sure=chosen == "parts")
    if not tree.holding(at):
        raise DataError(_nothing(tree, at))
    check_sure(tree, at, tree.holding(at))
    return _classes(tree, at, tree.folders(at))


def _innermost(tree: Tree, at: str, chosen: str = "") -> str:
    """The folder in which the layout stands: below a chain of folders that hold nothing else."""
    wanted = chosen.removeprefix(ONLY) if chosen.startswith(ONLY) else None
    while True:
        holding = tree.holding(at)
        if len(holding) != 1 or holding[0] == wanted or (wanted is None and part_of(holding[0]) == "train"):
            return at
        inside = posixpath.join(at, holding[0])
        if not tree.holding(inside) or tree.photos(inside):
            return at
        at = inside


def _parts(tree: Tree, at: str, is_chosen: bool) -> dict[str, str]:
    """The part of each folder that is one; empty where they are classes ("train" may be a class, beside "bus")."""
    folders, holding = tree.folders(at), tree.holding(at)
    exact = {name: PART_NAMES[name.lower()] for name in folders if name.lower() in PART_NAMES}
    if len(exact) == len(folders) and "train" in exact.values():
        if len(set(exact.values())) == len(exact):
            return exact
        raise DataError(_one_for_each(tree, at, list(exact)))
    found = {name: part for name in holding if (part := exact.get(name, part_of(name)))}
    inside = {name: set(tree.holding(_unwrapped(tree, posixpath.join(at, name)))) for name in holding}
    trains = [name for name, part in found.items() if part == "train" and (len(inside[name]) > 1 or is_chosen)]
    if len(trains) > 1:
        trains = [name for name in trains if name in exact] or trains
    others = [name for name in found if found[name] in ("val", "test")]
    if not trains:
        return _without_train(tree, at, found, others, inside, exact)
    if len(trains) > 1:
        raise DataError(_one_for_each(tree, at, trains))
    train, classes = trains[0], inside[trains[0]]
    second = [name for name in others if inside[name] & classes or len(inside[name]) < 2]
    beside = [name for name in holding if name not in found]
    if not second and not is_chosen and (train not in exact or beside):
        return {}
    mixed = [name for name in beside if inside[name] & classes]
    if mixed and not is_chosen:
        raise DataError(_mixed(tree, at, {train: "train", **dict.fromkeys(second)}, mixed))
    parts = {train: "train"}
    for part in ("val", "test"):
        named = [name for name in second if found[name] == part]
        named = [name for name in named if name in exact] or named
        if len(named) > 1:
            raise DataError(_one_for_each(tree, at, named))
        parts |= dict.fromkeys(named, part)
    return parts


def _without_train(
    tree: Tree,
    at: str,
    found: Mapping[str, str],
    others: Sequence[str],
    inside: Mapping[str, set[str]],
    exact: Mapping[str, str],
) -> dict[str, str]:
    """No part, or a refusal: sets without class folders, or without one to learn from, are no classes either."""
    trains = [name for name, part in found.items() if part == "train"]
    holding = tree.holding(at)
    if trains and others and set(holding) == set(found) and not any(inside[name] for name in others):
        raise DataError(
            _("{root}: found {parts} without class folders inside; {hint}").format(
                root=tree.root / at, parts=few(list(found)), hint=labels_elsewhere(tree, at) or _(ACCEPTED)
            )
        )
    if len(exact) > 1 and set.intersection(*(set(tree.folders(posixpath.join(at, name))) for name in exact)):
        raise DataError(_mixed(tree, at, exact, [name for name in tree.folders(at) if name not in exact]))
    return {}


def _mixed(tree: Tree, at: str, parts: Mapping[str, str | None], others: Sequence[str]) -> str:
    found = _("beside {others}").format(others=", ".join(others)) if others else _("but no train")
    if not others:
        return _(
            "{root}: found the part folders {parts} {found}; accepted: train, val and test alone "
            "(train at least), or class folders alone"
        ).format(root=tree.root / at, parts=", ".join(sorted(parts)), found=found)
    return _(
        "{root}: found the part folders {parts} {found}, which hold the same classes; accepted: --layout parts, which "
        "leaves {others} out, or --layout classes, by which each of these folders is a class"
    ).format(root=tree.root / at, parts=", ".join(sorted(parts)), found=found, others=", ".join(others))


def _one_for_each(tree: Tree, at: str, names: Sequence[str]) -> str:
    return _("{root}: found {parts}; accepted: one folder for each of train, val, test").format(
        root=tree.root / at, parts=", ".join(names)
    )


def _unwrapped(tree: Tree, at: str, classes: set[str] | None = None) -> str:
    """The folder that holds a part's class folders: that of seg_train/seg_train/buildings is seg_train/seg_train."""
    while True:
        holding = tree.holding(at)
        if len(holding) != 1 or tree.photos(at) or (classes and holding[0] in classes):
            return at
        if not tree.holding(posixpath.join(at, holding[0])):
            return at
        at = posixpath.join(at, holding[0])


def _in_parts(tree: Tree, at: str, parts: Mapping[str, str], only: str = "", is_sure: bool = False) -> Layout:
    train = next(name for name, part in parts.items() if part == "train")
    place = _unwrapped(tree, posixpath.join(at, train))
    holding = tree.holding(place)
    if not holding or (len(holding) == 1 and holding[0].lower() in PICTURES):
        raise DataError(
            _("{root}: found no class folders in {folder}/; {hint}").format(
                root=tree.root / at, folder=train, hint=labels_elsewhere(tree, at) or _(ACCEPTED)
            )
        )
    if not only and not is_sure:
        check_sure(tree, place, holding, "parts")
    is_version = only in tree.folders(place)
    known = set(tree.folders(posixpath.join(place, only) if is_version else place))
    classes: list[ClassFolder] = []
    unlabelled: list[str] = []
    said: dict[str, str] = {}
    for name, part in parts.items():
        inside = place if name == train else _unwrapped(tree, posixpath.join(at, name), known)
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
    return Layout(
        at,
        text
        if is_version or not only
        else N_("{layout}, of which only {name}/ is used").format(layout=text, name=only),
        tuple(classes),
        {name: part for name, part in parts.items() if part in said},
        (*unlabelled, *(posixpath.join(at, name) for name in flat if part_of(name) in ("unlabelled", "test", "val"))),
        tuple(posixpath.join(at, name) for name in rest if not (name in flat and part_of(name))),
    )


def _classes(tree: Tree, at: str, names: Sequence[str]) -> Layout:
    said = N_("Layout: each folder is a class") if not at else N_("Layout: each folder in {folder} is a class")
    return Layout(
        at, said.format(folder=f"{at}/"), tuple(ClassFolder(posixpath.join(at, name), name) for name in names), {}
    )


def _inner(tree: Tree, at: str) -> Layout:
    outer = tree.holding(at)
    classes = tuple(
        ClassFolder(posixpath.join(at, name, label), label)
        for name in outer
        for label in tree.folders(posixpath.join(at, name))
    )
    if not classes:
        raise DataError(
            _("{root}: found no folders inside {folders}; accepted: another --layout").format(
                root=tree.root / at, folders=few(outer)
            )
        )
    said = N_("Layout: classes are the folders inside {folders}; folders with the same name are one class")
    return Layout(at, said.format(folders=few(outer)), classes, {}, kind="inner")


def _only(tree: Tree, at: str, name: str) -> Layout:
    if name in tree.folders(at):
        inside = Tree(tree.root / at / name)
        found = recognized(inside)
        return _moved(found, posixpath.join(at, name))
    said = N_("Layout: each folder is a class, and only {name}/ inside it is used")
    parts = _parts(tree, at, False)
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


def _moved(found: Layout, to: str) -> Layout:
    """The layout of a folder as one of the source that holds it."""
    if found.parts:
        said = found.said
    else:
        said = N_("Layout: each folder in {folder} is a class").format(
            folder=f"{posixpath.join(to, found.at).rstrip('/')}/"
        )
    return replace(
        found,
        at=posixpath.join(to, found.at) if found.at else to,
        said=said,
        classes=tuple(replace(one, path=posixpath.join(to, one.path)) for one in found.classes),
        unlabelled=tuple(posixpath.join(to, place) for place in found.unlabelled),
        beside=tuple(posixpath.join(to, place) for place in found.beside),
    )


def _nothing(tree: Tree, at: str) -> str:
    """Why a folder without folders of photos is refused."""
    folders, files = tree.listed(at)
    root, photos = tree.root / at, tree.photos(at)
    if not folders and not files:
        found = _("an empty folder")
    elif not folders:
        found = _("{n} files directly in it and no class folders").format(n=len(files))
    else:
        text = _("{n} photos directly in it, and none in the folders {folders}")
        found = (text if photos else _("no photos in the folders {folders}")).format(
            n=len(photos), folders=few(folders)
        )
    hint = labels_elsewhere(tree, at) or _(ACCEPTED)
    return _("{root}: found {found}; {accepted}").format(root=root, found=found, accepted=hint)
