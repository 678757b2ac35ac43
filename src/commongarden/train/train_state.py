"""A network in training: all that changes from step to step."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from commongarden.i18n.coded import Coded
from commongarden.records import Epoch
from commongarden.study.recipe import Recipe
from commongarden.train import state
from commongarden.train.averaging import MovingAverage
from commongarden.train.classifier import Classifier
from commongarden.train.device.lanes import Lane
from commongarden.train.progress import Step, Turn
from commongarden.train.recording import Recorder
from commongarden.train.replay.forward_backward import ForwardBackward
from commongarden.train.replay.optimizer_step import OptimizerStep
from commongarden.train.scaling import Scaler

Batch = tuple[Tensor, Tensor]  # uint8 (n, 3, height, width), int64 (n,)


class OnDevice(Protocol):
    """What a run keeps on its device from epoch to epoch (device/epoch.py). n_done: steps so far. is_replaying: whether
    they are replayed by now."""

    @property
    def notes(self) -> tuple[Coded, ...]: ...

    @property
    def n_done(self) -> int: ...

    @property
    def is_replaying(self) -> bool: ...

    def epoch(
        self, epoch: int, batches: Iterable[Batch], val_batches: Callable[[], Iterable[Batch]]
    ) -> Generator[Step | Turn, None, Epoch]: ...


@dataclass
class TrainState:
    """A network in training: all that changes, and all that a checkpoint holds.

    forward_backward, optimizer_step: the two halves of a step. ema: the moving average of the weights, if any.
    scaler: of the loss in float16. trainable: parameters that the network's own code does not freeze. recorder: of its
    signals, if any. lane: where it does its work on a device, if not step by step; on_device: what it keeps there."""

    classifier: Classifier
    recipe: Recipe
    device: torch.device
    optimizer: torch.optim.Optimizer
    forward_backward: ForwardBackward
    optimizer_step: OptimizerStep
    trainable: tuple[nn.Parameter, ...]
    ema: MovingAverage | None = None
    scaler: Scaler | None = None
    history: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best_weights: state.State | None = None
    best_hidden: state.State = field(default_factory=dict)
    recorder: Recorder | None = None
    lane: Lane | None = None
    on_device: OnDevice | None = None

    @property
    def notes(self) -> tuple[Coded, ...]:
        """What is to be noted of how the steps were done."""
        return () if self.on_device is None else self.on_device.notes
