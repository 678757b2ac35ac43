"""Photos in tar or Parquet shards, and at addresses: which files of a folder are shards, and what is in them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from commongarden.data import parquet_shards, remote, tar_shards
from commongarden.data.listing import UNLABELLED, Candidate, Listed
from commongarden.data.members import Member, candidates, folders_of, labelled_by_folders
from commongarden.data.remote import RemoteFile
from commongarden.data.tree import IGNORED, Tree, is_named_so
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
IN_CLASSES, IN_PARTS = N_("Layout: each folder is a class"), N_("Layout: training, validation and test sets in folders")
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
    return _listed(str(source), str(root), shards, lambda name: root / name, _beside(root))


def at_address(source: str) -> Listed:
    """The photos at an address: of its shards, where there are any and no photos, else of its class folders. Raises
    DataError, RemoteError."""
    root, _slash, name = source.rstrip("/").rpartition("/")
    if name.lower().endswith((TAR, PARQUET)):
        return _listed(source, root, [name], lambda shard: remote.one(root, shard).local(), _nothing_beside)
    root = source.rstrip("/")
    files = [path for path in remote.listing(root) if not any(map(_is_ignored, path.split("/")))]
    photos = [path for path in files if is_named_so(path)]
    shards = sorted(path for path in files if path.lower().endswith((TAR, PARQUET)))
    if shards and not photos:

        def read(name: str) -> str:
            return RemoteFile(root, name).local().read_text("utf-8", "replace") if name in files else ""

        return _listed(source, root, shards, lambda name: RemoteFile(root, name).local(), read)
    if not photos:
        text = _("{address}: found {n} files and no photos; accepted: class folders, .tar or .parquet files")
        raise DataError(text.format(address=source, n=f"{len(files):,}"))
    return _in_folders(source, root, files, photos)


def _in_folders(source: str, root: str, files: list[str], photos: list[str]) -> Listed:
    folders = folders_of(photos)
    above = "/".join(next(path for path in photos if path.count("/") >= folders.at).split("/")[: folders.at])
    made = []
    for path in sorted(files):
        within = path.removeprefix(f"{above}/") if above else path
        part, label, _below = folders.place(path)
        counts = is_named_so(path)
        if label and (not above or path != within):
            made.append(Candidate(within, unicodedata.normalize("NFC", label), part, counts=counts))
        elif counts:
            made.append(Candidate(within, "", counts=False, reason=UNLABELLED))
    _check(source, made)
    own = f"{root}/{above}" if above else root
    if above:
        remote.listing(own)  # its sizes are asked for by the paths from there
    return Listed(source, own, tuple(made), IN_PARTS if folders.parts else IN_CLASSES)


def _beside(root: Path) -> Callable[[str], str]:
    def read(name: str) -> str:
        return (root / name).read_text("utf-8", "replace") if (root / name).is_file() else ""

    return read


def _nothing_beside(_name: str) -> str:
    return ""


def _is_ignored(name: str) -> bool:
    return name.startswith(".") or name.lower() in IGNORED


def _listed(
    source: str, root: str, shards: list[str], local: Callable[[str], Path], beside: Callable[[str], str]
) -> Listed:
    """local: the file of a shard on this machine. beside: the text of a file beside the shards, "" for none."""
    kinds = {TAR if shard.lower().endswith(TAR) else PARQUET for shard in shards}
    if len(kinds) > 1:
        text = _("{source}: found {tar} and {parquet}; accepted: either tar or Parquet files")
        first = {kind: next(shard for shard in shards if shard.lower().endswith(kind)) for kind in kinds}
        raise DataError(text.format(source=source, tar=first[TAR], parquet=first[PARQUET]))
    kind = kinds.pop()
    read = tar_shards.members if kind == TAR else parquet_shards.members
    found = [member for shard in shards for member in read(local(shard), shard)]
    by_folders = kind == TAR and all(member.label is None for member in found)
    if by_folders:
        found = labelled_by_folders(found)
    elif any(member.label is None for member in found):
        lacking = next(member for member in found if member.label is None)
        text = _("{source}: found no .cls or .json files in {shard}, but in other shards; accepted: in all or in none")
        raise DataError(text.format(source=source, shard=f"{lacking.shard}{kind}"))
    found, notes = _named(beside, found)
    made = candidates(found)
    _check(source, made)
    return Listed(source, root, tuple(made), SAID[kind, by_folders].format(n=len(shards)), notes)


def _named(beside: Callable[[str], str], found: list[Member]) -> tuple[list[Member], tuple[Coded, ...]]:
    """The members with the names of their classes, where these are numbers and a file beside the shards names them."""
    labels = {member.label for member in found if not member.reason}
    if not all(label and label.isascii() and label.isdecimal() for label in labels):
        return found, ()
    file, lines = next(((name, text.splitlines()) for name in NAMES if (text := beside(name))), ("", []))
    if not file or any(int(label or 0) >= len(lines) for label in labels):
        return found, ()
    names = {label: lines[int(label or 0)].strip() for label in labels}
    renamed = [replace(one, label=names.get(one.label) or one.label) for one in found]
    return renamed, (NAMED.format(file=file),)


def _check(source: str, made: list[Candidate]) -> None:
    if not any(one.label for one in made):
        text = _(
            "{source}: found {n} photos in the shards and no classes; accepted: KEY.cls or KEY.json beside each photo, "
            "class folders in the tar, or a column of labels"
        )
        raise DataError(text.format(source=source, n=f"{len(made):,}"))
    for one in made:
        if NOT_IN_NAMES.search(one.label):
            text = _("{source}: {path}: found the label {label!r}; accepted: a label without control characters")
            raise DataError(text.format(source=source, path=one.stored.rpartition("@")[0] or one.path, label=one.label))
    parted = [one for one in made if one.part]
    if parted and len(parted) < len(made):
        text = _(
            "{source}: found {one} for {part} and {other} for no set; accepted: train, val or test in the name of "
            "each shard, or of none"
        )
        one, other = parted[0], next(one for one in made if not one.part)
        one_shard, other_shard = (two.stored.rpartition("@")[0] for two in (one, other))
        raise DataError(text.format(source=source, one=one_shard, part=_(one.part), other=other_shard))
