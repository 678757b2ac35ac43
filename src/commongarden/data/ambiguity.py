"""Folders that can be read in several ways: what a person is asked, and the answers there are."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence

from commongarden.data.elsewhere import labels_elsewhere
from commongarden.data.tree import Tree
from commongarden.data.vocabulary import ASIDE, MASKS, OCCASION, PICTURES, WHOLE, part_of
from commongarden.errors import DataError
from commongarden.i18n.language import _
from commongarden.study.reading import ONLY

MOST_CHOICES = 6


class AmbiguousError(DataError):
    """Folders that can be read in several ways. choices: values of --layout, with what each means."""

    def __init__(self, found: str, choices: Sequence[tuple[str, str]]) -> None:
        self.found, self.choices = found, tuple(choices)
        width = max(len(value) for value, _said in choices)
        lines = "".join(f"\n  --layout {value:<{width}}  {said}" for value, said in choices)
        text = _("{found}. Choose one (in a study file: layout = ... in [study]):{choices}")
        super().__init__(text.format(found=found, choices=lines))


def check_sure(tree: Tree, at: str, names: Sequence[str], whole: str = "classes") -> None:
    """Refuses class folders that may be something else: versions of one data set, images and their masks, a copy.

    whole: the layout by which they are classes after all, "parts" for those in a training set.
    """
    where = (tree.root / at).as_posix()
    inner = {name: tree.holding(within(tree, posixpath.join(at, name))) for name in names}
    pure = [name for name in names if len(inner[name]) > 0 and not tree.photos(posixpath.join(at, name))]
    counts = Counter(label for name in pure for label in inner[name])
    common = sorted(label for label, n in counts.items() if n > 1 and not OCCASION.fullmatch(label))
    if len(pure) > 1 and len(common) > 1:
        text = _("{where}: the folders {outer} contain subfolders with the same names, {inner}")
        found = text.format(where=where, outer=few(pure), inner=few(common))
        raise AmbiguousError(found, _choices(pure, common, whole))
    pictures = [name for name in names if name.lower() in PICTURES]
    masks = [name for name in names if name.lower() in MASKS]
    if pictures and masks:
        text = _("{where}: {pictures} and {masks} appear to be images and their masks (a segmentation data set)")
        found = text.format(where=where, pictures=few(pictures), masks=few(masks))
        if not any(inner[name] for name in pictures) and (hint := labels_elsewhere(tree, at)):
            message = _("{root}: found no class folders in {folder}/; {hint}")
            raise DataError(message.format(root=where, folder=pictures[0], hint=hint))
        kept = [(f"{ONLY}{name}", _("only {name}/").format(name=name)) for name in pictures if len(inner[name]) > 1]
        raise AmbiguousError(found, [*kept, (whole, _("each of these folders is a class"))])
    _check_one_holds_all(where, inner, whole)
    for name in names:
        again = [label for label in inner[name] if label in names and label != name]
        if len(again) > 1:
            text = _("{where}: {name}/ and its parent folder both contain {again}")
            found = text.format(where=where, name=name, again=few(again))
            alone = _("only {name}/, without the other folders").format(name=name)
            all_of_them = _("each folder is a class, including {name}/").format(name=name)
            raise AmbiguousError(found, [(f"{ONLY}{name}", alone), (whole, all_of_them)])


def _check_one_holds_all(where: str, inner: Mapping[str, Sequence[str]], whole: str) -> None:
    """Refuses a folder named for the whole data set, with folders in it, beside folders of photos."""
    full = [name for name, inside in inner.items() if len(inside) > 1]
    if len(full) != 1 or len(inner) < 2:
        return
    beside = [name for name in inner if name not in full]
    if full[0].lower() in WHOLE or all(name.lower() in ASIDE for name in beside):
        text = _("{where}: {name}/ contains folders of photos, {beside} only photos")
        found = text.format(where=where, name=full[0], beside=few(beside))
        only = _("only {name}/: each folder in it is a class").format(name=full[0])
        raise AmbiguousError(found, [(f"{ONLY}{full[0]}", only), (whole, _("each of these folders is a class"))])


def within(tree: Tree, at: str) -> str:
    """The folder that holds what a folder is for: that of amazon/images/<class> is amazon/images."""
    return tree.inmost(at, lambda outer, name: name == posixpath.basename(outer) or name.lower() in PICTURES)


def _choices(outer: Sequence[str], common: Sequence[str], whole: str) -> list[tuple[str, str]]:
    choices = []
    are_parts = all(part_of(name) or name.lower() in MASKS for name in common) and "train" in map(part_of, common)
    are_inside = not are_parts and any(name.lower() in PICTURES | MASKS for name in common)
    if are_inside and len(common) <= MOST_CHOICES:
        said = _("each folder is a class, and only {name}/ inside it is used")
        ordered = sorted(common, key=lambda name: name.lower() not in PICTURES)
        choices += [(f"{ONLY}{name}", said.format(name=name)) for name in ordered]
    are_numbers = all(any(letter.isdigit() for letter in name) for name in outer)  # of patients, plants, plots
    if len(outer) <= MOST_CHOICES and not are_inside and not are_numbers:
        said = _("only {name}/: each folder in it is a class")
        ordered = sorted(outer, key=lambda name: name.lower() not in PICTURES)
        choices += [(f"{ONLY}{name}", said.format(name=name)) for name in ordered]
    if choices and are_parts:
        return choices
    inner = _("the classes are {classes}, merged across these folders").format(classes=few(common))
    classes = _("the classes are {outer}, with all photos in their subfolders").format(outer=few(outer))
    return [*choices, *([("inner", inner)] if whole == "classes" else []), (whole, classes)]


def few(names: Sequence[str]) -> str:
    """The first folders of several, as text."""
    shown = ", ".join(f"{name}/" for name in names[:4])
    return shown if len(names) <= 4 else _("{names} and {n} more").format(names=shown, n=len(names) - 4)
