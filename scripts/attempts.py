"""What was tried to train faster: each attempt's step with and without it, in turn, for docs/performance.md.

    python scripts/attempts.py [--rounds N] [--json ATTEMPTS.json] [NAME...]

A round takes three steps each way, the first not counted, in random order. Processor time of the one thread that
trains: other work on the machine then counts less. The ratio is the median over the rounds, with its interval.
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import torch
from torch import nn

from commongarden import arch
from commongarden.arch import Node
from commongarden.recipe import Recipe
from commongarden.runner import allocator
from commongarden.stats.medians import median_interval
from commongarden.train.audit import drawn_pixels
from commongarden.train.classifier import Classifier
from commongarden.train.schedule import make_optimizer

INCEPTION = ("inception_flower", "LA", 96, 10)
BOTTLENECK = ("bottleneck_flower", "LAB", 64, 10)
RESNET = ("resnet18", None, 64, 32)
LARGE = ("resnet18", None, 192, 32)
STEPS = 3
MMAP_MAX, TRIM = 65536, 128 * 1024  # glibc's own


@dataclass(frozen=True)
class Attempt:
    """without: what is changed of the recipe to be without it; given_back: freed memory goes back to the system."""

    name: str
    case: tuple[str, str | None, int, int]
    kept: bool
    reason: str
    without: dict[str, object] = field(default_factory=dict)
    given_back: bool = False
    unfused: bool = False


HELD = "a step's memory held for the next one"
ATTEMPTS = [
    Attempt("channels last", case, True, "half the reorders between convolutions", {"layout": "channels-first"})
    for case in (INCEPTION, BOTTLENECK)
]
ATTEMPTS += [
    Attempt("fused optimizer", case, True, "one call for all weights", unfused=True) for case in (INCEPTION, BOTTLENECK)
]
ATTEMPTS += [
    Attempt("average pool behind the 1x1 convolution", INCEPTION, True, "fewer channels to pool", {"rewrites": ()})
]
ATTEMPTS += [
    Attempt(HELD, case, True, "no fresh pages to be zeroed in every step", given_back=True)
    for case in (INCEPTION, RESNET, LARGE)
]


def ratios(attempt: Attempt, rounds: int) -> Iterator[float]:
    """Time of a step without it, by that with it."""
    dice = random.Random(attempt.name)
    ways = {with_it: stepper(attempt, with_it) for with_it in (True, False)}
    for number in range(rounds + 1):
        took = {with_it: ways[with_it]() for with_it in dice.sample((True, False), 2)}
        if number:
            yield took[False] / took[True]


def stepper(attempt: Attempt, with_it: bool) -> Callable[[], float]:
    """A function that takes steps and gives the seconds that one took, the first not counted."""
    family, order, side, batch = attempt.case
    recipe = Recipe(resolution=side, batch_size=batch, optimizer="adam")
    if not with_it:
        recipe = dataclasses.replace(recipe, **attempt.without)
    network: Node = arch.network(family, 5, **({} if order is None else {"order": order}))
    torch.manual_seed(0)
    classifier = Classifier(network, (side, side, 3), recipe, (127.5,) * 3, (64.0,) * 3).train()
    optimizer = make_optimizer(classifier, recipe)
    if attempt.unfused and not with_it:
        for group in optimizer.param_groups:
            group["fused"] = False
    pixels, labels = drawn_pixels((side, side, 3), batch), torch.arange(batch) % 5

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(classifier(pixels), labels).backward()
        optimizer.step()

    def steps() -> float:
        if attempt.given_back:
            hold(with_it)
        step()
        begin = time.thread_time()
        for _ in range(STEPS - 1):
            step()
        return (time.thread_time() - begin) / (STEPS - 1)

    return steps


def hold(held: bool) -> None:
    """Switches between what workers do and what glibc does by itself."""
    if held:
        allocator.hold()
    else:
        libc = ctypes.CDLL(None)
        libc.mallopt(allocator.M_MMAP_MAX, MMAP_MAX)
        libc.mallopt(allocator.M_TRIM_THRESHOLD, TRIM)
        allocator.release()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="beginnings of names; all of them by default")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    allocator.hold()  # as where networks are trained
    found = []
    for attempt in ATTEMPTS:
        if given.names and not attempt.name.startswith(tuple(given.names)):
            continue
        allocator.hold()
        ratio = median_interval(list(ratios(attempt, given.rounds)))
        family, order, side, batch = attempt.case
        case = f"{family}{':' + order if order else ''} at {side} pixels, batch {batch}"
        found.append(
            {"name": attempt.name, "case": case, "ratio": ratio, "kept": attempt.kept, "reason": attempt.reason}
        )
        print(f"{attempt.name}, {case}: {ratio.value:.3f} ({ratio.low} to {ratio.high}), n {ratio.n}", flush=True)
    if given.json is not None:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
