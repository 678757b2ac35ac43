"""Parquet files with the bytes of photos, as the library `datasets` of Hugging Face writes them."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from commongarden.data import image, kinds, packs
from commongarden.data.members import Member, part_of_shard
from commongarden.data.stored import StoredFile, in_parquet
from commongarden.errors import DataError
from commongarden.i18n.language import N_, _

LABELS = ("label", "labels", "class", "category", "target", "y")
ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "WebP": ".webp", "GIF": ".gif", "TIFF": ".tif", "BMP": ".bmp",
           "AVIF": ".avif", "HEIC": ".heic", "JPEG 2000": ".jp2", "PPM": ".ppm", "TGA": ".tga"}  # fmt: skip
NO_LABEL = N_("no label: the column {column} is empty")


def members(path: Path, shard: str) -> list[Member]:
    """The photos of the Parquet file `path`, called `shard`, by row. Raises DataError for other columns."""
    opened = packs.parquet(path)
    try:
        schema = opened.schema_arrow
        image_column, label_column, names = _columns(path, schema)
        wanted = [label_column]
        struct = image_column.removesuffix(".bytes") if image_column.endswith(".bytes") else ""
        has_path = bool(struct) and schema.field(struct).type.get_field_index("path") >= 0
        wanted += [f"{struct}.path"] * has_path + ["group"] * ("group" in schema.names)
        table = opened.read(columns=wanted)
    finally:
        opened.close()
    labels = table.column(label_column).to_pylist()
    paths = [(one or {}).get("path") for one in table.column(struct).to_pylist()] if has_path else [None] * len(labels)
    groups = table.column("group").to_pylist() if "group" in schema.names else [None] * len(labels)
    stem, part = posixpath.splitext(posixpath.basename(shard))[0], part_of_shard(shard)
    found = []
    for row, (label, written, group) in enumerate(zip(labels, paths, groups, strict=True)):
        where = in_parquet(shard, row)
        name = posixpath.basename((written or "").replace("\\", "/")) or f"{stem}-{row:08}{_ending(path, row)}"
        said = _class(path, label, names, row)
        if said:
            found.append(Member(name, where, stem, said, part, "" if group is None else str(group)))
        else:
            reason = NO_LABEL.format(column=label_column)
            found.append(Member(name, where, stem, "", part, reason=reason, counts=False))
    return found


def _ending(path: Path, row: int) -> str:
    """The ending of a file of a photo without a name, by its first bytes."""
    kind = kinds.kind(image.head(StoredFile(path, row, None, "")))
    return ENDINGS.get(kind or "", "")


def _class(path: Path, label: Any, names: Sequence[str], row: int) -> str:
    if label is None or (isinstance(label, int) and label < 0 and names):  # -1 stands for "unknown" in datasets
        return ""
    if not names:
        return str(label).strip()
    if not isinstance(label, int) or label >= len(names):
        text = _("{file}: row {row}: found the label {label!r}; accepted: 0 to {most}")
        raise DataError(text.format(file=path, row=row, label=label, most=len(names) - 1))
    return names[label]


def _columns(path: Path, schema: Any) -> tuple[str, str, Sequence[str]]:
    """(the photos' column, that of the labels, names of the classes). Raises DataError where that is not certain."""
    column = packs.image_column(schema)
    if not column:
        text = _(
            "{file}: found the columns {columns}; accepted: one column of image bytes, or of a struct of bytes and path"
        )
        raise DataError(text.format(file=path, columns=", ".join(schema.names)))
    features = _features(schema)
    classes = {name: one for name, one in features.items() if one.get("_type") == "ClassLabel"}
    named = list(classes) or [name for name in schema.names if name.lower() in LABELS]
    exact = [name for name in named if name.lower() in LABELS]
    named = exact if len(exact) == 1 else named
    if len(named) != 1:
        text = _("{file}: found {found} in the columns {columns}; accepted: one column of labels, called {label!r}")
        found = _("the labels {names}").format(names=", ".join(named)) if named else _("no labels")
        columns = ", ".join(schema.names)
        raise DataError(text.format(file=path, found=found, columns=columns, label="label"))
    return column, named[0], [str(name) for name in classes.get(named[0], {}).get("names") or ()]


def _features(schema: Any) -> Mapping[str, dict[str, Any]]:
    """What the metadata of `datasets` say of the columns; empty where there are none."""
    try:
        about = msgspec.json.decode((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = about["info"]["features"]
        return {name: one for name, one in features.items() if isinstance(one, dict)}
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return {}
