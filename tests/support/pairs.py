"""Pairs of networks of which one has a planted difference, and what `explain` says of them.

    python tests/support/pairs.py [SEED] [PAIRS] [NULL_PAIRS]    writes what was found into docs/reasons.md

Each pair is timed in turn and probed, as `commongarden explain ARM ARM` does; its reasons stand in the same order. The
kind of the difference, its place, its size and the network are drawn from the seed. A slow layer or a memory-bound
block is planted in the tree, a fault of the weights in the module, so that the time of that pair is the same on both
sides.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from commongarden import arch
from commongarden.arch import Activation, BatchNorm, Conv, MaxPool, Node, Serial
from commongarden.explain import Reason, accuracy_reasons, time_sentences
from commongarden.explain import time as times
from commongarden.profiling.processes import Candidate, time_arms
from commongarden.records.findings import Probe
from commongarden.study.recipe import Recipe
from paths import ROOT

DEVELOPED_WITH = 1  # the generator's seed while explain was made; the figures are of another
N_CLASSES, SIDES, BATCH = 5, (48, 64), 16
NETWORKS = [
    (family, order)
    for family in ("inception_flower", "plain_flower", "residual_flower", "bottleneck_flower")
    for order in ("LAB", "LBA")
] + [("inception_flower", "LA")]
IN_TIME = ("slow layer", "memory-bound block")
KINDS = (*IN_TIME, "dead branch", "wrong initialization", "lagging norm")
LEAST_MACS, MOST_MACS = 0.1, 1.0  # of a slow layer, as a share of the whole network's
LEAST_BYTES = 0.05  # of each layer of a memory-bound block, as a share of all activations
NAME = "planted"


@dataclass(frozen=True)
class Pair:
    """kind: "" where both networks are the same. paths: where the difference may rightly be said to be."""

    number: int
    kind: str
    network: str
    side: int
    what: str
    reasons: tuple[Reason, ...]
    paths: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        if not self.kind:
            return not self.reasons
        if not self.reasons:
            return False
        first = self.reasons[0]
        return (first.kind, first.arm) == (self.kind, "hurt") and first.path in self.paths


@dataclass(frozen=True)
class Tree:
    """Stands for an arm where one is timed: a network that has no name."""

    tree: Node
    origin: None = None

    def network(self, n_classes: int) -> Node:
        return self.tree


def pair(seed: int, number: int, kind: str) -> Pair:
    """One pair, drawn, measured and explained."""
    dice = random.Random(f"pairs {seed} {number} {kind}")
    networks = [one for one in NETWORKS if kind != "lagging norm" or "B" in one[1]]
    if kind == "dead branch":
        networks = [one for one in networks if one[0] != "plain_flower"]
    family, order = dice.choice(networks)
    side = dice.choice(SIDES)
    sound = arch.network(family, N_CLASSES, order=order)
    hurt, what = sound, ""
    if kind in IN_TIME:
        while not (found := choices(sound, side, kind)):  # no layer of this network is large enough
            family, order = dice.choice(networks)
            sound = arch.network(family, N_CLASSES, order=order)
        place, block, what = dice.choice(found)
        hurt = behind(sound, place, Serial(block, NAME))
    paths = [" / ".join(layer.path) for layer in arch.trace(hurt, (side, side, 3)) if NAME in layer.path]
    probes, name = probed(sound, hurt, side, "" if kind in IN_TIME else kind, dice)
    reasons = (*in_time(sound, hurt, side), *accuracy_reasons(("sound", "hurt"), probes))
    if name:
        paths = [name]
    return Pair(number, kind, f"{family}:{order}", side, what or name, reasons, tuple(paths))


def choices(network: Node, side: int, kind: str) -> list[tuple[int, tuple[Node, ...], str]]:
    """What may be planted: behind which convolution, which slow layer or memory-bound block, and what it is called."""
    layers = arch.trace(network, (side, side, 3))
    macs, held = sum(layer.macs for layer in layers), sum(layer.activation_bytes for layer in layers)
    found: list[tuple[int, tuple[Node, ...], str]] = []
    for place, layer in enumerate(one for one in layers if isinstance(one.node, Conv)):
        height, width, channels = layer.output
        if kind == "slow layer":
            for kernel in (3, 5, 7):
                share = kernel**2 * channels**2 * height * width / macs
                if LEAST_MACS <= share <= MOST_MACS:
                    slow = Conv(channels, (kernel, kernel))
                    found.append((place, (slow,), f"conv {kernel}x{kernel}, {share:.0%} of all MACs"))
        elif layer.activation_bytes >= LEAST_BYTES * held:
            for n in (2, 4, 6):
                pool = MaxPool((3, 3), (1, 1))
                by_channel = Conv(channels, (3, 3), groups=channels)
                for said, block in (
                    ("max pools", (pool,) * n),
                    ("batch norms", (BatchNorm(),) * n),
                    ("convolutions by channel", (by_channel, Activation()) * n),
                ):
                    found.append((place, block, f"{n} {said}"))
    return found


def behind(network: Node, place: int, block: Node) -> Node:
    """The tree with a block behind its n-th convolution in the order of work. Repeats are written out."""
    count = -1

    def walk(node: Node) -> Node:
        nonlocal count
        if isinstance(node, Conv):
            count += 1
            return Serial((node, block)) if count == place else node
        if isinstance(node, arch.Repeat):
            return Serial(tuple(dataclasses.replace(node, body=walk(node.body), times=1) for _ in range(node.times)))
        if isinstance(node, arch.Serial):
            return dataclasses.replace(node, layers=tuple(map(walk, node.layers)))
        if isinstance(node, arch.Parallel | arch.Add):
            return dataclasses.replace(node, branches=tuple(map(walk, node.branches)))
        return node

    return walk(network)


def probed(sound: Node, hurt: Node, side: int, fault: str, dice: random.Random) -> tuple[tuple[Probe, Probe], str]:
    """Both networks looked at over a few steps, the second with a fault of its weights, and where that is."""
    import torch

    from accuracy_faults import dead_branch, lagging_norm, wrong_weights
    from commongarden.train import streams
    from commongarden.train.audit import drawn_pixels, tree_paths
    from commongarden.train.build import build
    from commongarden.train.initialize import initialize
    from commongarden.train.probe import probe
    from commongarden.train.symptoms import Plan

    faults = {"dead branch": dead_branch, "wrong initialization": wrong_weights, "lagging norm": lagging_norm}
    shape, found, name = (side, side, 3), [], ""
    plan = Plan(batch_size=BATCH, steps_per_epoch=60, epochs=10, n_classes=N_CLASSES)
    pixels = drawn_pixels(shape, 8)
    x = (pixels - pixels.mean()) / pixels.std()
    for tree in (sound, hurt):
        module = build(tree, shape)
        initialize(module, Recipe(), streams.generator(0, 0, "initialization"))
        if tree is hurt and len(found) == 1 and fault:
            _kind, place = faults[fault](module, dice)
            name = tree_paths(tree)[place]
        found.append(probe(module, x, torch.arange(8) % N_CLASSES, plan, paths=tree_paths(tree)))
    return (found[0], found[1]), name


def in_time(sound: Node, hurt: Node, side: int) -> tuple[Reason, ...]:
    """What explain names as reasons for a difference in time."""
    recipe = Recipe(resolution=side, batch_size=BATCH)
    arms = {name: Candidate(Tree(tree), recipe, (side, side, 3)) for name, tree in (("sound", sound), ("hurt", hurt))}
    timing = time_arms(arms, N_CLASSES, repeats=3, rounds=20, device="cpu")
    return time_sentences.reasons(times.split(timing, "sound", "hurt"))


def drawn(seed: int, n: int, n_null: int) -> list[tuple[int, int, str]]:
    """What `pair` is to make: each kind equally often, then pairs of equal networks."""
    return [(seed, number, KINDS[number % len(KINDS)] if number < n else "") for number in range(n + n_null)]


def keep_to_one_core(free: multiprocessing.Queue[int]) -> None:
    """Each process of the pool has a core for itself, and so have those that it starts."""
    os.sched_setaffinity(0, {free.get()})


def table(found: list[Pair], seed: int) -> str:
    """As Markdown."""
    lines = [
        "In each pair, one network has a planted difference. The first reason must have the right kind, model and",
        f"place. The pairs come from seed {seed}; `explain` was developed with seed {DEVELOPED_WITH}.",
        "",
    ]
    lines += ["| planted | pairs | first reason correct | others |", "|---|---|---|---|"]
    for kind in KINDS:
        mine = [one for one in found if one.kind == kind]
        wrong = Counter(one.reasons[0].kind if one.reasons else "none" for one in mine if not one.is_right)
        others = ", ".join(f"{name}{f' ({n})' if n > 1 else ''}" for name, n in wrong.items())
        lines.append(f"| {kind} | {len(mine)} | {sum(one.is_right for one in mine)} | {others} |")
    both = [one for one in found if one.kind]
    null = [one for one in found if not one.kind]
    lines += [
        f"| together | {len(both)} | {sum(one.is_right for one in both)} | |",
        "",
        f"Of {len(null)} pairs of equal networks, a reason was given for {sum(bool(one.reasons) for one in null)}.",
        "",
        f"`python tests/support/pairs.py {seed} {len(both)} {len(null)}`",
    ]
    return "\n".join(lines)


def measured(seed: int, n: int, n_null: int) -> Iterator[Pair]:
    """The pairs as they are explained, as many at a time as there are cores."""
    context, cores = multiprocessing.get_context("spawn"), sorted(os.sched_getaffinity(0))
    free = context.Queue()
    for core in cores:
        free.put(core)
    with ProcessPoolExecutor(len(cores), context, keep_to_one_core, (free,)) as pool:
        yield from pool.map(pair, *zip(*drawn(seed, n, n_null), strict=True))


def main(seed: int = 2, n: int = 40, n_null: int = 20) -> None:
    found = []
    for one in measured(seed, n, n_null):
        found.append(one)
        first = dataclasses.asdict(one.reasons[0]) if one.reasons else {}
        said = {key: first.get(key) for key in ("kind", "arm", "path")}
        print(f"{'right' if one.is_right else 'WRONG'} {one.number} {one.kind or 'null'}: {one.network}@{one.side} "
              f"{one.what}: {json.dumps(said)}", flush=True)  # fmt: skip
    docs = ROOT / "docs/reasons.md"
    start, end = "<!-- planted -->\n", "\n<!-- /planted -->"
    text = docs.read_text(encoding="utf-8")
    before, _, rest = text.partition(start)
    docs.write_text(before + start + table(found, seed) + end + rest.partition(end)[2], encoding="utf-8")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
