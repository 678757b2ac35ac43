"""Whole groups of photos dealt to parts of wanted sizes, class by class as near as they allow.

An exact division is a packing problem, so this is a heuristic: large units first, each drawn among the parts that have
room for most of it, with the chances of that room; of several such deals the one nearest to the wanted sizes is taken.
So a unit comes into a part about as often as the part's share says, whatever its size, and units of one size are dealt
like shuffled cards. All chance comes from SHA-256 and all arithmetic is of whole numbers or in a fixed order, so that a
deal is the same on every machine.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate

Room = Mapping[str, int]  # photos of each class
DEALS, MOST_DRAWS = 20, 20_000


def deal(counts: Sequence[Room], ranks: Sequence[bytes], wanted: Sequence[Room]) -> list[int]:
    """The place of the part that each unit goes to.

    counts: photos of each unit by class; ranks: what its chance comes from; wanted: photos of each part by class. A
    class that is in as many units as there are parts comes into each part, unless other classes of its units forbid it.
    """
    n_deals = max(1, min(DEALS, MOST_DRAWS // len(counts)))
    deals = [_dealt(counts, ranks, wanted, number) for number in range(n_deals)]
    return min(deals, key=lambda chosen: _distance(counts, wanted, chosen))


def _dealt(counts: Sequence[Room], ranks: Sequence[bytes], wanted: Sequence[Room], number: int) -> list[int]:
    chance = [hashlib.sha256(b"%d:" % number + rank).digest() for rank in ranks]
    sizes = [sum(count.values()) for count in counts]
    rooms = [dict(part) for part in wanted]
    lacking = {label: set(range(len(wanted))) for label in wanted[0]}
    left = Counter(label for count in counts for label in count)
    chosen = [0] * len(counts)
    for i in sorted(range(len(counts)), key=lambda i: (-sizes[i].bit_length(), chance[i])):
        urgent = Counter(part for label in counts[i] if left[label] <= len(lacking[label]) for part in lacking[label])
        most = max(urgent.values(), default=0)
        among = [part for part in range(len(rooms)) if urgent[part] == most]
        chosen[i] = place = _drawn(counts[i], [(part, rooms[part]) for part in among], chance[i])
        for label, n in counts[i].items():
            rooms[place][label] -= n
            lacking[label].discard(place)
            left[label] -= 1
    return chosen


def _drawn(count: Room, rooms: Sequence[tuple[int, Room]], chance: bytes) -> int:
    """One of the parts that have room for at least half of the unit, by chance; without any, the one that has most."""
    fits = {part: sum(min(n, room[label]) for label, n in count.items()) for part, room in rooms}
    size = sum(count.values())
    weights = {
        part: sum(n * max(room[label], 0) for label, n in count.items())
        for part, room in rooms
        if 2 * fits[part] >= size
    }
    if not weights:
        return max(fits, key=lambda part: (fits[part], -part))
    ends = list(accumulate(weights.values()))
    return list(weights)[bisect_right(ends, int.from_bytes(chance, "big") % ends[-1])]


def _distance(counts: Sequence[Room], wanted: Sequence[Room], chosen: Sequence[int]) -> tuple[int, float]:
    """How many classes a part lacks, and how far the parts are from what is wanted (chi-squared)."""
    found: list[Counter[str]] = [Counter() for _part in wanted]
    for count, place in zip(counts, chosen, strict=True):
        found[place].update(count)
    pairs = [(part[label], had[label]) for part, had in zip(wanted, found, strict=True) for label in sorted(part)]
    return sum(had == 0 for _want, had in pairs), sum((had - want) ** 2 / want for want, had in pairs)
