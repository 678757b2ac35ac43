"""Photos in tar or Parquet shards: which files of a folder are shards, and what is in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from commongarden.data import parquet_shards, tar_shards
from commongarden.data.listing import Candidate, Listed
from commongarden.data.members import Member, candidates, labelled_by_folders
from commongarden.data.tree import Tree
from commongarden.errors import DataError
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_, _
from commongarden.io.terminal import NOT_IN_NAMES

TAR, PARQUET = ".tar", ".parquet"
NAMES = ("classnames.txt", "classes.txt", "labels.txt")  # a class a line, in the order of their numbers
SAID = {
    (TAR, True): N_("Layout: tar shards ({n}); classes are the folders inside"),
    (TAR, False): N_("Layout: tar shards ({n}); the class of each photo is in a .cls or .json file beside it"),
    (PARQUET, False): N_("Layout: Parquet shards ({n}); photos and classes in columns"),
}
NAMED = N_("the names of the classes are in {file}")


def of_source(path: Path) -> list[str]:
    """The shards of a source, relative to the folder that they are in: the file itself, or those of a folder and of the
    folders in it, where these hold no photos. Empty where there are none. Raises DataError for a compressed archive."""
    name = path.name.lower()
    if path.is_file():
        if name.endswith(tar_shards.COMPRESSED):
            text = _(
                "{file}: a compressed archive, of which no photo can be read alone; accepted: an uncompressed .tar, "
                "or the folder that it unpacks to"
            )
            raise DataError(text.format(file=path))
        return [path.name] if name.endswith((TAR, PARQUET)) else []
    if not path.is_dir():
        return []
    tree = Tree(path)
    places = ["", *tree.folders("")]
    found = [f"{place}/{file}" if place else file for place in places for file in tree.files(place)]
    found = sorted(file for file in found if file.lower().endswith((TAR, PARQUET)))
    return [] if not found or tree.holds_photos("") else found


def listed(source: Path, shards: list[str]) -> Listed:
    """The photos of shards. Raises DataError."""
    root = source if source.is_dir() else source.parent
    kinds = {TAR if shard.lower().endswith(TAR) else PARQUET for shard in shards}
    if len(kinds) > 1:
        text = _("{source}: found {tar} and {parquet}; accepted: either tar or Parquet files")
        first = {kind: next(shard for shard in shards if shard.lower().endswith(kind)) for kind in kinds}
        raise DataError(text.format(source=source, tar=first[TAR], parquet=first[PARQUET]))
    kind = kinds.pop()
    read = tar_shards.members if kind == TAR else parquet_shards.members
    found = [member for shard in shards for member in read(root, shard)]
    by_folders = kind == TAR and all(member.label is None for member in found)
    if by_folders:
        found = labelled_by_folders(found)
    elif any(member.label is None for member in found):
        lacking = next(member for member in found if member.label is None)
        text = _("{source}: found no .cls or .json files in {shard}, but in other shards; accepted: in all or in none")
        raise DataError(text.format(source=source, shard=f"{lacking.shard}{kind}"))
    found, notes = _named(root, found)
    made = candidates(found)
    _check(source, made)
    return Listed(str(source), str(root), tuple(made), SAID[kind, by_folders].format(n=len(shards)), notes)


def _named(root: Path, found: list[Member]) -> tuple[list[Member], tuple[Coded, ...]]:
    """The members with the names of their classes, where these are numbers and a file beside the shards names them."""
    labels = {member.label for member in found if not member.reason}
    file = next((root / name for name in NAMES if (root / name).is_file()), None)
    if file is None or not all(label and label.isascii() and label.isdecimal() for label in labels):
        return found, ()
    lines = file.read_text("utf-8", "replace").splitlines()
    if any(int(label or 0) >= len(lines) for label in labels):
        return found, ()
    names = {label: lines[int(label or 0)].strip() for label in labels}
    renamed = [replace(one, label=names.get(one.label) or one.label) for one in found]
    return renamed, (NAMED.format(file=file.name),)


def _check(source: Path, made: list[Candidate]) -> None:
    if not any(one.label for one in made):
        text = _(
            "{source}: found {n} photos in the shards and no classes; accepted: KEY.cls or KEY.json beside each photo, "
            "class folders in the tar, or a column of labels"
        )
        raise DataError(text.format(source=source, n=f"{len(made):,}"))
    for one in made:
        if NOT_IN_NAMES.search(one.label):
            text = _("{source}: {path}: found the label {label!r}; accepted: a label without control characters")
            raise DataError(text.format(source=source, path=one.stored.rpartition("@")[0], label=one.label))
    parted = [one for one in made if one.part]
    if parted and len(parted) < len(made):
        text = _(
            "{source}: found {one} for {part} and {other} for no set; accepted: train, val or test in the name of "
            "each shard, or of none"
        )
        one, other = parted[0], next(one for one in made if not one.part)
        one_shard, other_shard = (two.stored.rpartition("@")[0] for two in (one, other))
        raise DataError(text.format(source=source, one=one_shard, part=_(one.part), other=other_shard))
