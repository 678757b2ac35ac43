"""First weights by recipe, each tensor from its own place in the stream."""

from __future__ import annotations

import math

import torch
from torch import nn

from commongarden.study.recipe import Recipe


def initialize(module: nn.Module, recipe: Recipe, generator: torch.Generator) -> None:
    """Draws every convolution's and dense layer's weights in the order of the module tree, and sets biases to 0.

    "fan-in": N(0, sqrt(2 / fan-in)), He et al. 2015, eq. 10; "fixed": N(0, init_std) whatever the fan-in; "own": leaves
    what the network was made with.
    What the network's author froze keeps its values. Normalizations keep the scale that their node gives them (1 unless
    it says otherwise) and shift 0.
    """
    if recipe.init == "own":
        return
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear) and layer.weight.numel():
                fan_in = layer.weight[0].numel()
                std = math.sqrt(2 / fan_in) if recipe.init == "fan-in" else recipe.init_std
                if layer.weight.requires_grad:
                    layer.weight.normal_(0.0, std, generator=generator)
                if layer.bias is not None and layer.bias.requires_grad:
                    layer.bias.zero_()
