"""The scale of the loss in float16, whose small gradients would become 0: PyTorch's GradScaler."""

from __future__ import annotations

import torch

from commongarden.study.recipe import Recipe

Scaler = torch.amp.GradScaler


def grad_scaler(recipe: Recipe, device: torch.device) -> Scaler | None:
    """None for every other precision.

    It multiplies the loss by 65,536 at first. A step with a gradient that is not finite is left out and halves the
    scale; 2,000 steps in a row double it.
    """
    return Scaler(device.type) if recipe.precision == "float16" else None
