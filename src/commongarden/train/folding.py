"""Batch norm folded into the linear map before it, for evaluation.

In evaluation a batch norm is scale * x + shift with constants, so behind a convolution or dense layer, which is linear,
it can be part of that layer's weights and bias: W' = scale * W, b' = scale * (b - mean) + shift, where scale is
gamma / sqrt(variance + epsilon). Anywhere else (behind an activation, a pool, a sum) it stays.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from commongarden.train.build import FlatLinear, PaddedConv2d
from commongarden.train.external import ExternalNetwork

LINEAR = (nn.Conv2d, PaddedConv2d, nn.Linear, FlatLinear)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def folded(module: nn.Module) -> nn.Module:
    """The module for evaluation only, with every batch norm folded that directly follows a linear map in a row.

    A copy of the tree of modules, which shares all tensors but those of the folded layers with `module`; that one stays
    as it is, and must be in evaluation mode. Networks by others are shared whole: in what order their code calls its
    layers is not known.
    """
    if isinstance(module, ExternalNetwork) or not module._modules:
        return module
    children: dict[str, nn.Module | None] = {}
    last = ""
    for name, child in module._modules.items():
        if isinstance(module, nn.Sequential) and _folds(children.get(last), child):
            children[last] = _folded(children[last], child)
        else:
            children[name], last = child if child is None else folded(child), name
    made = copy.copy(module)
    made._modules = children
    return made


def _folds(linear: Any, norm: Any) -> bool:
    """By their exact kinds: what a subclass computes is its own affair."""
    return type(linear) in LINEAR and type(norm) in NORMS and norm.running_mean is not None


def _folded(linear: Any, norm: Any) -> nn.Module:
    """Reckoned in float64, so that each number is rounded once."""
    with torch.no_grad():
        scale = (norm.running_var.double() + norm.eps).rsqrt()
        bias = -norm.running_mean.double() if linear.bias is None else linear.bias.double() - norm.running_mean.double()
        if norm.affine:
            scale = scale * norm.weight.double()
        bias = bias * scale + norm.bias.double() if norm.affine else bias * scale
        weight = linear.weight.double() * scale.view(-1, *(1,) * (linear.weight.dim() - 1))
    made: nn.Module = copy.copy(linear)
    made._parameters = {"weight": _constant(weight, linear.weight), "bias": _constant(bias, linear.weight)}
    return made


def _constant(value: Tensor, like: Tensor) -> nn.Parameter:
    return nn.Parameter(value.to(like.dtype), requires_grad=False)
