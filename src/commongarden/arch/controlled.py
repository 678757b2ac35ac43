"""Controlled twins: the plain, residual, bottleneck and Inception form of one network at the nearest possible cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal

from commongarden.arch.families import twin
from commongarden.arch.nodes import Serial
from commongarden.arch.reach import depth
from commongarden.arch.trace import Cost, Shape, cost
from commongarden.errors import ArchError, check_known

Equal = Literal["n_params", "macs"]
EQUAL = ("n_params", "macs")


@dataclass(frozen=True)
class Twin:
    """One form, with the widths that bring its cost nearest to the residual form's. depth: layers with weights."""

    form: str
    widths: tuple[int, ...]
    network: Serial
    cost: Cost
    depth: int

    def differs(self, other: Twin) -> dict[str, float]:
        """By how much this one's costs lie above the other's, in per cent."""
        mine, others = ({**vars(one.cost), "depth": one.depth} for one in (self, other))
        return {name: 100 * (value / others[name] - 1) for name, value in mine.items()}


def twins(
    n_classes: int,
    input: Shape,
    *,
    equal: Equal = "n_params",
    widths: str = twin.WIDTHS,
    blocks: str = twin.BLOCKS,
    stem: int = 16,
    order: str = "LBA",
) -> tuple[Twin, ...]:
    """The four forms with equal stem, stages, blocks and head. `widths` are those of the plain and residual form; the
    other two get the widths at which `equal` ("n_params" or "macs") is nearest to theirs: all stages by one factor,
    then single stages by single channels.

    Raises ArchError where the plain and residual form cannot have such widths.
    """
    check_known("equal", [equal], EQUAL, ArchError)
    given = tuple(twin.numbers("widths", widths))
    make = partial(_make, n_classes, input, blocks, stem, order)
    residual = make("residual", given)
    far = partial(_distance, residual.cost, equal)
    searched = [_nearest(partial(make, form), given, far) for form in ("bottleneck", "inception")]
    return (make("plain", given), residual, *searched)


def _nearest(make: Callable[[tuple[int, ...]], Twin], given: tuple[int, ...], far: Callable[[Twin], float]) -> Twin:
    best = min(_made(make, [tuple(round(width * k / 64) for width in given) for k in range(8, 321, 2)]), key=far)
    while True:
        steps = [(i, step) for i in range(len(given)) for step in (-2, -1, 1, 2)]
        near = [(*best.widths[:i], best.widths[i] + step, *best.widths[i + 1 :]) for i, step in steps]
        better = min(_made(make, near), key=far, default=best)
        if far(better) >= far(best):
            return best
        best = better


def _made(make: Callable[[tuple[int, ...]], Twin], widths: Iterable[tuple[int, ...]]) -> list[Twin]:
    found = []
    for each in widths:
        with suppress(ArchError):  # narrower than the stem, or than the stage before
            found.append(make(each))
    return found


def _distance(wanted: Cost, equal: Equal, found: Twin) -> float:
    value, goal = getattr(found.cost, equal), getattr(wanted, equal)
    return abs(float(value) / float(goal) - 1)


def _make(n_classes: int, input: Shape, blocks: str, stem: int, order: str, form: str, widths: tuple[int, ...]) -> Twin:
    network = twin.twin(form, n_classes, widths=",".join(map(str, widths)), blocks=blocks, stem=stem, order=order)
    return Twin(form, widths, network, cost(network, input), depth(network))
