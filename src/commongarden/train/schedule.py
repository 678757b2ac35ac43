"""Optimizer and learning rate by recipe."""

from __future__ import annotations

import math

import torch
from torch import nn

from commongarden.recipe import Recipe


def make_optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer in torch's fused form, with torch's betas (0.9, 0.999) and epsilon 1e-8.

    Weight decay takes every parameter, as torch's own default does.
    """
    parameters = list(module.parameters())
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=recipe.weight_decay,
            fused=True,
        )
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, recipe.lr, weight_decay=recipe.weight_decay, fused=True)


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
