"""Where the difference in time between two arms lies: the parts of it, each measured where the layers work.

The difference itself comes from the steps as they are in training. The parts come from other steps, in which the layers
were looked at, and are not made to fit: what they leave is told.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from commongarden import arch
from commongarden.arch import Edit, External
from commongarden.arch.alignment import Alignment, align
from commongarden.arch.difference import BESIDE, kind
from commongarden.explain.roofline import Roofs, roofs
from commongarden.records import Estimate
from commongarden.records.timings import PATH, TimedArm, TimedLayer, Timing
from commongarden.stats.medians import median_interval

Source = Literal["edit", "images", "layer", "only", "same", "passing", "data", "loss", "optimizer", "other"]
CONFIDENCE = 0.95
LEAST_SHARE = 0.01  # of the slower arm's step: what is smaller is no reason, however sure it is
PHASES: tuple[Source, ...] = ("data", "loss", "optimizer", "other")


@dataclass(frozen=True)
class TimePart:
    """A part of the difference in milliseconds a step, second arm minus first.

    source: an "edit" of the computed difference; larger or smaller "images"; one "layer" that works otherwise, or
    layers that "only" one has, in networks by others; the "same" layers in both; "passing" from layer to layer; or
    what belongs to no layer. effect: its interval holds for all parts together. before, after: medians of both arms.
    kinds: medians of the effect by kind of layer. path: where the most of it is, in the network of `arm`.
    memory_bound: whether the bytes of its layers, by this machine's limits, take longer than their multiply-adds.
    """

    source: Source
    edit: Edit | None
    effect: Estimate
    before: float
    after: float
    forward: float
    backward: float
    kinds: dict[str, float]
    arm: str
    path: str
    n_layers: int
    memory_bound: bool

    @property
    def is_sure(self) -> bool:
        """Whether 0 is outside of the interval."""
        return self.effect.low is not None and self.effect.high is not None and not _holds_zero(self.effect)


@dataclass(frozen=True)
class TimeSplit:
    """A difference in time with its parts, the largest first. ratio: second arm's step to the first's, step by step.

    difference: milliseconds a step, second minus first. rest: what the parts leave of it.
    kinds: the parts once more, by kind of layer. reasons: the parts that may be called so, the largest first.
    """

    one: str
    two: str
    ratio: Estimate
    before: Estimate
    after: Estimate
    difference: Estimate
    parts: tuple[TimePart, ...]
    rest: float
    kinds: dict[str, Estimate]
    reasons: tuple[TimePart, ...]

    @property
    def slower(self) -> float:
        """Milliseconds of a step of the slower arm."""
        return max(self.before.value, self.after.value)

    @property
    def rest_share(self) -> float:
        """The rest as a share of the slower arm's step."""
        return abs(self.rest) / self.slower


@dataclass
class _Group:
    source: Source
    edit: Edit | None
    before: list[TimedLayer]
    after: list[TimedLayer]

    def effects(self, n: int, part: Literal["forward", "backward", "both"], kind: str | None = None) -> list[float]:
        """After minus before, step by step, of n steps. kind: of layers of this one alone."""
        before, after = (
            _summed([getattr(layer, part) for layer in side if kind in (None, layer.kind)], n)
            for side in (self.before, self.after)
        )
        return _minus(after, before)


def split(timing: Timing, one: str, two: str) -> TimeSplit:
    """What makes a step of arm `two` longer or shorter than one of arm `one`."""
    first, second = timing.arm(one), timing.arm(two)
    difference = median_interval(_minus(second.steps, first.steps), confidence=CONFIDENCE)
    ratio = median_interval([b / a for a, b in zip(first.steps, second.steps, strict=True)], confidence=CONFIDENCE)
    before, after = (median_interval(arm.steps, confidence=CONFIDENCE) for arm in (first, second))

    groups = _groups(first, second)
    together = 1 - (1 - CONFIDENCE) / (len(groups) + len(PHASES))  # Bonferroni
    found = [_part(group, first, second, roofs(timing), together) for group in groups]
    found += [_phase(phase, first, second, together) for phase in PHASES]
    found.sort(key=lambda part: -abs(part.effect.value))
    rest = difference.value - math.fsum(part.effect.value for part in found)
    slower = max(before.value, after.value)
    return TimeSplit(
        one, two, ratio, before, after, difference, tuple(found), rest, _kinds(first, second),
        _reasons(found, difference, slower),
    )  # fmt: skip


def _reasons(parts: Sequence[TimePart], difference: Estimate, slower: float) -> tuple[TimePart, ...]:
    """Parts that are sure and not too small; first those that make the difference, then those that work against it."""
    if difference.low is None or _holds_zero(difference) or abs(difference.value) < LEAST_SHARE * slower:
        return ()
    named = [part for part in parts if part.is_sure and abs(part.effect.value) >= LEAST_SHARE * slower]
    return tuple(sorted(named, key=lambda part: part.effect.value * difference.value < 0))


def _holds_zero(found: Estimate) -> bool:
    return found.low is None or found.high is None or found.low <= 0 <= found.high


def _groups(first: TimedArm, second: TimedArm) -> list[_Group]:
    """Every layer of both arms in the group that answers for its time."""
    networks = arch.read(first.network), arch.read(second.network)
    found = align(*networks, first.input, second.input)
    groups: dict[object, _Group] = {}

    def group(key: object, source: Source, edit: Edit | None = None) -> _Group:
        return groups.setdefault(key, _Group(source, edit, [], []))

    kept = {PATH.join(one): PATH.join(two) for one, two in found.kept}
    places = tuple({PATH.join(path): place for path, place in edits.items()} for edits in (found.before, found.after))
    known = ({*kept, *places[0]}, {*kept.values(), *places[1]})
    sides = [_by_layer(*side) for side in zip((first, second), networks, known, strict=True)]
    for side, (layers, _foreign) in enumerate(sides):
        for path, timed in layers.items():
            if path in places[side]:
                place = places[side][path]
                target = group(("edit", place), "edit", found.difference.edits[place])
                (target.after if side else target.before).extend(timed)
    (first_layers, first_foreign), (second_layers, second_foreign) = sides
    causes = _causes(found, networks[1], second.input)
    for one, two in kept.items():
        before, after = first_layers.get(one, []), second_layers.get(two, [])
        alike = _work(before) == _work(after)
        if not alike and first.input != second.input:
            target = group("images", "images")
        elif not alike and two in causes:
            target = group(("edit", causes[two]), "edit", found.difference.edits[causes[two]])
        else:
            target = group("same", "same")
        target.before.extend(before)
        target.after.extend(after)
    _compare_foreign(first_foreign, second_foreign, group)
    target = group("passing", "passing")
    target.before.extend(first_layers.get("", []))
    target.after.extend(second_layers.get("", []))
    return list(groups.values())


def _by_layer(
    arm: TimedArm, network: arch.Node, known: Container[str]
) -> tuple[dict[str, list[TimedLayer]], dict[str, TimedLayer]]:
    """The timed modules under the layer of the tree that they belong to ("" for what only holds others), and those
    inside of networks by others by their own names."""
    external = {PATH.join(layer.path) for layer in arch.trace(network, arm.input) if isinstance(layer.node, External)}
    layers: dict[str, list[TimedLayer]] = {}
    foreign: dict[str, TimedLayer] = {}
    for timed in arm.layers:
        path = timed.path
        while path and path not in known:
            path = path.rpartition(PATH)[0]
        if path in external:
            inside = timed.path.removeprefix(path).removeprefix(PATH)
            if timed.kind != "block" and inside:
                foreign[inside] = timed
                continue
            path = ""
        layers.setdefault(path, []).append(timed)
    return layers, foreign


def _compare_foreign(
    before: Mapping[str, TimedLayer], after: Mapping[str, TimedLayer], group: Callable[..., _Group]
) -> None:
    """Modules of networks by others, which have names and no tree: equal names stand for each other."""
    for name in dict.fromkeys((*before, *after)):
        one, two = before.get(name), after.get(name)
        if one is not None and two is not None:
            same = (one.kind, one.macs, one.n_bytes) == (two.kind, two.macs, two.n_bytes)
            target = group("same", "same") if same else group(("layer", name), "layer")
        else:
            layer = one or two
            assert layer is not None
            target = group(("only", layer.kind, one is None), "only")
        target.before.extend([one] if one is not None else [])
        target.after.extend([two] if two is not None else [])


def _causes(found: Alignment, network: arch.Node, shape: tuple[int, ...]) -> dict[str, int]:
    """For each layer of the second network the last edit before it that can change the shape of what comes in."""
    widening = {place: kind(edit.part) not in BESIDE for place, edit in enumerate(found.difference.edits)}
    causes: dict[str, int] = {}
    last = next((place for place, changes in widening.items() if changes), None)
    for layer in arch.trace(network, shape):
        place = found.after.get(layer.path)
        if place is not None and widening[place]:
            last = place
        if last is not None:
            causes[PATH.join(layer.path)] = last
    return causes


def _work(layers: Sequence[TimedLayer]) -> list[tuple[str, int, int]]:
    return sorted((layer.kind, layer.macs, layer.n_bytes) for layer in layers)


def _part(group: _Group, first: TimedArm, second: TimedArm, roof: Roofs, confidence: float) -> TimePart:
    n = len(first.watched)
    before, after = (_summed([layer.both for layer in side], n) for side in (group.before, group.after))
    effect = median_interval(group.effects(n, "both"), confidence=confidence)
    slow, arm = (group.after, second) if effect.value >= 0 else (group.before, first)
    if not slow:
        slow, arm = (group.before, first) if group.before else (group.after, second)
    longest = max(slow, key=lambda layer: statistics.median(layer.both), default=None)
    return TimePart(
        group.source,
        group.edit,
        effect,
        statistics.median(before),
        statistics.median(after),
        statistics.median(group.effects(n, "forward")),
        statistics.median(group.effects(n, "backward")),
        {
            name: statistics.median(group.effects(n, "both", name))
            for name in dict.fromkeys(layer.kind for layer in (*group.before, *group.after))
        },
        arm.name,
        longest.path if longest is not None and group.source != "passing" else "",
        max(len(group.before), len(group.after)),
        roof.memory_bound(slow),
    )


def _phase(phase: Source, first: TimedArm, second: TimedArm, confidence: float) -> TimePart:
    before, after = first.watched_phases[phase], second.watched_phases[phase]
    effect = median_interval(_minus(after, before), confidence=confidence)
    arm = second if effect.value >= 0 else first
    return TimePart(
        phase, None, effect, statistics.median(before), statistics.median(after), 0.0, 0.0,
        {phase: effect.value}, arm.name, "", 0, False,
    )  # fmt: skip


def _kinds(first: TimedArm, second: TimedArm) -> dict[str, Estimate]:
    """The difference by kind of layer and of other work, the largest first."""
    n = len(first.watched)
    names = dict.fromkeys(layer.kind for layer in (*first.layers, *second.layers))
    found = {}
    for name in names:
        one, two = ([layer.both for layer in arm.layers if layer.kind == name] for arm in (first, second))
        found[name] = median_interval(_minus(_summed(two, n), _summed(one, n)))
    for phase in PHASES:
        found[phase] = median_interval(_minus(second.watched_phases[phase], first.watched_phases[phase]))
    return dict(sorted(found.items(), key=lambda row: -abs(row[1].value)))


def _summed(rows: Sequence[Sequence[float]], n: int) -> list[float]:
    return [math.fsum(row[i] for row in rows) for i in range(n)]


def _minus(one: Sequence[float], two: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(one, two, strict=True)]
