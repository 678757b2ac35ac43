"""Arms timed step by step in turn, in one process, on cores of their own.

Every round takes one step of each arm as it is in training, then one in which the layers are looked at, the arms in
one order in even rounds and in the other one in odd rounds. So whatever makes the machine slower for a while meets all
arms alike, and step i of one arm can be held against step i of another one.
"""

from __future__ import annotations

import datetime
import gc
import itertools
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import psutil
import torch
from torch import nn

from commongarden import arch
from commongarden.arch import Node
from commongarden.profiling import energy, operators
from commongarden.profiling.machine_limits import LimitsMeter, wall
from commongarden.profiling.stopwatch import Now, Stopwatch, clock
from commongarden.profiling.work import Work, work
from commongarden.records.timings import PATH, PHASES, TIMING_SCHEMA, Quiet, TimedArm, TimedLayer, Timing
from commongarden.study.recipe import Recipe
from commongarden.train import loop, measure, streams
from commongarden.train.audit import tree_paths
from commongarden.train.classifier import Classifier
from commongarden.train.initialize import initialize
from commongarden.train.replay.forward_backward import eager
from commongarden.train.replay.optimizer_step import as_it_is
from commongarden.train.uncompiled import uncompiled

WARM_UP = 4  # rounds of each repeat that are not counted
NS = 1e6  # nanoseconds in a millisecond
STEPS = 10**9  # of an epoch that never ends, so that nothing is validated
CHAIN = 100  # layers of the chain on which the stamps themselves are timed
CHAIN_STEPS = 30


@dataclass(frozen=True)
class Subject:
    """An arm to be timed. batches: endless, as a run would have them: uint8 (n, 3, height, width), int64 (n,)."""

    name: str
    network: Node
    input: tuple[int, int, int]
    recipe: Recipe
    batches: Callable[[], Iterator[loop.Batch]]


@dataclass
class _Found:
    steps: list[float] = field(default_factory=list)
    walls: list[float] = field(default_factory=list)
    watched: list[float] = field(default_factory=list)
    phases: dict[str, list[float]] = field(default_factory=lambda: {phase: [] for phase in PHASES})
    watched_phases: dict[str, list[float]] = field(default_factory=lambda: {phase: [] for phase in PHASES})
    forward: list[list[float]] = field(default_factory=list)
    backward: list[list[float]] = field(default_factory=list)
    operators: list[dict[str, float]] = field(default_factory=list)
    joules: list[float] = field(default_factory=list)


class _Timed:
    """An arm in training with a stopwatch on it."""

    def __init__(self, subject: Subject, device: torch.device, now: Now, repeat: int) -> None:
        recipe = replace(subject.recipe, head_epochs=0)
        classifier = Classifier(subject.network, subject.input, recipe, (127.5,) * 3, (64.0,) * 3)
        torch.manual_seed(repeat)
        initialize(classifier, recipe, streams.generator(0, repeat, "initialization"))
        train_state = loop.new_train_state(classifier, recipe, device)
        # on a tape there are no layers to be timed
        train_state.forward_backward = eager(classifier, train_state.optimizer, recipe, scaler=train_state.scaler)
        train_state.optimizer_step = as_it_is(train_state.optimizer)
        self.stopwatch = Stopwatch(classifier, train_state.optimizer, now)
        batches = subject.batches()
        self.steps = loop.train(train_state, lambda _: batches, lambda: (), STEPS, 0, repeat)


def measure_arms(
    subjects: Sequence[Subject],
    *,
    repeats: int,
    rounds: int,
    threads: int,
    device: torch.device,
    profiled: int = 3,
    stretch: float = 0.0,
) -> Timing:
    """Times the arms in so many repeats, each with networks made anew, of so many rounds each.

    profiled: steps of each repeat that torch's profiler looks at. stretch: seconds for which each arm works alone in
    each repeat where the machine tells its energy. The process is changed: threads, cores, tiny numbers taken as 0.
    """
    measure.settle(threads)
    pinned = pin(threads)
    now, processor_time = clock(device, threads)
    meter, found = LimitsMeter(now, device), {subject.name: _Found() for subject in subjects}
    source = energy.source(device)
    before = _conditions()
    reference: list[float] = []
    stamp = _stamp(now, device)
    works = {subject.name: _work(subject, device) for subject in subjects}
    for repeat in range(repeats):
        meter.look()
        timed = {subject.name: _Timed(subject, device, now, repeat) for subject in subjects}
        reference += _rounds(timed, found, rounds, meter)
        for _, name in itertools.product(range(profiled), timed):
            found[name].operators.append(operators.profiled(lambda one=timed[name]: next(one.steps)))  # type: ignore[misc]
        if source.counter is not None and stretch:
            for name, one in timed.items():
                found[name].joules.append(energy.per_step(source.counter, lambda one=one: next(one.steps), stretch))  # type: ignore[misc]
        del timed
    meter.look()
    loads, clocks = zip(before, _conditions(), strict=True)
    quiet = Quiet(psutil.cpu_count(logical=False) or 1, loads, clocks, _rounded(reference))
    arms = tuple(_arm(subject, found[subject.name], works[subject.name], stamp) for subject in subjects)
    counts, limits = (repeats, rounds, threads), meter.limits()
    made = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return Timing(
        TIMING_SCHEMA, arms, *counts, str(device), processor_time, pinned, stamp, limits, quiet, source.told, made=made
    )


def _rounds(timed: dict[str, _Timed], found: dict[str, _Found], rounds: int, meter: LimitsMeter) -> list[float]:
    """Times the arms in turn, their order reversed every other round; returns the reference work's times."""
    reference = []
    for number in range(-WARM_UP, rounds):
        counted = number >= 0
        order = list(timed) if number % 2 else list(reversed(timed))
        gc.collect()
        gc.disable()
        try:
            if counted:
                reference.append(meter.reference())
            for watched, name in itertools.product((False, True), order):
                _step(timed[name], found[name] if counted else None, watched=watched)
        finally:
            gc.enable()
    return reference


def pin(threads: int) -> tuple[int, ...]:
    """Holds this process to as many cores as it has threads, those with the least other work; none where the system
    cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return ()
    allowed = sorted(os.sched_getaffinity(0))
    if threads > len(allowed):
        return ()
    busy = psutil.cpu_percent(interval=0.3, percpu=True)
    chosen = sorted(allowed, key=lambda core: busy[core] if core < len(busy) else 0.0)[:threads]
    os.sched_setaffinity(0, chosen)
    return tuple(sorted(chosen))


def _conditions() -> tuple[float | None, float | None]:
    """Load average over the last minute, and the clock in MHz."""
    frequency = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
    return round(psutil.getloadavg()[0], 2), round(frequency.current, 1) if frequency and frequency.current else None


def _step(one: _Timed, found: _Found | None, *, watched: bool) -> None:
    begun = wall()
    with one.stopwatch.step(watched=watched):
        next(one.steps)
    ended = wall()
    if found is None:
        return
    phases = one.stopwatch.phases
    total = sum(phases.values()) / NS
    if watched:
        found.watched.append(total)
        found.forward.append([value / NS for value in one.stopwatch.forward])
        found.backward.append([value / NS for value in one.stopwatch.backward])
    else:
        found.steps.append(total)
        found.walls.append(ended - begun)
    for phase, value in phases.items():
        (found.watched_phases if watched else found.phases)[phase].append(value / NS)


def _work(subject: Subject, device: torch.device) -> dict[str, Work]:
    pixels, _labels = next(subject.batches())
    classifier = Classifier(subject.network, subject.input, subject.recipe, (127.5,) * 3, (64.0,) * 3).to(device)
    return work(classifier.train(), pixels.to(device))


class _Chain(nn.Module):
    """Layers that do next to nothing, so that the stamps at them are most of what they take."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*(_Twice() for _ in range(CHAIN)))
        self.scale = nn.Parameter(torch.ones(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.body(x * self.scale)
        return y


class _Twice(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2.0


def _stamp(now: Now, device: torch.device) -> tuple[float, float]:
    """Nanoseconds by which looking at a layer lengthens what is told of it, forward and backward."""
    chain = _Chain().to(device)
    optimizer = uncompiled(torch.optim.SGD)(chain.parameters(), 0.0)
    stopwatch = Stopwatch(chain, optimizer, now)
    x = torch.zeros(4, 8, device=device)
    times: dict[tuple[str, bool], list[int]] = {}
    for number, watched in itertools.product(range(CHAIN_STEPS + WARM_UP), (False, True)):
        with stopwatch.step(watched=watched):
            chain(x).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        if number < WARM_UP:
            continue
        if watched:
            told = {"forward": sum(stopwatch.forward), "backward": sum(stopwatch.backward)}
        else:
            told = {phase: stopwatch.phases[phase] for phase in ("forward", "backward")}
        for phase, value in told.items():
            times.setdefault((phase, watched), []).append(value)

    def each(phase: str) -> float:
        watched, alone = (statistics.median(times[phase, watched]) for watched in (True, False))
        return max(0.0, (watched - alone) / CHAIN)

    return round(each("forward"), 1), round(each("backward"), 1)


def _arm(subject: Subject, found: _Found, works: dict[str, Work], stamp: tuple[float, float]) -> TimedArm:
    classifier = Classifier(subject.network, subject.input, subject.recipe, (0.0,) * 3, (1.0,) * 3)
    names = [*(name for name, _module in classifier.named_modules() if name), ""]
    paths = tree_paths(subject.network)
    layers = []
    for place, name in enumerate(names):
        done = works.get(name) if name else Work("block", (), 0, 0)
        if done is None:
            continue  # it was never called
        both = zip((found.forward, found.backward), stamp, strict=True)
        forward, backward = (_own(rows, place, off / NS) for rows, off in both)
        path = _path(name, paths, subject.network)
        layers.append(TimedLayer(path, done.kind, done.shape, done.macs, done.n_bytes, forward, backward))
    return TimedArm(
        subject.name,
        arch.write(subject.network),
        subject.input,
        subject.recipe.batch_size,
        _rounded(found.steps),
        _rounded(found.walls),
        {phase: _rounded(values) for phase, values in found.phases.items()},
        _rounded(found.watched),
        {phase: _rounded(values) for phase, values in found.watched_phases.items()},
        tuple(layers),
        operators.table(found.operators),
        None,
        _rounded(found.joules),
    )


def _path(name: str, paths: dict[str, str], network: Node) -> str:
    """A module's place as `arch.trace` tells it; what the tree does not know is told by its own names below."""
    root, inside = arch.label(network), name.removeprefix("body").removeprefix(".")
    known = inside
    rest: list[str] = []
    while known and known not in paths:
        known, _, last = known.rpartition(".")
        rest.insert(0, last)
    return PATH.join([paths[known] if known else root, *rest])


def _own(rows: list[list[float]], place: int, off: float) -> tuple[float, ...]:
    """A module's times without the stamp's own; what no module did had none."""
    last = len(rows[0]) - 1 if rows else 0
    return _rounded([row[place] - (off if place < last and row[place] else 0.0) for row in rows])


def _rounded(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(value, 5) for value in values)
