"""Batch norm folded into the linear map before it, for evaluation.

In evaluation a batch norm is scale * x + shift with constants, so behind a convolution or dense layer, which is linear,
it can be part of that layer's weights and bias: W' = scale * W, b' = scale * (b - mean) + shift, where scale is
gamma / sqrt(variance + epsilon). Anywhere else (behind an activation, a pool, a sum) it stays.
"""

from __future__ import annotations

import copy

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
    in_a_row = isinstance(module, nn.Sequential)
    children: dict[str, nn.Module] = {}
    last = ""
    for name, child in module.named_children():
        before = children.get(last)
        if in_a_row and isinstance(before, LINEAR) and isinstance(child, NORMS) and child.track_running_stats:
            children[last] = _folded(before, child)
        else:
            children[name], last = folded(child), name
    made = copy.copy(module)
    made._modules = {**children}
    return made


def _folded(linear: nn.Conv2d | nn.Linear, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module:
    """Reckoned in float64, so that each number is rounded once."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    with torch.no_grad():
        scale = (variance.double() + norm.eps).rsqrt()
        scale = scale if norm.weight is None else scale * norm.weight.double()
        bias = -mean.double() if linear.bias is None else linear.bias.double() - mean.double()
        bias = bias * scale if norm.bias is None else bias * scale + norm.bias.double()
        weight = linear.weight.double() * scale.view(-1, *(1,) * (linear.weight.dim() - 1))
    made = copy.copy(linear)
    made._parameters = {"weight": _constant(weight, linear.weight), "bias": _constant(bias, linear.weight)}
    return made


def _constant(value: Tensor, like: Tensor) -> nn.Parameter:
    return nn.Parameter(value.to(like.dtype), requires_grad=False)
