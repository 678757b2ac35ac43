"""Gradients of several batches, averaged for one step of the optimizer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from commongarden.study.recipe import Recipe
from commongarden.train.replay.forward_backward import ForwardBackward, StepResult


def n_updates(recipe: Recipe, n_batches: int) -> int:
    """How many steps the optimizer makes in an epoch of so many batches."""
    return math.ceil(n_batches / recipe.grad_accum_steps)


class Sums(Protocol):
    """Weighted sums of the parameters' gradients: `add` adds those of a batch, `put` makes the sums the gradients."""

    def add(self, share: float, *, is_first: bool) -> None: ...

    def put(self) -> None: ...


class NewSums:
    """Sums in new memory each time."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = parameters
        self._sums: list[Tensor | None] = [None] * len(parameters)

    @torch.no_grad()
    def add(self, share: float, *, is_first: bool) -> None:
        for i, parameter in enumerate(self._parameters):
            if parameter.grad is None:
                continue
            total = self._sums[i]
            self._sums[i] = parameter.grad * share if total is None else total.add_(parameter.grad, alpha=share)

    def put(self) -> None:
        for parameter, total in zip(self._parameters, self._sums, strict=True):
            parameter.grad = total
        self._sums = [None] * len(self._parameters)


class StaticSums:
    """Sums in memory that stays, so that steps that are captured apart, or not captured, add to the same tensors."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = parameters
        self._sums: list[Tensor | None] = [None] * len(parameters)
        self._has_gradient = [False] * len(parameters)  # in this accumulation, by the last steps that were not replayed

    def tensors(self) -> Iterator[Tensor]:
        """All sums."""
        yield from (total for total in self._sums if total is not None)

    @torch.no_grad()
    def add(self, share: float, *, is_first: bool) -> None:
        for i, parameter in enumerate(self._parameters):
            self._has_gradient[i] &= not is_first
            gradient = parameter.grad
            if gradient is None:
                continue
            total = self._sums[i]
            if total is None:
                total = self._sums[i] = torch.empty_like(gradient)
            if self._has_gradient[i]:
                total.add_(gradient, alpha=share)
            else:
                torch.mul(gradient, share, out=total)
            self._has_gradient[i] = True

    def put(self) -> None:
        for parameter, total, has_gradient in zip(self._parameters, self._sums, self._has_gradient, strict=True):
            parameter.grad = total if has_gradient else None


class Accumulated:
    """The forward and backward passes of one epoch. Behind the last batch of each group, the parameters hold the mean
    of the group's gradients, as timm computes it; the epoch's last group may be smaller."""

    def __init__(
        self,
        forward_backward: ForwardBackward,
        parameters: Sequence[nn.Parameter],
        size: int,
        n_batches: int,
        sums: Sums | None = None,
    ) -> None:
        self._forward_backward = forward_backward
        self._size, self._n_batches = size, n_batches
        self._sums = NewSums(parameters) if sums is None else sums

    def update_of(self, step: int) -> int:
        """Which of the epoch's optimizer steps, from 0, the batch of this step (from 1) belongs to."""
        return (step - 1) // self._size

    def is_last(self, step: int) -> bool:
        """Whether the optimizer steps behind this batch."""
        return step % self._size == 0 or step == self._n_batches

    def is_first(self, step: int) -> bool:
        """Whether this batch is the first one of its group."""
        return (step - 1) % self._size == 0

    def place_of(self, step: int) -> tuple[bool, bool] | None:
        """Whether the step is the first and the last one of its group; None in a group that is smaller than others."""
        is_whole = self._size_of(self.update_of(step)) == self._size
        return (self.is_first(step), self.is_last(step)) if is_whole else None

    def __call__(self, step: int, pixels: Tensor, labels: Tensor, *, watched: bool) -> StepResult:
        learned = self._forward_backward(pixels, labels, watched=watched)
        if self._size > 1:
            self._sums.add(1 / self._size_of(self.update_of(step)), is_first=self.is_first(step))
            if self.is_last(step):
                self._sums.put()
        return learned

    def _size_of(self, update: int) -> int:
        return min(self._size, self._n_batches - update * self._size)
