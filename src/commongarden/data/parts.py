"""Which folders are training, validation and test sets, by their names and by the class folders that they share."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from commongarden.data.ambiguity import few
from commongarden.data.elsewhere import labels_elsewhere
from commongarden.data.tree import Tree
from commongarden.data.vocabulary import MASKS, PART_NAMES, part_of
from commongarden.errors import DataError
from commongarden.i18n.language import N_, _

ACCEPTED = N_(
    "accepted: a folder with one folder of photos per class, a folder with train/, val/, test/ "
    "and class folders in each, a CSV file of path,label[,split], or builtin:flowers"
)


def parts_of(tree: Tree, at: str, is_chosen: bool) -> dict[str, str]:
    """The part of each folder that is one; empty where they are classes ("train" may be a class, beside "bus")."""
    folders, holding = tree.folders(at), tree.holding(at)
    exact = {name: PART_NAMES[name.lower()] for name in folders if name.lower() in PART_NAMES}
    if len(exact) == len(folders) and "train" in exact.values():
        if len(set(exact.values())) == len(exact):
            return exact
        raise DataError(_one_for_each(tree, at, list(exact)))
    found = {name: part for name in holding if (part := exact.get(name, part_of(name)))}
    inside = {name: set(tree.holding(unwrapped(tree, posixpath.join(at, name)))) for name in holding}
    trains = [name for name, part in found.items() if part == "train" and (len(inside[name]) > 1 or is_chosen)]
    if len(trains) > 1:
        trains = [name for name in trains if name in exact] or trains
    others = [name for name in found if found[name] in ("val", "test")]
    plain = [name for name in holding if name not in found and name.lower() not in MASKS]
    _check_several(tree, at, found, inside)
    if (
        not trains
        and "train" not in exact.values()
        and len(plain) == 1
        and any(len(inside[plain[0]] & inside[name]) > 1 for name in others)
    ):
        found[plain[0]] = "train"  # rps/ beside rps-test-set/
        trains = plain
    if not trains:
        return _without_train(tree, at, found, inside, exact)
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


def _check_several(tree: Tree, at: str, found: Mapping[str, str], inside: Mapping[str, set[str]]) -> None:
    """Refuses a training set of good parts alone, beside a test set of good and bad ones."""
    for train in (name for name, part in found.items() if part == "train" and len(inside[name]) == 1):
        for test in (name for name, part in found.items() if part == "test" and inside[train] < inside[name]):
            message = _(
                "{root}: found one class ({label}) in {train}/ and more in {test}/, which is anomaly "
                "detection, not classification; accepted: at least two classes in {train}/, or {test}/ as "
                "the data: --data {path}"
            )
            label, root = next(iter(inside[train])), tree.root / at
            path = (root / test).as_posix()
            raise DataError(message.format(root=root, train=train, test=test, label=label, path=path))


def _without_train(
    tree: Tree, at: str, found: Mapping[str, str], inside: Mapping[str, set[str]], exact: Mapping[str, str]
) -> dict[str, str]:
    """No part, or a refusal: sets without class folders, or without one to learn from, are no classes either."""
    others = [name for name, part in found.items() if part in ("val", "test")]
    are_all = "train" in found.values() and set(tree.holding(at)) == set(found)
    if are_all and others and not any(inside[name] for name in others):
        message = _("{root}: found {parts} without class folders inside; {hint}")
        hint = labels_elsewhere(tree, at) or _(ACCEPTED)
        raise DataError(message.format(root=tree.root / at, parts=few(list(found)), hint=hint))
    if len(exact) > 1 and set.intersection(*(set(tree.folders(posixpath.join(at, name))) for name in exact)):
        raise DataError(_mixed(tree, at, exact, [name for name in tree.folders(at) if name not in exact]))
    return {}


def _mixed(tree: Tree, at: str, parts: Mapping[str, str | None], others: Sequence[str]) -> str:
    found = _("next to {others}").format(others=", ".join(others)) if others else _("without train")
    if not others:
        return _(
            "{root}: found the folders {parts} {found}; accepted: only train, val and test (at least "
            "train), or only class folders"
        ).format(root=tree.root / at, parts=", ".join(sorted(parts)), found=found)
    return _(
        "{root}: found the folders {parts} {found} with the same classes; accepted: --layout "
        "parts, which skips {others}, or --layout classes, which reads each of these folders as a "
        "class"
    ).format(root=tree.root / at, parts=", ".join(sorted(parts)), found=found, others=", ".join(others))


def _one_for_each(tree: Tree, at: str, names: Sequence[str]) -> str:
    text = _("{root}: found {parts}; accepted: one folder for each of train, val, test")
    return text.format(root=tree.root / at, parts=", ".join(names))


def unwrapped(tree: Tree, at: str, classes: set[str] | None = None) -> str:
    """The folder that holds a part's class folders: that of seg_train/seg_train/buildings is seg_train/seg_train."""
    return tree.inmost(at, lambda _outer, name: name not in (classes or ()))
