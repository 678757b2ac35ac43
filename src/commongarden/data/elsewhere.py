"""Where the classes of photos may be that lie in no class folders: a CSV file beside them, boxes, the files' names."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator

from commongarden.data import table
from commongarden.data.tree import Tree
from commongarden.language import _

FEWEST = 4  # photos


def labels_elsewhere(tree: Tree, at: str) -> str:
    """A sentence on what to do; "" where nothing is found."""
    places = [at, *(posixpath.join(at, name) for name in tree.folders(at))]
    files = [posixpath.join(place, name) for place in places for name in tree.files(place)]
    for file in files:
        if posixpath.basename(file).lower() == "_classes.csv":
            return _(
                "{file} gives each class a column (multi-label); export the data as class folders (in Roboflow: Folder "
                "Structure)"
            ).format(file=file)
    for file in files:
        if file.lower().endswith(table.ENDINGS) and table.holds_photos(tree.root / file):
            return _("{file} lists photos with their classes; did you mean --data {path}?").format(
                file=file, path=(tree.root / file).as_posix()
            )
    if _are_boxes(tree, files):
        return _(
            "they come with boxes or masks of the objects in them (object detection, segmentation), not with one class "
            "for each photo"
        )
    names = next((words for place in places if len(words := _first_words(tree.photos(place))) > 1), [])
    if names:
        return _(
            "the names of the photos begin with {names}: move them into a folder for each of these, or write a CSV of "
            "path,label"
        ).format(names=", ".join(names))
    return ""


def _are_boxes(tree: Tree, files: list[str]) -> bool:
    names = [posixpath.basename(file).lower() for file in files]
    if any("annotations" in name or name.startswith(("instances_", "_annotations")) for name in names):
        return True
    if "data.yaml" in names or "data.yml" in names:
        return True
    photos = {posixpath.splitext(name)[0] for name in names if name.endswith((".jpg", ".jpeg", ".png"))}
    beside = {posixpath.splitext(name)[0] for name in names if name.endswith((".xml", ".txt"))}
    return len(photos & beside) > 1


def _first_words(names: list[str]) -> list[str]:
    """The words with which photos' names begin, where these are few and each is there often: cat.0.jpg, dog.1.jpg."""
    counts = Counter(_words(names))
    if len(names) < FEWEST or sum(counts.values()) < 0.9 * len(names) or len(counts) > len(names) / 2:
        return []
    return [word for word, n in counts.most_common(6) if n > 1]


def _words(names: list[str]) -> Iterator[str]:
    for name in names:
        found = re.match(r"([^\W\d_]{2,}(?:[ _-][^\W\d_]+)*)[ _.-]*\(?\d", name)
        if found is not None:
            yield found[1]
