"""Twelve defects, each planted in a built network at a place drawn at random, and where an audit should find it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from commongarden import arch
from commongarden.study.recipe import Recipe
from commongarden.train import streams
from commongarden.train.audit import audit, drawn_pixels, tree_paths
from commongarden.train.build import Concatenated, Padded, Summed, build
from commongarden.train.initialize import initialize
from commongarden.train.symptoms import Plan

N_CLASSES = 5
N_PHOTOS = 8
POOLS = (nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, Padded)
PLAN = Plan(batch_size=32, steps_per_epoch=100, epochs=10, n_classes=N_CLASSES)


@dataclasses.dataclass
class Plant:
    """A network to plant in, and what is expected: any of these kinds at any of these modules."""

    network: arch.Node
    input: arch.Shape
    module: nn.Module
    dice: random.Random
    kinds: set[str] = dataclasses.field(default_factory=set)
    modules: set[str] = dataclasses.field(default_factory=set)
    plan: Plan = PLAN

    def choose(self, wanted) -> tuple[str, nn.Module]:
        """A module at random, of some types or that a function accepts."""
        accepts = wanted if not isinstance(wanted, tuple) else lambda _, module: isinstance(module, wanted)
        layers = tree_paths(self.network)
        found = [(name, part) for name, part in self.module.named_modules() if name in layers and accepts(name, part)]
        return self.dice.choice(found)

    def expect(self, name, *kinds):
        self.modules.add(name)
        self.kinds.update(kinds)

    def replace(self, name, module):
        parent, _, own = name.rpartition(".")
        setattr(self.module.get_submodule(parent), own, module)

    def before(self, name):
        """The module in front of another one in its row; None at the front and outside of rows."""
        parent, _, own = name.rpartition(".")
        row = self.module.get_submodule(parent)
        names = [label for label, _ in row.named_children()]
        place = names.index(own)
        return row.get_submodule(names[place - 1]) if isinstance(row, nn.Sequential) and place else None

    def last_dense(self):
        return [(name, part) for name, part in self.module.named_modules() if isinstance(part, nn.Linear)][-1]


def nothing(plant):
    """The network as it is."""


LINEAR = (nn.Conv2d, nn.Linear)


def weights_too_small(plant):
    name, layer = plant.choose(LINEAR)
    layer.weight.data.mul_(plant.dice.choice([0.001, 0.01]))
    plant.expect(name, "small weights")


def weights_too_large(plant):
    name, layer = plant.choose(LINEAR)
    layer.weight.data.mul_(plant.dice.choice([50.0, 500.0]))
    plant.expect(name, "large weights")


def dead_rectifier(plant):
    def has_a_layer_before(name, module):
        return isinstance(module, nn.ReLU) and isinstance(plant.before(name), (nn.BatchNorm2d, nn.Conv2d))

    name, _ = plant.choose(has_a_layer_before)
    layer = plant.before(name)
    channels = layer.num_features if isinstance(layer, nn.BatchNorm2d) else layer.out_channels
    if layer.weight is None:
        layer.weight = nn.Parameter(torch.ones(channels))
    layer.bias = nn.Parameter(torch.full((channels,), -1000.0))
    plant.expect(name, "dead units")


def detached_branch(plant):
    def is_branch(name, module):
        parent = plant.module.get_submodule(name.rpartition(".")[0])
        return isinstance(parent, Concatenated | Summed) and any(True for _ in module.parameters())

    branches = any(is_branch(name, part) for name, part in plant.module.named_modules() if name)
    name, part = plant.choose(lambda name, module: name and (is_branch(name, module) or not branches))
    part.register_forward_hook(lambda module, inputs, output: output.detach())
    plant.expect(name, "cut gradient")


def unused_parameter(plant):
    name, part = plant.choose(lambda name, module: bool(name))
    part.register_parameter("spare", nn.Parameter(torch.randn(7)))
    plant.expect(name, "unused parameter")


def constant_output(plant):
    name, layer = plant.choose(LINEAR)
    layer.weight.data.zero_()
    plant.expect(name, "constant output")


class ScrambledPool(torch.autograd.Function):
    """A pool whose gradient goes to the wrong photos and positions."""

    @staticmethod
    def forward(ctx, x, pool):
        ctx.save_for_backward(x)
        ctx.pool = pool
        return pool(x)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        with torch.enable_grad():
            inner = x.detach().requires_grad_(True)
            (right,) = torch.autograd.grad(ctx.pool(inner), inner, gradient)
        order = torch.randperm(right.numel(), generator=torch.Generator().manual_seed(1))
        return right.reshape(-1)[order].view_as(right), None


class ByHand(nn.Module):
    """A pool behind a function of its own."""

    def __init__(self, pool, function):
        super().__init__()
        object.__setattr__(self, "pool", pool)  # no part of the module tree
        self.function = function

    def forward(self, x):
        return self.function.apply(x, self.pool)


def wrong_gradient(plant):
    name, pool = plant.choose(POOLS)
    plant.replace(name, ByHand(pool, ScrambledPool))
    plant.expect(name, "wrong gradient")


def tiny_momentum(plant):
    name, norm = plant.choose((nn.BatchNorm2d,))
    norm.momentum = 0.001
    plant.expect(name, "lagging statistics")


def saturated_logits(plant):
    name, layer = plant.last_dense()
    layer.weight.data.mul_(plant.dice.choice([40.0, 100.0]))
    plant.expect(name, "saturated logits")


class NoisyRectifier(nn.Module):
    """A rectifier that training drowns in randomness."""

    def __init__(self, rate, std):
        super().__init__()
        self.rate, self.std = rate, std

    def forward(self, x):
        y = F.relu(x)
        if self.training and self.std:
            return y + self.std * torch.randn_like(y)
        return F.dropout(y, self.rate, self.training)


def far_too_random(plant):
    name, _ = plant.choose((nn.ReLU,))
    plant.replace(name, NoisyRectifier(*plant.dice.choice([(0.95, 0.0), (0.0, 50.0)])))
    plant.expect(name, "train and eval apart")


def batch_of_two(plant):
    plant.plan = dataclasses.replace(plant.plan, batch_size=2)
    names = {path: name for name, path in tree_paths(plant.network).items()}
    single = [
        names[" / ".join(layer.path)]
        for layer in arch.trace(plant.network, plant.input)
        if isinstance(layer.node, arch.BatchNorm) and 2 * layer.input[0] * layer.input[1] < 8
    ]
    plant.expect(single[0], "small batch")


def scaled_branch(plant):
    def is_body(name, module):
        parent = plant.module.get_submodule(name.rpartition(".")[0])
        return isinstance(parent, Summed) and name.endswith(".body")

    name, body = plant.choose(lambda name, module: name and is_body(name, module))
    body.register_forward_hook(lambda module, inputs, output: 30 * output)
    plant.expect(name, "growing sum")
    plant.expect(name.rpartition(".")[0])  # the sum that the branch goes into


ANYWHERE = ("inception_flower", "residual_flower", "bottleneck_flower", "plain_flower", "resnet18", "googlenet")
RESIDUAL = ("residual_flower", "bottleneck_flower", "resnet18", "resnet50")
DEFECTS: dict[Callable[[Plant], None], tuple[str, ...]] = {
    weights_too_small: ANYWHERE,
    weights_too_large: ANYWHERE,
    dead_rectifier: ANYWHERE,
    detached_branch: ANYWHERE,
    unused_parameter: ANYWHERE,
    constant_output: ANYWHERE,
    wrong_gradient: ANYWHERE,
    tiny_momentum: ANYWHERE,
    saturated_logits: ANYWHERE,
    far_too_random: ANYWHERE,
    batch_of_two: ANYWHERE,
    scaled_branch: RESIDUAL,
}
SIZES = {"resnet18": 32, "resnet50": 32, "googlenet": 32}  # pixels at which the last stage is 1x1
FLOWER_SIZE, FLOWER_SIZE_1X1 = 32, 16


def planted(defect, family, seed):
    """The audit of a network with the defect in it, and what was planted where."""
    size = SIZES.get(family, FLOWER_SIZE_1X1 if defect is batch_of_two else FLOWER_SIZE)
    network, shape = arch.network(family, N_CLASSES, order="LBA"), (size, size, 3)
    module = build(network, shape)
    initialize(module, Recipe(), streams.generator(0, seed, "initialization"))
    plant = Plant(network, shape, module, random.Random(f"{defect.__name__} {family} {seed}"))
    defect(plant)
    pixels = drawn_pixels(shape, N_PHOTOS)
    x = (pixels - pixels.mean()) / pixels.std()
    found = audit(module, x, torch.arange(N_PHOTOS) % N_CLASSES, plant.plan, paths=tree_paths(network))
    return found, plant


def caught(found, plant):
    """Whether it is told for what it is, where it is."""
    paths = {tree_paths(plant.network)[name] for name in plant.modules}
    return any(finding.kind in plant.kinds and finding.path in paths for finding in found.findings)
