"""Text files beside class folders that may hold the official split of a data set; they are noted and not read."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from commongarden.data.layout import Layout
from commongarden.data.tree import Tree
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_

_NAMES = re.compile(r"(?i)(.*[_-])?(train|trainval|val|valid|validation|test|split|splits)(list)?([_-].*)?\.txt")


def said(tree: Tree, found: Layout) -> Iterator[Coded]:
    """A note, as a record, where there are such files, and the folders declare no test set with classes."""
    if "test" in found.parts.values():
        return
    places = [(place, tree.files(place)) for place in _places(tree, found)]
    files = [posixpath.join(place, name) for place, names in places for name in names if _NAMES.fullmatch(name)]
    if files:
        text = N_("{file} may contain the official split and is not read; a CSV of path,label,split can list the sets")
        yield text.format(file=", ".join(files[:3]))


def _places(tree: Tree, found: Layout) -> Iterator[str]:
    """The folders from the source down to the layout, and those beside the class folders."""
    classes = {posixpath.dirname(one.path) for one in found.classes}
    above = {"", *found.unlabelled}
    for place in classes | {found.at}:
        inner = place
        while inner:
            above.add(inner)
            inner = posixpath.dirname(inner)
    beside = {posixpath.join(place, name) for place in above for name in tree.folders(place)}
    yield from sorted(above | {place for place in beside if not tree.holds_photos(place)})
