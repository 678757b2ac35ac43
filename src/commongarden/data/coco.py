"""COCO annotations (JSON: images, annotations, categories) as classes, where each photo has one category."""

from __future__ import annotations

import posixpath
import unicodedata
from collections import defaultdict
from pathlib import Path

import msgspec

from commongarden.data import regular
from commongarden.data.listing import NO_FILE, Candidate, Listed
from commongarden.data.vocabulary import PICTURES
from commongarden.errors import DataError
from commongarden.i18n.coded import NOTHING
from commongarden.i18n.language import N_, _
from commongarden.io.terminal import NOT_IN_NAMES

ENDING = ".json"
SAID = N_("Layout: the COCO annotations in {file}; the class of each photo is its category")
UNANNOTATED = N_("no label: no annotation in {file}")


class _Photo(msgspec.Struct):
    id: int | str
    file_name: str


class _Annotation(msgspec.Struct):
    image_id: int | str
    category_id: int | str


class _Category(msgspec.Struct):
    id: int | str
    name: str


class _Coco(msgspec.Struct):
    images: list[_Photo]
    annotations: list[_Annotation]
    categories: list[_Category]


def listed(file: Path) -> Listed:
    """The photos of a file of COCO annotations. Raises DataError for another file, and where photos have several
    categories, as in object detection."""
    found = _read(file)
    names = {category.id: unicodedata.normalize("NFC", category.name.strip()) for category in found.categories}
    labels: defaultdict[int | str, set[str]] = defaultdict(set)
    for one in found.annotations:
        if one.category_id not in names:
            text = _("{file}: found the category {found!r} of an annotation; accepted: those in 'categories'")
            raise DataError(text.format(file=file, found=one.category_id))
        labels[one.image_id].add(names[one.category_id])
    for label in names.values():
        if not label or NOT_IN_NAMES.search(label):
            text = _("{file}: found the category {label!r}; accepted: names without control characters")
            raise DataError(text.format(file=file, label=label))
    several = [photo for photo in found.images if len(labels[photo.id]) > 1]
    if several:
        text = _(
            "{file}: {k} of {n} photos, such as {path}, have objects of several categories (object detection), which "
            "is not supported; accepted: one category per photo"
        )
        counts = {"k": f"{len(several):,}", "n": f"{len(found.images):,}"}
        raise DataError(text.format(file=file, path=several[0].file_name, **counts))
    root = _root(file, found.images)
    candidates = []
    for path, label in sorted({(one.file_name, min(labels[one.id], default="")) for one in found.images}):
        reason = NO_FILE if not (root / path).is_file() else NOTHING
        if not label:
            candidates.append(Candidate(path, "", counts=False, reason=UNANNOTATED.format(file=file.name)))
        else:
            candidates.append(Candidate(path, label, reason=reason, written=path if reason else ""))
    return Listed(str(file), str(root), tuple(candidates), SAID.format(file=file.name))


def _read(file: Path) -> _Coco:
    try:
        with regular.opened(file) as opened:
            found = msgspec.json.decode(opened.read(), type=_Coco)
    except OSError as error:
        raise DataError(_("{file}: cannot be read: {reason}").format(file=file, reason=error.strerror)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = _(
            "{file}: not COCO annotations: {reason}; accepted: an object of images, annotations and categories. From "
            "Label Studio, export CSV or COCO."
        )
        raise DataError(text.format(file=file, reason=error)) from None
    outside = next((one.file_name for one in found.images if _leads_out(one.file_name)), None)
    if outside is not None:
        text = _("{file}: found the path {path!r}; accepted: paths below the folder of the photos")
        raise DataError(text.format(file=file, path=outside))
    if len({one.file_name for one in found.images}) < len(found.images):
        raise DataError(_("{file}: found a photo twice in 'images'; accepted: each once").format(file=file))
    return found


def _leads_out(path: str) -> bool:
    return path.startswith("/") or ".." in path.split("/") or "\\" in path or posixpath.normpath(path) != path


def _root(file: Path, photos: list[_Photo]) -> Path:
    """The folder that the names of photos begin from: the one of the file or above it, or one in it called "images", or
    as the file ("instances_train2017.json": train2017)."""
    places = [file.parent] + [file.parent.parent] * (file.parent.name == "annotations")
    inside = [place / name for place in places for name in (*sorted(PICTURES), file.stem.rpartition("_")[2])]
    some = photos[:20]
    return max((*places, *inside), key=lambda place: sum((place / one.file_name).is_file() for one in some))
