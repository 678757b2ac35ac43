"""What was tried to train faster: each attempt's step with and without it, in turn, for docs/performance.md.

    python scripts/attempts.py [--rounds N] [--json ATTEMPTS.json] [NAME...]

A round takes three steps each way, the first not counted, in random order. Processor time of the one thread that
trains: other work on the machine then counts less. The ratio is the median over the rounds, with its interval. What
concerns one operation is timed as that operation alone, forward and backward, since a step hides it.
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
from functools import partial
from pathlib import Path

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from commongarden import arch
from commongarden.arch import Node
from commongarden.runner import allocator
from commongarden.stats.medians import median_interval
from commongarden.study.recipe import Recipe
from commongarden.train.audit import drawn_pixels
from commongarden.train.classifier import Classifier
from commongarden.train.replay.forward_backward import ForwardBackward, ReplayedStep, eager
from commongarden.train.replay.optimizer_step import TapedMove, as_it_is
from commongarden.train.replay.recorded_step import AS_EVER
from commongarden.train.schedule import make_optimizer

INCEPTION = ("inception_flower", "LA", 96, 10)
BOTTLENECK = ("bottleneck_flower", "LAB", 64, 10)
RESNET = ("resnet18", None, 64, 32)
LARGE = ("resnet18", None, 192, 32)
SMALL = (INCEPTION, BOTTLENECK)
STEPS = 3
MMAP_MAX, TRIM = 65536, 128 * 1024  # glibc's own


@dataclass(frozen=True)
class Attempt:
    """without: what is changed of the recipe to be without it; given_back: freed memory goes back to the system;
    changed: what is done to the network to be with it, where it was not kept. bare_adam: the optimizer is `bare`.
    taped: both halves of a step are replayed."""

    name: str
    case: tuple[str, str | None, int, int]
    kept: bool
    reason: str
    without: dict[str, object] = field(default_factory=dict)
    given_back: bool = False
    unfused: bool = False
    changed: Callable[[nn.Module], None] | None = None
    bare_adam: bool = False
    taped: bool = False


class PooledByConvolution(nn.Module):
    """The mean over 3x3 windows, padded by 1, as a convolution of each channel by itself, at the size first given."""

    def __init__(self) -> None:
        super().__init__()
        self.ones: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.ones is None:
            self.ones = torch.ones(x.shape[1], 1, 3, 3)
            counts = F.avg_pool2d(torch.ones(1, *x.shape[1:]), 3, 1, 1, divisor_override=1)
            self.share = counts.reciprocal().contiguous(memory_format=torch.channels_last)
        return F.conv2d(x, self.ones, padding=1, groups=len(self.ones)) * self.share


class Product(nn.Conv2d):
    """A 1x1 convolution as one matrix product over all pixels."""

    def forward(self, x: Tensor) -> Tensor:
        return product(x, self.weight, self.bias)


def product(x: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    return F.linear(x.permute(0, 2, 3, 1), weights.flatten(1), bias).permute(0, 3, 1, 2)


def pools_as_convolutions(network: nn.Module) -> None:
    for parent in list(network.modules()):
        for name, part in list(parent.named_children()):
            if isinstance(part, nn.AvgPool2d) and part.stride in (1, (1, 1)):
                setattr(parent, name, PooledByConvolution())


def relus_in_place(network: nn.Module) -> None:
    for part in network.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = True


def products(network: nn.Module) -> None:
    for part in network.modules():
        if type(part) is nn.Conv2d and part.kernel_size == part.stride == (1, 1):
            part.__class__ = Product


def bare(optimizer: torch.optim.Optimizer) -> Callable[[float], object]:
    """Adam's step as the call of one function, on lists that are gathered once."""
    optimizer.step()
    (group,) = optimizer.param_groups
    states = [optimizer.state[parameter] for parameter in group["params"]]
    averages, squares, steps = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step"))
    beta1, beta2 = group["betas"]

    @torch.no_grad()
    def step(rate: float) -> None:
        gradients = [parameter.grad for parameter in group["params"]]
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            group["params"], gradients, averages, squares, [], steps, lr=rate, beta1=beta1, beta2=beta2,
            weight_decay=group["weight_decay"], eps=group["eps"], amsgrad=False, maximize=False,
        )  # fmt: skip

    return step


HELD = "a step's memory held for the next one"
ATTEMPTS = [
    Attempt("channels last", case, True, "half the reorders between convolutions", {"layout": "channels-first"})
    for case in SMALL
]
ATTEMPTS += [
    Attempt("a step replayed from a tape", case, True, "no modules, no bookkeeping of gradients", taped=True)
    for case in (*SMALL, RESNET)
]
ATTEMPTS += [Attempt("fused optimizer", case, True, "one call for all weights", unfused=True) for case in SMALL]
ATTEMPTS += [
    Attempt("average pool behind the 1x1 convolution", INCEPTION, True, "fewer channels to pool", {"rewrites": ()})
]
ATTEMPTS += [
    Attempt(HELD, case, True, "no fresh pages to be zeroed in every step", given_back=True)
    for case in (INCEPTION, RESNET, LARGE)
]
ATTEMPTS += [
    Attempt(
        "average pools as convolutions", INCEPTION, False, "faster alone, no gain shown for a step",
        changed=pools_as_convolutions,
    ),
    *(Attempt("ReLU in place", case, False, "no gain shown", changed=relus_in_place) for case in SMALL),
    *(Attempt("1x1 convolutions as products", case, False, "no gain shown", changed=products) for case in SMALL),
    Attempt(
        "Adam without torch's bookkeeping", BOTTLENECK, False, "a tape of its step saves as much",
        bare_adam=True,
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """make(with_it) gives a function that does the operation once, forward and backward."""

    name: str
    case: str
    kept: bool
    reason: str
    make: Callable[[bool], Callable[[], object]]


CALLS = 30


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape).contiguous(memory_format=torch.channels_last)


def pixels_by_row(with_it: bool) -> Callable[[], object]:
    pixels = torch.randint(0, 256, (10, 96, 96, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    mean, std = torch.full((1, 3, 1, 1), 120.0), torch.full((1, 3, 1, 1), 60.0)
    classifier = Classifier(arch.network("plain_flower", 5), (96, 96, 3), Recipe(), (120.0,) * 3, (60.0,) * 3)
    if with_it:
        return lambda: classifier.preprocessed(pixels)
    return lambda: pixels.to(dtype=torch.float32, memory_format=torch.channels_last).sub(mean).div_(std)


def packed(with_it: bool) -> Callable[[], object]:
    """The gradients of three activations of 6, 6 and 8 channels behind a concatenation."""
    outputs = [drawn(10, width, 48, 48) for width in (6, 6, 8)]
    gradients = drawn(10, 20, 48, 48).split([6, 6, 8], dim=1)

    def back() -> None:
        for gradient, output in zip(gradients, outputs, strict=True):
            whole = gradient.contiguous(memory_format=torch.channels_last) if with_it else gradient
            torch.ops.aten.threshold_backward(whole, output, 0)

    return back


def both_ways(forward: Callable[..., Tensor], *given: Tensor) -> Callable[[], None]:
    leaves = [one.requires_grad_() for one in given]
    gradient = torch.ones_like(forward(*leaves))

    def once() -> None:
        forward(*leaves).backward(gradient)
        for leaf in leaves:
            leaf.grad = None

    return once


def pointwise(with_it: bool) -> Callable[[], object]:
    return both_ways(product if with_it else F.conv2d, drawn(10, 44, 24, 24), drawn(12, 44, 1, 1), torch.zeros(12))


def pooled(with_it: bool) -> Callable[[], object]:
    """3x3 windows, with what is padded not counted."""
    native = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    return both_ways(PooledByConvolution() if with_it else native, drawn(10, 4, 48, 48))


def windows(with_it: bool) -> Callable[[], object]:
    def product(x: Tensor, weights: Tensor) -> Tensor:
        columns = F.unfold(x, 3, padding=1)
        return (weights.flatten(1) @ columns).unflatten(2, x.shape[2:])

    convolved = partial(F.conv2d, padding=1)
    return both_ways(product if with_it else convolved, drawn(10, 20, 48, 48), drawn(12, 20, 3, 3))


def padded(with_it: bool) -> Callable[[], object]:
    width = 8 if with_it else 6
    return both_ways(partial(F.conv2d, padding=1), drawn(10, width, 48, 48), drawn(width, width, 3, 3))


def together(with_it: bool) -> Callable[[], object]:
    """Three 1x1 convolutions over one input, which 3x3 convolutions take up."""

    def apart(x: Tensor, *weights: Tensor) -> Tensor:
        return torch.cat([F.conv2d(x, one) * 1.0 for one in weights], dim=1)

    def as_one(x: Tensor, *weights: Tensor) -> Tensor:
        parts = F.conv2d(x, torch.cat(weights)).split([len(one) for one in weights], dim=1)
        return torch.cat([part.contiguous(memory_format=torch.channels_last) * 1.0 for part in parts], dim=1)

    return both_ways(as_one if with_it else apart, drawn(10, 44, 24, 24), *(drawn(12, 44, 1, 1) for _ in range(3)))


OPERATIONS = [
    Operation(
        "pixels shifted and divided by rows", "10 photos of 96x96", True, "three channels are too few for a vector",
        pixels_by_row,
    ),
    Operation(
        "a branch's gradient packed", "gradient of ReLU, 6 + 6 + 8 channels, 48x48, batch 10", True,
        "slices of channels lie scattered", packed,
    ),
    Operation(
        "1x1 convolution as a matrix product", "44 to 12 channels, 24x24, batch 10", False,
        "under 1.15, and no gain shown for a step", pointwise,
    ),
    Operation(
        "average pool as a convolution", "3x3 on 4 channels, 48x48, batch 10", False,
        "no gain shown for a step", pooled,
    ),
    Operation(
        "3x3 convolution as windows and a matrix product", "20 to 12 channels, 48x48, batch 10", False,
        "nine times the memory to move", windows,
    ),
    Operation(
        "channels padded to eight", "3x3, 8 in place of 6 channels, 48x48, batch 10", False,
        "under 1.15, without what padding and cutting cost", padded,
    ),
    Operation(
        "parallel 1x1 convolutions as one", "three of 44 to 12 channels, 24x24, batch 10", False,
        "pays alone; not built, since the flower networks have no three over one input", together,
    ),
]  # fmt: skip


def alone(operation: Operation, rounds: int) -> Iterator[float]:
    """Time of an operation without it, by that with it."""
    dice = random.Random(operation.name)
    ways = {with_it: operation.make(with_it) for with_it in (True, False)}
    for number in range(rounds + 1):
        took = {}
        for with_it in dice.sample((True, False), 2):
            begin = time.thread_time()
            for _ in range(CALLS):
                ways[with_it]()
            took[with_it] = time.thread_time() - begin
        if number:
            yield took[False] / took[True]


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
    if attempt.changed is not None and with_it:
        attempt.changed(classifier)
    optimizer = make_optimizer(classifier, recipe)
    if attempt.unfused and not with_it:
        for group in optimizer.param_groups:
            group["fused"] = False
    pixels, labels = drawn_pixels((side, side, 3), batch), torch.arange(batch) % 5
    learn: ForwardBackward = eager(classifier, optimizer, recipe)
    if attempt.taped and with_it:
        learn = ReplayedStep(learn, classifier)
    learn(pixels, labels)
    move: Callable[[float], object] = TapedMove(optimizer) if attempt.taped and with_it else as_it_is(optimizer)
    if attempt.bare_adam and with_it:
        move = bare(optimizer)
    for _ in range(AS_EVER + 2 if attempt.taped else 1):
        learn(pixels, labels)
        move(recipe.lr)

    def step() -> None:
        learn(pixels, labels)
        move(recipe.lr)

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
    parser.add_argument("--json", type=Path, help="what is found is written here, over what is there of the same")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    allocator.hold()  # as where networks are trained
    found: dict[tuple[str, str], dict[str, object]] = {}
    if given.json is not None and given.json.exists():
        found = {(row["name"], row["case"]): row for row in msgspec.json.decode(given.json.read_bytes())}
    for attempt in (*ATTEMPTS, *OPERATIONS):
        if given.names and not attempt.name.startswith(tuple(given.names)):
            continue
        allocator.hold()
        if isinstance(attempt, Operation):
            ratio, case = median_interval(list(alone(attempt, given.rounds))), attempt.case
        else:
            ratio = median_interval(list(ratios(attempt, given.rounds)))
            family, order, side, batch = attempt.case
            case = f"{family}{':' + order if order else ''} at {side} pixels, batch {batch}"
        row = {"name": attempt.name, "case": case, "ratio": ratio, "kept": attempt.kept, "reason": attempt.reason}
        found[attempt.name, case] = row
        print(f"{attempt.name}, {case}: {ratio.value:.3f} ({ratio.low} to {ratio.high}), n {ratio.n}", flush=True)
        if given.json is not None:
            given.json.write_bytes(msgspec.json.format(msgspec.json.encode(list(found.values()))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
