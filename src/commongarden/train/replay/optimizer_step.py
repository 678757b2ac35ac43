"""The optimizer's step of training, done as it is or replayed from a tape."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer

from commongarden.train.replay import recorded_step
from commongarden.train.scaling import Scaler

# moves the weights at this learning rate, of which each of the optimizer's groups takes its share
OptimizerStep = Callable[[float], None]


def optimizer_step_of(optimizer: Optimizer, device: torch.device, scaler: Scaler | None = None) -> OptimizerStep:
    """How an optimizer moves weights on this device. Only torch's fused form does the same operations in each step.
    scaler: of the loss in float16, which leaves out steps."""
    if scaler is not None:
        return scaled(optimizer, scaler)
    fused = optimizer.defaults.get("fused")
    return TapedMove(optimizer) if fused and device.type == "cpu" else as_it_is(optimizer)


def as_it_is(optimizer: Optimizer) -> OptimizerStep:
    """By the optimizer's own step."""

    def move(rate: float) -> None:
        set_rates(optimizer, rate)
        optimizer.step()

    return move


def scaled(optimizer: Optimizer, scaler: Scaler) -> OptimizerStep:
    """By the optimizer's own step, where all gradients are finite; the scale then follows."""

    def move(rate: float) -> None:
        set_rates(optimizer, rate)
        scaler.step(optimizer)
        scaler.update()

    return move


def set_rates(optimizer: Optimizer, rate: float) -> None:
    """Gives each group its share of the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("share", 1.0)


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
            set_rates(self._optimizer, rate)  # as a checkpoint has them
            for group, held in zip(self._optimizer.param_groups, self._rates, strict=True):
                held.fill_(group["lr"])
            self._tape.replay(gradients)
            self.replayed += 1

    def _recorded(self, rate: float, gradients: list[Tensor]) -> recorded_step.RecordedStep | None:
        """The tape of this step, which is done."""
        set_rates(self._optimizer, rate)
        self._rates = [torch.tensor(group["lr"], dtype=torch.float64) for group in self._optimizer.param_groups]

        def work() -> list[Tensor]:
            self._optimizer.step()
            return []

        for group, held in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = held
        try:
            return recorded_step.record(work, gradients)
        finally:
            set_rates(self._optimizer, rate)
