"""A part of a network that can be taken out or swapped."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from commongarden.arch.nodes import Node

Path = tuple[str, ...]
Change = Callable[[Node, Path], "Node | None"]  # what stands in a node's place; None: nothing


@dataclass(frozen=True)
class Part:
    """What can be taken out or swapped. factor: one of PART_FACTORS. name: as a study file spells it. places: the
    paths where it stands, without the network's own name."""

    factor: str
    name: str
    places: tuple[Path, ...]
    change: Change = dataclasses.field(compare=False, repr=False)
