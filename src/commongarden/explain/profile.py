"""One arm's step summarized by phase, block, kind of layer and torch's operator, beside the machine's limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from commongarden.explain.roofline import GIGA_PER_MS, Roofs, roofs
from commongarden.records import Estimate
from commongarden.records.timings import PATH, PHASES, TimedArm, TimedLayer, Timing
from commongarden.stats.medians import median_interval

MOST_OPERATORS = 12


@dataclass(frozen=True)
class ProfileRow:
    """Layers taken together. name: a block's path or a kind; "" for what no layer does: passing on, preprocessing.

    forward, backward, both: milliseconds a step. share: of the step. macs, n_bytes: of a step, forward and backward.
    intensity: multiply-adds a byte, None where no byte is moved. rate: billions of multiply-adds a second.
    limit: milliseconds that the layers take at least on this machine; percent_of_limit: that in per cent of what they
    take, None where there is nothing to hold against. memory_bound: whether bytes, not multiply-adds, set the limit.
    """

    name: str
    n_layers: int
    forward: Estimate
    backward: Estimate
    both: Estimate
    share: float
    macs: int
    n_bytes: int
    intensity: float | None
    rate: float
    limit: float
    percent_of_limit: float | None
    memory_bound: bool


@dataclass(frozen=True)
class Profile:
    """An arm's step in milliseconds. rate: photos a second. operators: share of a step's profiled time."""

    arm: str
    batch: int
    step: Estimate
    rate: float
    phases: dict[str, Estimate]
    blocks: tuple[ProfileRow, ...]
    kinds: tuple[ProfileRow, ...]
    operators: dict[str, Estimate]
    joules: Estimate | None


def profiles(timing: Timing, depth: int = 1) -> tuple[Profile, ...]:
    """Every arm's profile. depth: levels of blocks that are told apart."""
    roof = roofs(timing)
    return tuple(_profile(arm, roof, depth) for arm in timing.arms)


def _profile(arm: TimedArm, roof: Roofs, depth: int) -> Profile:
    step = median_interval(arm.steps)

    def block(layer: TimedLayer) -> str:
        return PATH.join(layer.path.split(PATH)[1 : 1 + depth])

    return Profile(
        arm.name,
        arm.batch,
        step,
        1000 * arm.batch / step.value,
        {phase: median_interval(arm.phases[phase]) for phase in PHASES},
        _rows(arm, roof, step.value, block),
        tuple(sorted(_rows(arm, roof, step.value, lambda layer: layer.kind), key=lambda row: -row.both.value)),
        _operators(arm),
        median_interval(arm.joules) if arm.joules else None,
    )


def _rows(arm: TimedArm, roof: Roofs, step: float, name: Callable[[TimedLayer], str]) -> tuple[ProfileRow, ...]:
    groups: dict[str, list[TimedLayer]] = {}
    for layer in arm.layers:
        groups.setdefault(name(layer), []).append(layer)
    return tuple(_row(key, layers, roof, step) for key, layers in groups.items())


def _row(name: str, layers: Sequence[TimedLayer], roof: Roofs, step: float) -> ProfileRow:
    forward, backward, both = (
        median_interval([math.fsum(values) for values in zip(*rows, strict=True)])
        for rows in ([one.forward for one in layers], [one.backward for one in layers], [one.both for one in layers])
    )
    macs, n_bytes = sum(layer.macs for layer in layers), sum(layer.n_bytes for layer in layers)
    limit, took = roof.bound(layers), both.value
    return ProfileRow(
        name,
        sum(layer.kind != "block" for layer in layers),
        forward,
        backward,
        both,
        took / step,
        macs,
        n_bytes,
        macs / n_bytes if n_bytes else None,
        macs / took / GIGA_PER_MS if took > 0 else 0.0,
        limit,
        100 * limit / took if limit and took > 0 else None,
        roof.memory_bound(layers),
    )


def _operators(arm: TimedArm) -> dict[str, Estimate]:
    """Each operator's share of the time that the profiler saw, the largest; the profiler itself slows small ones."""
    if not arm.operators:
        return {}
    totals = [math.fsum(values) for values in zip(*arm.operators.values(), strict=True)]
    found = {
        name: median_interval([value / total for value, total in zip(values, totals, strict=True)])
        for name, values in arm.operators.items()
    }
    return dict(sorted(found.items(), key=lambda row: -row[1].value)[:MOST_OPERATORS])
