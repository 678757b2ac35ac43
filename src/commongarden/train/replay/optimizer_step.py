"""The optimizer's step of training, done as it is or replayed from a tape."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from commongarden.train.replay import recorded_step


class OptimizerStep(Protocol):
    """Moves the weights at this learning rate, of which each of the optimizer's groups takes its share."""

    def __call__(self, rate: float) -> None: ...


def optimizer_step_of(optimizer: Optimizer, device: torch.device) -> OptimizerStep:
    """How an optimizer moves weights on this device. Only torch's fused form does the same operations in each step."""
    fused = optimizer.defaults.get("fused")
    return TapedMove(optimizer) if fused and device.type == "cpu" else as_it_is(optimizer)


def as_it_is(optimizer: Optimizer) -> OptimizerStep:
    """By the optimizer's own step."""

    def move(rate: float) -> None:
        for group, share in zip(optimizer.param_groups, shares(optimizer, rate), strict=True):
            group["lr"] = share
        optimizer.step()

    return move


def shares(optimizer: Optimizer, rate: float) -> list[float]:
    """The learning rate of each group."""
    return [rate * group.get("share", 1.0) for group in optimizer.param_groups]


class TapedMove:
    """A step that is recorded once and then replayed, as long as every weight has a gradient.

    Where weights are few, more than half of a fused step is bookkeeping. replayed: so many steps were.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer, self._move = optimizer, as_it_is(optimizer)
        self._rates: list[Tensor] = []  # one a group, on the tape in place of its learning rate
        self._tape: recorded_step.RecordedStep | None = None
        self._steps = 0
        self.replayed = 0

    def __call__(self, rate: float) -> None:
        found = [parameter.grad for group in self._optimizer.param_groups for parameter in group["params"]]
        gradients = [gradient for gradient in found if gradient is not None]
        whole = len(gradients) == len(found)
        self._steps += whole
        if whole and self._steps == recorded_step.AS_EVER + 1:  # the steps before it have made all state
            self._tape = self._recorded(rate, gradients)
        elif not whole or self._tape is None:
            self._move(rate)
        else:
            for group, held, share in zip(
                self._optimizer.param_groups, self._rates, shares(self._optimizer, rate), strict=True
            ):
                group["lr"] = share  # as a checkpoint has it
                held.fill_(share)
            self._tape.replay(gradients)
            self.replayed += 1

    def _recorded(self, rate: float, gradients: list[Tensor]) -> recorded_step.RecordedStep | None:
        """The tape of this step, which is done."""
        self._rates = [torch.tensor(share, dtype=torch.float64) for share in shares(self._optimizer, rate)]

        def work() -> list[Tensor]:
            self._optimizer.step()
            return []

        for group, held in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = held
        try:
            return recorded_step.record(work, gradients)
        finally:
            for group, share in zip(self._optimizer.param_groups, shares(self._optimizer, rate), strict=True):
                group["lr"] = share
