"""Where the classes of photos may be that lie in no class folders: a CSV file beside them, boxes, the files' names."""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from itertools import islice

from commongarden.data import table
from commongarden.data.tree import Tree, is_named_so
from commongarden.data.vocabulary import part_of
from commongarden.errors import DataError
from commongarden.i18n.language import _

FEWEST = 4  # photos
MOST_ROWS = 1000
MOST_HEAD = 4096  # bytes
MOST_FILES = 100_000
MOST_BYTES = 50_000_000  # of a CSV file


def labels_elsewhere(tree: Tree, at: str) -> str:
    """A sentence on what to do; "" where nothing is found."""
    places = [at, *(posixpath.join(at, name) for name in tree.folders(at))]
    files = [posixpath.join(place, name) for place in places for name in tree.files(place)]
    for file in files:
        if posixpath.basename(file).lower() == "_classes.csv":
            return _(
                "{file} has a column for each class (multi-label); export the data as class folders (in "
                "Roboflow: Folder Structure)"
            ).format(file=file)
    for file in files:
        if file.lower().endswith(table.ENDINGS) and _names_classes(tree, at, file):
            text = _("{file} lists photos with their classes; did you mean --data {path}?")
            return text.format(file=file, path=(tree.root / file).as_posix())
    for file in files:
        if file.lower().endswith(".json") and _is_coco(tree, file):
            text = _("{file} holds COCO annotations; did you mean --data {path}?")
            return text.format(file=file, path=(tree.root / file).as_posix())
    if _are_boxes(files):
        return _("the photos have bounding boxes or masks (object detection, segmentation) rather than one class each")
    names = next((words for place in places if len(words := _first_words(tree.photos(place))) > 1), [])
    if names:
        return _(
            "the names of the photos start with {names}: move the photos into one folder per name, or "
            "write a CSV of path,label"
        ).format(names=", ".join(names))
    return ""


def listed_elsewhere(tree: Tree, at: str) -> str:
    """The CSV file in a folder that gives photos in the folders beside it classes of which no folder bears the name; ""
    for none."""
    for name in tree.files(at):
        file = posixpath.join(at, name)
        if name.lower().endswith(table.ENDINGS):
            rows = _rows(tree, file)
            labels = {row.label for row in rows}
            own = {label.casefold() for label in labels} & {folder.casefold() for folder in tree.folders(at)}
            found = _found(tree, at, rows)
            tops = {(_top(at, path), row.label) for row, path in found}
            is_finer = len(tops) > len({top for top, _label in tops})  # several classes in one of the folders
            if len(labels) > 1 and not own and is_finer and 2 * len(found) > len(rows):
                return file
    return ""


def _names_classes(tree: Tree, at: str, file: str) -> bool:
    """Whether a CSV file has several classes of photos, and not of those of a test set alone, as a form for answers."""
    rows = _rows(tree, file)
    if len({row.label for row in rows}) < 2:
        return False
    tops = {_top(at, path) for _row, path in _found(tree, at, rows)}
    return not tops or not all(part_of(top) in ("test", "unlabelled") for top in tops)


def _rows(tree: Tree, file: str) -> list[table.Row]:
    try:
        if (tree.root / file).stat().st_size > MOST_BYTES:
            return []
        return list(islice(table.read(tree.root / file).rows(), MOST_ROWS))
    except (DataError, OSError):
        return []


def _found(tree: Tree, at: str, rows: list[table.Row]) -> list[tuple[table.Row, str]]:
    """The rows whose photos are below a folder, with their paths, found by their names."""
    walked = [path for path in islice(tree.walk(at, set()), MOST_FILES) if is_named_so(path)]
    named: defaultdict[str, set[str]] = defaultdict(set)
    for path in walked:
        named[_stem(path)].add(path)
    found = []
    for row in rows:
        own = posixpath.normpath(posixpath.join(at, row.path))
        paths = named.get(_stem(row.path), set())
        if own in paths or len(paths) == 1:
            found.append((row, own if own in paths else next(iter(paths))))
    return found


def _top(at: str, path: str) -> str:
    return posixpath.relpath(path, at or ".").split("/")[0]


def _stem(path: str) -> str:
    name = posixpath.basename(path.replace("\\", "/"))
    return posixpath.splitext(name)[0] if is_named_so(name) else name


def _is_coco(tree: Tree, file: str) -> bool:
    """Whether the first characters of a file are those of COCO annotations of categories."""
    try:
        with (tree.root / file).open("rb") as opened:
            head = opened.read(MOST_HEAD)
            return b'"images"' in head or b'"annotations"' in head or b'"categories"' in head
    except OSError:
        return False


def _are_boxes(files: list[str]) -> bool:
    names = [posixpath.basename(file).lower() for file in files]
    listed = any("annotations" in name or name.startswith(("instances_", "_annotations")) for name in names)
    if listed or "data.yaml" in names or "data.yml" in names:
        return True
    photos = {posixpath.splitext(name)[0] for name in names if name.endswith((".jpg", ".jpeg", ".png"))}
    beside = {posixpath.splitext(name)[0] for name in names if name.endswith((".xml", ".txt"))}
    return len(photos & beside) > 1


def _first_words(names: list[str]) -> list[str]:
    """The words with which photos' names begin, where these are few and each is there often: cat.0.jpg, dog.1.jpg."""
    begins = (re.match(r"([^\W\d_]{2,}(?:[ _-][^\W\d_]+)*)[ _.-]*\(?\d", name) for name in names)
    counts = Counter(found[1] for found in begins if found is not None)
    if len(names) < FEWEST or sum(counts.values()) < 0.9 * len(names) or len(counts) > len(names) / 2:
        return []
    return [word for word, n in counts.most_common(6) if n > 1]
