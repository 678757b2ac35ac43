"""A short look at a network that no study has trained: its audit, and what is left of it after a few steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from commongarden import arch
from commongarden.arch import Node, Shape
from commongarden.records.findings import Probe
from commongarden.study.recipe import Recipe
from commongarden.train import measure, streams
from commongarden.train.activations import Linear, first, fresh_statistics, spread, tensors
from commongarden.train.audit import audit, begun, blaming, drawn_pixels, n_photos, tree_paths
from commongarden.train.build import Concatenated, Summed, auxiliary_logits
from commongarden.train.numerical import copied
from commongarden.train.recording import path_of
from commongarden.train.symptoms import CONSTANT, Plan
from commongarden.train.torch_private import BatchNorm
from commongarden.train.uncompiled import uncompiled

STEPS = 4
LR = 1e-3


def probe(
    network: nn.Module,
    x: Tensor,
    labels: Tensor,
    plan: Plan,
    *,
    paths: Mapping[str, str] | None = None,
    key: str = "",
) -> Probe:
    """Looks at any network at the weights it has, and at a copy of it after a few steps of Adam on these photos.

    x, labels, paths, key: as `train.audit.audit` takes them. The network is left as it was.
    """
    names = dict(paths or {})
    found = audit(network, x, labels, plan, paths=paths, key=key)
    tried = copied(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        before = _dead(tried, x, labels)
        _learn(tried, x, labels)
        after = _dead(tried, x, labels)
    dead = [name for name in before if name in after]
    outermost = [name for name in dead if not any(name.startswith(f"{other}.") for other in dead)]
    return Probe(
        audit=found,
        weights={path_of(name, names): scale for name, scale in _weights(network)},
        dead=tuple(path_of(name, names) for name in outermost),
        half_lives={path_of(name, names): steps for name, steps in _half_lives(network)},
        steps_per_epoch=plan.steps_per_epoch,
        epochs=plan.epochs,
    )


def probe_drawn(network: Node, input: Shape, n_classes: int, recipe: Recipe, n_train: int) -> Probe:
    """The probe of a tree of nodes as the recipe would first have it, on drawn pixels; n_train: photos to train on."""
    measure.settle(recipe.threads, recipe.precision)
    torch.manual_seed(streams.seed(0, 0, "initialization"))  # for networks that draw their own
    n = n_photos(network, input)
    module, x = begun(network, input, recipe, drawn_pixels(input, n))
    plan = Plan(recipe.batch_size, -(-n_train // recipe.batch_size), recipe.epochs, n_classes, recipe.freeze_backbone)
    labels = torch.arange(n) % n_classes
    with blaming(network):
        return probe(module, x, labels, plan, paths=tree_paths(network), key=arch.hash(network))


def _learn(network: nn.Module, x: Tensor, labels: Tensor) -> None:
    network.train()
    optimizer = uncompiled(torch.optim.Adam)([part for part in network.parameters() if part.requires_grad], LR)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = _loss(network, x, labels)
        if not loss.requires_grad:
            return
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _loss(network: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    logits = tensors(network(x))[0].float()
    others = [weight * F.cross_entropy(other.float(), labels) for weight, other in auxiliary_logits(network)]
    return F.cross_entropy(logits, labels) + sum(others, start=torch.zeros(()))


def _dead(network: nn.Module, x: Tensor, labels: Tensor) -> list[str]:
    """Names of the branches that pass nothing on or learn nothing. One that a scale of 0 has silenced at first, on
    purpose, is alive again after a step."""
    branches = dict(_branches(network))
    flat: set[str] = set()

    def hook(name: str) -> Callable[..., None]:
        def look(module: nn.Module, inputs: object, named: object, output: object) -> None:
            given, result = first((inputs, named)), first(output)
            if given is None or result is None or not torch.isfinite(result).all():
                return
            if spread(given) > CONSTANT >= spread(result):
                flat.add(name)

        return look

    network.train()
    network.zero_grad(set_to_none=True)
    with ExitStack() as hooks, fresh_statistics(network), torch.enable_grad():
        for name, module in branches.items():
            hooks.enter_context(module.register_forward_hook(hook(name), with_kwargs=True))
        loss = _loss(network, x, labels)
        if not (loss.requires_grad and bool(torch.isfinite(loss))):
            return []
        loss.backward()  # type: ignore[no-untyped-call]
    learns = {name for name, module in branches.items() if _has_gradient(module)}
    with_weights = {name for name, module in branches.items() if any(p.requires_grad for p in module.parameters())}
    unmoved = with_weights - learns if _has_gradient(network) else set()
    found = [name for name in branches if name in flat | unmoved]
    network.zero_grad(set_to_none=True)
    return found


def _branches(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, module in network.named_modules():
        if isinstance(module, Concatenated | Summed):
            for child, branch in module.named_children():
                yield (f"{name}.{child}" if name else child), branch


def _has_gradient(module: nn.Module) -> bool:
    return any(part.grad is not None and bool(part.grad.any()) for part in module.parameters())


def _weights(network: nn.Module) -> Iterator[tuple[str, float]]:
    for name, module in network.named_modules():
        if isinstance(module, Linear) and (found := module._parameters.get("weight")) is not None:
            weight = found.detach().float()
            yield name, float(weight.square().mean().sqrt()) * math.sqrt(weight[0].numel())


def _half_lives(network: nn.Module) -> Iterator[tuple[str, float]]:
    for name, module in network.named_modules():
        if isinstance(module, BatchNorm) and module.track_running_stats and module.momentum is not None:
            momentum = float(module.momentum)
            if momentum <= 0:
                yield name, 1e300  # JSON has no infinity
            else:
                yield name, math.log(0.5) / math.log1p(-momentum) if momentum < 1 else 0.0
