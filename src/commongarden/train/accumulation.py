"""Gradients of several batches, averaged for one step of the optimizer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from commongarden.study.recipe import Recipe
from commongarden.train.replay.forward_backward import ForwardBackward, StepResult


def n_updates(recipe: Recipe, n_batches: int) -> int:
    """How many steps the optimizer makes in an epoch of so many batches."""
    return math.ceil(n_batches / recipe.grad_accum_steps)


class Accumulated:
    """The forward and backward passes of one epoch. Behind the last batch of each group, the parameters hold the mean
    of the group's gradients, as timm computes it; the epoch's last group may be smaller."""

    def __init__(
        self, forward_backward: ForwardBackward, parameters: Sequence[nn.Parameter], size: int, n_batches: int
    ) -> None:
        self._forward_backward, self._parameters = forward_backward, parameters
        self._size, self._n_batches = size, n_batches
        self._sums: list[Tensor | None] = [None] * len(parameters)

    def update_of(self, step: int) -> int:
        """Which of the epoch's optimizer steps, from 0, the batch of this step (from 1) belongs to."""
        return (step - 1) // self._size

    def is_last(self, step: int) -> bool:
        """Whether the optimizer steps behind this batch."""
        return step % self._size == 0 or step == self._n_batches

    def __call__(self, step: int, pixels: Tensor, labels: Tensor, *, watched: bool) -> StepResult:
        learned = self._forward_backward(pixels, labels, watched=watched)
        if self._size > 1:
            self._add(1 / self._size_of(self.update_of(step)))
            if self.is_last(step):
                for parameter, total in zip(self._parameters, self._sums, strict=True):
                    parameter.grad = total
                self._sums = [None] * len(self._parameters)
        return learned

    def _size_of(self, update: int) -> int:
        return min(self._size, self._n_batches - update * self._size)

    @torch.no_grad()
    def _add(self, share: float) -> None:
        for i, parameter in enumerate(self._parameters):
            if parameter.grad is None:
                continue
            total = self._sums[i]
            self._sums[i] = parameter.grad * share if total is None else total.add_(parameter.grad, alpha=share)
