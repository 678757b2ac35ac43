"""A module's gradient beside a numerical one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

N_PLACES = 96  # numbers of the input at which the derivative is taken
N_PLACES_OF_MANY = 8  # where the module holds others, and may be costly
N_PHOTOS = 2


def compare_gradient(module: nn.Module, inputs: Sequence[Any], seed: int = 0) -> tuple[float, float]:
    """Cosine and relative error of a module's gradient to the central difference, of a weighing of its output to its
    first input in training, at places drawn at random.

    In float64 where the module works in it, else in float32 with a wider step. The input is the one given, of two
    photos, moved a little: behind a rectifier it would stand on the kink of the next one. (1, 0) where the numerical
    gradient is 0 too.
    """
    generator = torch.Generator().manual_seed(seed)
    alone = copied(module).train()  # a normalization works otherwise in evaluation
    first, *others = inputs
    x = first[:N_PHOTOS].detach().cpu().double().contiguous()  # a view of a layout of channels last fails
    x = x + 0.1 * max(float(x.std()), 1e-6) * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    others = [value[:N_PHOTOS] if isinstance(value, Tensor) and len(value) == len(first) else value for value in others]
    try:
        return _compare(alone.double(), x, others, 1e-6, generator)
    except (RuntimeError, TypeError):  # written for float32
        return _compare(alone.float(), x.float(), others, 1e-2, generator)


def copied(module: nn.Module) -> nn.Module:
    """A copy with parameters, buffers and hooks of its own. Results that a module keeps between passes, which Python
    cannot copy (old weight norms keep their weight so), are copied without their graph."""
    kept: dict[int, Any] = {}
    for part in module.modules():
        held = [value for values in vars(part).values() for value in (values if isinstance(values, list) else [values])]
        for value in held:
            if isinstance(value, Tensor) and value.grad_fn is not None:
                kept[id(value)] = value.detach().clone()
    with torch.no_grad():  # TorchScript copies a parameter by an operation
        alone = copy.deepcopy(module, kept)
    for mine, theirs in zip(alone.parameters(), module.parameters(), strict=True):
        if mine.requires_grad != theirs.requires_grad:
            mine.requires_grad_(theirs.requires_grad)
    return alone


def _compare(
    module: nn.Module, x: Tensor, others: Sequence[Any], step: float, generator: torch.Generator
) -> tuple[float, float]:
    with torch.random.fork_rng(devices=[]):

        def f(value: Tensor) -> Tensor:
            torch.manual_seed(0)  # the same dropout each time
            y: Tensor = module(value, *others)
            return y

        x = x.requires_grad_(True)
        y = f(x)
        # not chance alone: what a normalization leaves out of its gradient lies along its mean and along itself
        weighing = torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y.dtype)
        weighing += 0.2 * (1 + y.detach() / y.detach().square().mean().sqrt().clamp(min=1e-30))
        (gradient,) = torch.autograd.grad((y * weighing).sum(), x)
        many = next(module.children(), None) is not None
        places = torch.randperm(x.numel(), generator=generator)[: N_PLACES_OF_MANY if many else N_PLACES]
        step *= max(float(x.detach().abs().max()), 1e-6)
        numerical = torch.empty(len(places), dtype=torch.float64)
        with torch.no_grad():
            for i, place in enumerate(places.tolist()):
                ends = []
                for sign in (1, -1):
                    moved = x.detach().clone()
                    moved.view(-1)[place] += sign * step
                    ends.append(f(moved).double())
                numerical[i] = ((ends[0] - ends[1]) * weighing).sum() / (2 * step)
    analytic = gradient.detach().reshape(-1)[places].double()
    size = float(numerical.norm())
    if size == 0:
        return (1.0, 0.0) if float(analytic.norm()) == 0 else (0.0, float("inf"))
    cosine = float(analytic @ numerical) / max(size * float(analytic.norm()), 1e-300)
    return cosine, float((analytic - numerical).norm()) / size
