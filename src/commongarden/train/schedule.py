"""Optimizer and learning rate by recipe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from commongarden.study.recipe import OF_TORCH, Recipe
from commongarden.train.parameter_groups import needed_head, parameter_groups
from commongarden.train.uncompiled import uncompiled


def make_optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer.

    Adam, AdamW and SGD are torch's, with its betas (0.9, 0.999) and epsilon 1e-8: in torch's fused form, but parameter
    by parameter where the network has complex parameters or sparse gradients, for which there is none. The others are
    timm's, with its defaults. Raises StudyError.
    """
    groups, fused = parameter_groups(module, recipe), can_be_fused(module)
    if recipe.optimizer not in OF_TORCH:
        import timm.optim

        optim: Any = timm.optim
        found: torch.optim.Optimizer = optim.create_optimizer_v2(
            groups, recipe.optimizer, recipe.lr, recipe.weight_decay, recipe.momentum
        )
        return found
    common: dict[str, Any] = {"fused": fused, "foreach": None if fused else False, "weight_decay": recipe.weight_decay}
    if recipe.optimizer == "sgd":
        return uncompiled(torch.optim.SGD)(groups, recipe.lr, recipe.momentum, nesterov=recipe.nesterov, **common)
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return uncompiled(kind)(groups, recipe.lr, **common)


def can_be_fused(module: nn.Module) -> bool:
    """Whether torch's fused optimizers take the module's parameters."""
    sparse = any(getattr(part, "sparse", False) is True for part in module.modules())
    return not sparse and all(parameter.is_floating_point() for parameter in module.parameters())


def begin_epoch(module: nn.Module, recipe: Recipe, epoch: int, trainable: Sequence[nn.Parameter]) -> None:
    """Puts the module into training for an epoch (from 1). In the recipe's first `head_epochs` its last layer alone
    learns: no other parameter has a gradient, no batch norm sees the batch. With a frozen backbone it is so in every
    epoch, and the whole module is in evaluation mode. Raises StudyError.

    trainable: the parameters that have gradients by the network's own code; what its author froze stays frozen.
    """
    module.train(not recipe.freeze_backbone)
    if not recipe.head_epochs and not recipe.freeze_backbone:
        return
    alone = recipe.freeze_backbone or epoch <= recipe.head_epochs
    head = set(needed_head(module).parameters())
    for parameter in trainable:
        parameter.requires_grad_(not alone or parameter in head)
    if alone:
        for layer in module.modules():
            if isinstance(layer, nn.modules.batchnorm._NormBase):
                layer.eval()


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The learning rate of a step (from 0).

    "cosine" falls to 0 over the steps behind the warm-up (Loshchilov & Hutter 2016); "one-cycle" rises from lr / 25
    to lr over the first 30 % and falls to lr / 250,000 (Smith & Topin 2017, with torch's cosine form and constants);
    a warm-up rises linearly to lr.
    """
    total = recipe.epochs * steps_per_epoch
    warmup = round(recipe.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return recipe.lr * (step + 1) / warmup
    if recipe.schedule == "cosine":
        return _cosine(recipe.lr, 0.0, (step - warmup) / max(1, total - warmup))
    if recipe.schedule == "one-cycle":
        start, peak_step = recipe.lr / 25, 0.3 * total - 1
        if step <= peak_step:
            return _cosine(start, recipe.lr, step / peak_step)
        return _cosine(recipe.lr, start / 1e4, (step - peak_step) / (total - 1 - peak_step))
    return recipe.lr


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
