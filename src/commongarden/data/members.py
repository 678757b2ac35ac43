"""Photos inside shards, or below an address: their names, classes and parts, without a folder to walk through."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from commongarden.data.listing import UNLABELLED, Candidate
from commongarden.data.vocabulary import PART_NAMES, part_of
from commongarden.i18n.coded import NOTHING, Coded

PARTS = frozenset(PART_NAMES.values())
_IN_NAMES = re.compile(r"[/\\\0]")


@dataclass(frozen=True)
class Member:
    """A photo in a shard. name: with the folders of its key; where: `Photo.stored`; shard: the name of its file without
    the ending. label: None where the folders of the name are to tell it."""

    name: str
    where: str
    shard: str
    label: str | None = None
    part: str = ""
    group: str = ""
    reason: Coded = NOTHING
    counts: bool = True


def part_of_shard(path: str) -> str:
    """The part that a shard's name tells, or the folder that it is in: "train-00000-of-00002.parquet" is "train"."""
    for name in (posixpath.splitext(posixpath.basename(path))[0], posixpath.basename(posixpath.dirname(path))):
        if (part := part_of(name)) in PARTS:
            return part
    return ""


@dataclass(frozen=True)
class Folders:
    """The folders in photos' names, read as a folder of class folders. at: how many round all photos are passed over;
    parts: the part of each folder inside; empty where these are the classes."""

    at: int
    parts: Mapping[str, str]

    def place(self, name: str) -> tuple[str, str, str]:
        """(part, class, path below the folder of the part or, without parts, below those passed over); the class is ""
        for a photo in no class folder."""
        inside = name.split("/")[self.at :]
        part = self.parts.get(inside[0], "") if len(inside) > 1 else ""
        below = inside[1:] if part else inside
        return part, below[0] if len(below) > 1 else "", "/".join(below)


def folders_of(names: Iterable[str]) -> Folders:
    """What the folders in the names of photos are."""
    deep = [place for place in (name.split("/")[:-1] for name in names) if place]
    at = 0
    while deep and all(len(place) > at + 1 for place in deep):
        found = {place[at] for place in deep}
        if len(found) > 1 or part_of(next(iter(found))) == "train":
            break
        at += 1
    parts = {place[at]: part_of(place[at]) for place in deep if len(place) > at}
    is_parted = "train" in parts.values() and set(parts.values()) <= set(PARTS)
    return Folders(at, parts if is_parted else {})


def labelled_by_folders(members: Sequence[Member]) -> list[Member]:
    """The members with the class, and where they declare it the part, that the folders in their names tell."""
    folders, found = folders_of(member.name for member in members), []
    for member in members:
        part, label, name = folders.place(member.name)
        if label:
            found.append(replace(member, name=name, label=label, part=part or member.part))
        else:
            found.append(replace(member, name=name, label="", counts=False, reason=member.reason or UNLABELLED))
    return found


def candidates(members: Iterable[Member]) -> list[Candidate]:
    """The members as files of class folders: PART/CLASS/NAME, and the shard's name between, where two would have the
    same. So photos have one path in a folder and in shards."""
    members = list(members)
    paths = [_path(member) for member in members]
    several = Counter(paths)
    paths = [
        _path(member, member.shard) if several[path] > 1 else path for member, path in zip(members, paths, strict=True)
    ]
    several = Counter(paths)
    paths = [
        _path(member, f"{member.shard}-{member.where.rpartition('@')[2]}") if several[path] > 1 else path
        for member, path in zip(members, paths, strict=True)
    ]
    return [
        Candidate(
            path,
            unicodedata.normalize("NFC", member.label or ""),
            member.part,
            counts=member.counts,
            reason=member.reason,
            group=member.group,
            stored=member.where,
        )
        for member, path in zip(members, paths, strict=True)
    ]


def _path(member: Member, within: str = "") -> str:
    label = _IN_NAMES.sub("_", unicodedata.normalize("NFC", member.label or ""))
    label = label.replace(".", "_") if label in (".", "..") else label
    folder, name = posixpath.split(member.name)
    if folder == label or folder.startswith(f"{label}/"):
        folder = folder[len(label) + 1 :]
    return "/".join(filter(None, (member.part, label, within, folder, name)))
