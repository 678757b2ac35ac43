"""The trained thing: pixels in, logits out, with the preprocessing that the study's recipe fixed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from commongarden.arch import Node, Shape, rewritten
from commongarden.study.recipe import Recipe
from commongarden.train.build import build
from commongarden.train.head import last_layer

AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}  # precisions of a recipe that torch casts to


class Classifier(nn.Module):
    """uint8 photos (n, 3, height, width) in, logits (n, classes) out; or their features (n, d) in, of which only the
    last layer is computed (train/features.py).

    mean, std: per channel in 0..255; what the pixels are shifted and divided by ((0, 0, 0), (1, 1, 1) for raw ones).
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: Node, input: Shape, recipe: Recipe, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        tree, _ = rewritten(network, input, recipe.rewrites)
        self.body = build(tree, input)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1), persistent=False)
        self.precision = recipe.precision
        self.memory_format = torch.channels_last if recipe.layout == "channels-last" else torch.contiguous_format
        self.to(memory_format=self.memory_format)

    def forward(self, pixels: Tensor) -> Tensor:
        if pixels.dim() == 4:
            return self.logits(self.preprocessed(pixels))
        return self._multiplied(last_layer(self.body) or self.body, pixels)

    def logits(self, values: Tensor) -> Tensor:
        """Of what the network is given (`preprocessed`), multiplied in the recipe's precision."""
        return self._multiplied(self.body, values)

    def _multiplied(self, layers: nn.Module, values: Tensor) -> Tensor:
        if self.precision not in AUTOCAST:
            logits: Tensor = layers(values)
            return logits
        with torch.autocast(values.device.type, AUTOCAST[self.precision]):
            logits = layers(values)
        return logits.float()

    def preprocessed(self, pixels: Tensor) -> Tensor:
        """What the network is given: float32 (n, 3, height, width)."""
        values = pixels.to(dtype=torch.float32, memory_format=self.memory_format, copy=True)
        if self.memory_format is not torch.channels_last:
            return values.sub_(self.mean).div_(self.std)
        # row by row: three channels by themselves are too few for the processor's vectors, and take 25 times as long
        width = values.shape[3]
        rows = values.permute(0, 2, 3, 1).view(-1, 3 * width)
        rows.sub_(self.mean.flatten().repeat(width)).div_(self.std.flatten().repeat(width))
        return values
