"""Which edits a sentence says together: what stands in one phrase, in every language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from commongarden.arch import Difference, Edit
from commongarden.arch.difference import BESIDE, Part, kind

MOST = 4  # phrases; a sentence of more is not read


@dataclass(frozen=True)
class Phrase:
    """Edits that are said together. exact: they are equal, so that the first one's values hold for all."""

    edits: tuple[Edit, ...]
    exact: bool

    @property
    def first(self) -> Edit:
        return self.edits[0]

    @property
    def count(self) -> int:
        return sum(edit.count for edit in self.edits)

    @property
    def fields(self) -> tuple[str, ...] | None:
        """The names of the fields that change in all of them; None where they are not the same everywhere."""
        names = {tuple(name for name, _, _ in edit.fields) for edit in self.edits}
        return names.pop() if len(names) == 1 else None

    @property
    def placed(self) -> bool:
        """Whether all stand in the same place beside the same kind of layer."""
        return len({(edit.place, edit.anchor, edit.place_before) for edit in self.edits}) == 1


def phrases(found: Difference) -> tuple[list[Phrase], int]:
    """At most MOST phrases, as exact as that allows, and how many edits they leave out."""
    for key, exact in ((_equal, True), (_alike, False), (_of_a_kind, False)):
        grouped = _grouped(found.edits, key, exact)
        if len(grouped) <= MOST:
            return grouped, 0
    grouped.sort(key=lambda phrase: -phrase.count)
    return grouped[:MOST], sum(phrase.count for phrase in grouped[MOST:])


def contents(parts: tuple[Part, ...]) -> dict[str, int]:
    """How many convolutions, dense layers and pools come with a part, by kind."""
    return Counter(name for name in map(kind, parts) if name in ("convolution", "dense layer", "pool"))


def _grouped(edits: tuple[Edit, ...], key: Callable[[Edit], Hashable], exact: bool) -> list[Phrase]:
    groups: dict[Hashable, list[Edit]] = {}
    for edit in edits:
        groups.setdefault(key(edit), []).append(edit)
    return [Phrase(tuple(group), exact or len(group) == 1) for group in groups.values()]


def _equal(edit: Edit) -> Hashable:
    if edit.action == "change":  # the same field, from and to the same value, whatever the other fields hold
        what = edit.fields or (edit.before, edit.after)
        return edit.action, kind(edit.part), what
    return edit.action, edit.part, edit.inside, edit.place, edit.anchor, edit.n_around, edit.place_before


def _alike(edit: Edit) -> Hashable:
    place = (edit.place, edit.anchor, edit.place_before) if kind(edit.part) in BESIDE else bool(edit.n_around)
    return edit.action, kind(edit.part), tuple(name for name, _, _ in edit.fields), place


def _of_a_kind(edit: Edit) -> Hashable:
    return edit.action, kind(edit.part)
