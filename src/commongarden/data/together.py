"""Which photos go into a part together: exact copies, near duplicates, and the photos of one group."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_
from commongarden.records import LeftOut, Photo
from commongarden.study import SplitPlan

Alike = Iterable[Collection[str]]


@dataclass(frozen=True)
class Unit:
    """Photos that go into a part together: those with the same bytes, those that are nearly the same, those of one
    group (a patient, a plant, a video). rank: the place in the shuffle."""

    photos: tuple[Photo, ...]
    rank: bytes

    @property
    def size(self) -> int:
        return len(self.photos)

    @property
    def label(self) -> str:
        """The class it is counted in (a group kept in spite of two labels has two)."""
        return self.photos[0].label

    @property
    def groups(self) -> set[str]:
        """The names of the groups that its photos are of."""
        return {photo.group for photo in self.photos} - {""}


def duplicates(photos: Iterable[Photo]) -> list[tuple[Photo, ...]]:
    """Photos grouped by their bytes: one group for each different photo, sorted by path within and among them."""
    found: defaultdict[str, list[Photo]] = defaultdict(list)
    for photo in sorted(photos, key=lambda photo: photo.path):
        found[photo.sha256].append(photo)
    return [tuple(group) for group in found.values()]


def units(photos: Sequence[Photo], plan: SplitPlan, seed: int | str, alike: Alike) -> tuple[list[Unit], list[LeftOut]]:
    """Copies and near duplicates together, in shuffled order, and the photos whose copies have other labels."""
    together: dict[str, str] = {}
    if plan.near_duplicates == "together":
        together = {path: f"alike {number}" for number, paths in enumerate(alike) for path in paths}
    groups: defaultdict[str, list[Photo]] = defaultdict(list)
    left_out: list[LeftOut] = []
    for group in duplicates(photos):
        if plan.keep_conflicts or len({photo.label for photo in group}) == 1:
            own = group[0].sha256
            groups[next((together[photo.path] for photo in group if photo.path in together), own)] += group
        else:
            left_out += [LeftOut(photo.path, _conflict(photo, group)) for photo in group]
    return sorted((_unit(members, seed) for members in groups.values()), key=lambda unit: unit.rank), left_out


def joined(found: Sequence[Unit], seed: int | str) -> list[Unit]:
    """The same units, those with a group in common made one, in shuffled order.

    This goes on from unit to unit: a photo of patient A that is nearly the same as one of patient B makes one unit of
    the two, so that neither the patients nor the picture are divided.
    """
    root = list(range(len(found)))

    def top(place: int) -> int:
        while root[place] != place:
            root[place] = root[root[place]]
            place = root[place]
        return place

    first: dict[str, int] = {}
    for place, unit in enumerate(found):
        for name in unit.groups:
            one, two = sorted((top(first.setdefault(name, place)), top(place)))
            root[two] = one
    members: defaultdict[int, list[Photo]] = defaultdict(list)
    for place, unit in enumerate(found):
        members[top(place)] += unit.photos
    return sorted((_unit(photos, seed) for photos in members.values()), key=lambda unit: unit.rank)


def _unit(photos: Iterable[Photo], seed: int | str) -> Unit:
    """Its place in the shuffle depends on its contents alone."""
    ordered = tuple(sorted(photos, key=lambda photo: (photo.sha256, photo.path)))
    return Unit(ordered, hashlib.sha256(f"{seed}:{ordered[0].sha256}".encode()).digest())


def _conflict(photo: Photo, group: Sequence[Photo]) -> Coded:
    others = [f"{other.label} ({other.path})" for other in group if other.label != photo.label]
    text = N_("conflicting labels: {label} here, {others} for a duplicate")
    return text.format(label=photo.label, others=", ".join(others))


def without_copies(unit: Unit) -> tuple[Unit, list[LeftOut]]:
    """The copies in the last declared part, test before val before train; the others are left out."""
    part = next(part for part in ("test", "val", "train", "") if any(photo.part == part for photo in unit.photos))
    kept = tuple(photo for photo in unit.photos if photo.part == part)
    others = [LeftOut(photo.path, _copied(photo, kept, part)) for photo in unit.photos if photo.part != part]
    return Unit(kept, unit.rank), others


def _copied(photo: Photo, kept: Sequence[Photo], declared: str) -> Coded:
    part = N_(declared)  # a word of ours, which has its translation
    for other in kept:
        if other.sha256 == photo.sha256:
            text = N_("duplicate of a photo in the {part} set ({path}), which is kept")
            return text.format(part=part, path=other.path)
    text = N_("near duplicate of a photo in the {part} set ({path}), which is kept")
    return text.format(part=part, path=kept[0].path)
