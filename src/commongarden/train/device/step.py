"""One step of training on a device, without a wait: batch, passes, optimizer and figures, all from tensors that the
device holds, so that the same work can be captured once and replayed for every step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from commongarden.train import torch_private
from commongarden.train.accumulation import Accumulated, StaticSums, n_updates
from commongarden.train.device.feeding import Batch, Feed, feed_of
from commongarden.train.device.lanes import Lane
from commongarden.train.recording import Recorder
from commongarden.train.replay.optimizer_step import set_rates
from commongarden.train.schedule import learning_rate
from commongarden.train.train_state import TrainState

LOSS, WHOLE, RIGHT = range(3)  # rows of the table


class StepKind(NamedTuple):
    """What a step's work depends on. is_first, is_last: of the batches whose gradients are averaged."""

    is_first: bool
    is_last: bool
    is_head_alone: bool


class Figures:
    """What the device recorded of an epoch's first steps, on its way to the host."""

    def __init__(self, lane: Lane, at: Tensor, table: Tensor) -> None:
        self._at, self._table = lane.fetch(at), lane.fetch(table)

    def is_there(self) -> bool:
        """Whether it has arrived."""
        return self._at.is_there() and self._table.is_there()

    def read(self) -> tuple[list[float], list[float], list[float]]:
        """The three rows of the table, of the steps done by then."""
        n = self._at.values().tolist()[0]
        loss, whole, right = self._table.values()[:, :n].tolist()
        return loss, whole, right


class DeviceStep:
    """The steps of one run.

    The device counts: `at` is the epoch's step and `update` its optimizer step, both from 0. In `table` it records each
    step's loss, the loss that the gradients are of, and the number of correct answers; in `rates` it finds the learning
    rate of each parameter group. makes_state: whether the optimizer has all its state behind its first step,
    whatever the gradients. can_capture: whether a step leaves everything to the device.
    """

    def __init__(self, train_state: TrainState, lane: Lane, first: Iterable[Batch], steps_per_epoch: int) -> None:
        self._train_state, self._lane = train_state, lane
        recipe, device = train_state.recipe, train_state.device
        self.feed: Feed = feed_of(first, device, lane)
        self.at, self.update = (torch.zeros(1, dtype=torch.int64, device=device) for _ in range(2))
        self.table = torch.zeros(3, max(steps_per_epoch, 1), device=device)
        groups = train_state.optimizer.param_groups
        self.n_updates = n_updates(recipe, steps_per_epoch)
        # CUDA's fused optimizers take a learning rate on the device for a float32; those of the CPU take any number
        precise = torch.float64 if device.type == "cpu" else torch.float32
        self._rates = torch.zeros(len(groups), max(self.n_updates, 1), dtype=precise, device=device)
        self.n_steps = steps_per_epoch
        # torch's fused optimizers read a learning rate from the device; others read it as a number when they are called
        self._has_rates_there = lane.can_capture and bool(train_state.optimizer.defaults.get("fused"))
        self._group_rates = [torch.zeros((), dtype=precise, device=device) for _ in groups]
        scaler = train_state.scaler
        self.can_capture = self._has_rates_there and (
            scaler is None or torch_private.tensors_of_scaler(scaler) is not None
        )
        # a fused optimizer leaves out a step of float16 by a number on the device, another one is not called
        self.makes_state = scaler is None or bool(train_state.optimizer.defaults.get("fused"))
        self._sums = StaticSums(train_state.trainable)
        self._accumulated = self._new_accumulated()
        self._is_head_alone = False
        self.rates: list[float] = []

    def begin(self, batches: Iterable[Batch], epoch: int) -> None:
        """Makes ready for an epoch."""
        state, recipe = self._train_state, self._train_state.recipe
        self.feed.begin(batches)
        self.at.zero_()
        self.update.zero_()
        self.table.zero_()
        self._accumulated = self._new_accumulated()
        self._is_head_alone = epoch <= recipe.head_epochs
        first = (epoch - 1) * self.n_updates
        rates = [learning_rate(recipe, first + number, self.n_updates) for number in range(self.n_updates)]
        if self._has_rates_there:
            shares = [group.get("share", 1.0) for group in state.optimizer.param_groups]
            table = [[rate * share for rate in rates] for share in shares]
            self._lane.upload(torch.tensor(table, dtype=self._rates.dtype), self._rates[:, : len(rates)])
            for group, own in zip(state.optimizer.param_groups, self._group_rates, strict=True):
                group["lr"] = own
        self.rates = rates

    def end(self) -> None:
        """Leaves the optimizer as a checkpoint has it: with numbers for learning rates."""
        set_rates(self._train_state.optimizer, self.rates[-1])

    def do(self, step: int, size: int, *, watched: bool = False, records: bool = True) -> None:
        """The step (from 1) of the epoch, whose batch the feed holds ready, operation by operation. records: whether
        the recorder of signals is told."""
        state = self._train_state
        is_update = self._accumulated.is_last(step)
        if is_update and not self._has_rates_there:
            set_rates(state.optimizer, self.rates[self._accumulated.update_of(step)])
        self._work(step, size, is_update, watched=watched, recorder=state.recorder if is_update and records else None)

    def kind(self, step: int) -> StepKind | None:
        """Steps (from 1) of a kind do the same work. None for those of an accumulation that ends early."""
        place = self._accumulated.place_of(step)
        return None if place is None else StepKind(*place, is_head_alone=self._is_head_alone)

    def tensors(self) -> Iterator[Tensor]:
        """All that a step changes beside the network and the optimizer."""
        yield from (self.at, self.update, self.table)
        yield from self._sums.tensors()
        if self._train_state.scaler is not None:
            yield from torch_private.tensors_of_scaler(self._train_state.scaler) or ()

    def captured(self, step: int, size: int) -> list[Tensor]:
        """The same as work to be captured: no number of the host in it differs between steps of a kind. Returns the
        gradients of the parameters that have one."""
        groups = self._train_state.optimizer.param_groups
        held = [group.get("capturable") for group in groups]
        try:
            for group in groups:
                if "capturable" in group:
                    group["capturable"] = True
            self._work(step, size, self._accumulated.is_last(step))
            return [parameter.grad for parameter in self._train_state.trainable if parameter.grad is not None]
        finally:
            for group, value in zip(groups, held, strict=True):
                if value is not None:
                    group["capturable"] = value

    def averaged(self, update: int) -> None:
        """Moves the average of the weights, behind an optimizer step. Its decay is a number of the host."""
        if self._train_state.ema is not None:
            self._train_state.ema.update(self._train_state.classifier, step=update + 1)

    def figures(self) -> Figures:
        """What is recorded by now, on its way."""
        return Figures(self._lane, self.at, self.table)

    def _new_accumulated(self) -> Accumulated:
        state = self._train_state
        return Accumulated(
            state.forward_backward, state.trainable, state.recipe.grad_accum_steps, self.n_steps, self._sums
        )

    def _work(
        self, step: int, size: int, is_update: bool, *, watched: bool = False, recorder: Recorder | None = None
    ) -> None:
        state = self._train_state
        pixels, labels = self.feed.batch(self.at, size)
        learned = self._accumulated(step, pixels, labels, watched=watched)
        if is_update and state.scaler is not None:
            state.scaler.unscale_(state.optimizer)
        if recorder is not None:
            recorder.learned()
        classes = labels if labels.dim() == 1 else labels.argmax(1)  # of a mixed image, the larger share
        right = (learned.logits.detach().argmax(1) == classes).sum()
        for row, value in ((LOSS, learned.loss), (WHOLE, learned.whole), (RIGHT, right)):
            self.table[row].index_copy_(0, self.at, value.detach().float().view(1))
        if is_update:
            self._move()
            self.update.add_(1)
        self.at.add_(1)
        if recorder is not None:
            recorder.moved()

    def _move(self) -> None:
        state = self._train_state
        if self._has_rates_there:
            for own, rates in zip(self._group_rates, self._rates, strict=True):
                own.copy_(rates.index_select(0, self.update).view(()))
        if state.recipe.clip_grad_norm:
            nn.utils.clip_grad_norm_(state.trainable, state.recipe.clip_grad_norm)
        if state.scaler is not None:
            state.scaler.step(state.optimizer)
            state.scaler.update()
        else:
            state.optimizer.step()
