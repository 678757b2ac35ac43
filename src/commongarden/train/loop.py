"""The training loop, as a generator: it yields every step and every epoch, and whoever reads it decides what to show,
when to save, and when to stop (by not asking for more).

On the CPU a step is waited for. On another device, in a lane (device/lanes.py), nothing is waited for within an epoch
(device/epoch.py), and the generator also yields turns.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from commongarden.records import Epoch
from commongarden.study.recipe import Recipe
from commongarden.train import state, streams
from commongarden.train.accumulation import Accumulated, n_updates
from commongarden.train.averaging import moving_average
from commongarden.train.classifier import Classifier
from commongarden.train.device.epoch import DeviceRun
from commongarden.train.device.lanes import Lane
from commongarden.train.early_stopping import is_over
from commongarden.train.evaluate import evaluate
from commongarden.train.progress import Diverged, Step, Turn
from commongarden.train.replay.forward_backward import forward_backward_of
from commongarden.train.replay.optimizer_step import optimizer_step_of
from commongarden.train.scaling import grad_scaler
from commongarden.train.schedule import begin_epoch, learning_rate, make_optimizer
from commongarden.train.train_state import TrainState

Batch = tuple[Tensor, Tensor]  # uint8 (n, 3, height, width), int64 (n,)
Pass = Callable[[], Iterable[Batch]]  # all batches of a part, each time that it is called


def new_train_state(
    classifier: Classifier,
    recipe: Recipe,
    device: torch.device,
    class_weights: Sequence[float] | None = None,
    lane: Lane | None = None,
) -> TrainState:
    """A network at its first weights, on its device, with its optimizer. class_weights: of the training loss. lane: in
    which it is trained on a device; None to wait for each step. Raises CommonGardenError."""
    classifier.to(device)
    optimizer = make_optimizer(classifier, recipe)
    scaler = grad_scaler(recipe, device)
    passes = forward_backward_of(classifier, optimizer, recipe, device, class_weights, scaler)
    trainable = tuple(parameter for parameter in classifier.parameters() if parameter.requires_grad)
    ema = moving_average(classifier, recipe)
    step = optimizer_step_of(optimizer, device, scaler)
    return TrainState(classifier, recipe, device, optimizer, passes, step, trainable, ema, scaler, lane=lane)


def train(
    train_state: TrainState,
    train_batches: Callable[[int], Iterable[Batch]],
    val_batches: Pass,
    steps_per_epoch: int,
    study_seed: int,
    run_seed: int,
) -> Iterator[Step | Epoch | Turn]:
    """Trains from the epoch behind the state's history to the recipe's last one, or to where it stops early.

    train_batches(epoch) gives the epoch's batches in its order, val_batches() the validation part. Raises Diverged.
    """
    for epoch in range(len(train_state.history) + 1, train_state.recipe.epochs + 1):
        if is_over(train_state.recipe, train_state.history):
            return
        streams.seed_all(streams.seed(study_seed, run_seed, "dropout", epoch), train_state.classifier)
        batches = train_batches(epoch)
        if train_state.lane is None:
            record = yield from _epoch(train_state, epoch, batches, val_batches, steps_per_epoch)
        else:
            if train_state.on_device is None:
                train_state.on_device = DeviceRun(train_state, train_state.lane, batches, steps_per_epoch)
            record = yield from train_state.on_device.epoch(epoch, batches, val_batches)
        train_state.history.append(record)
        if train_state.recipe.select == "best-val" and _is_best(train_state):
            train_state.best_epoch = epoch
            train_state.best_weights = state.copied(state.state_of(train_state.classifier))
            train_state.best_hidden = state.copied(state.hidden(train_state.classifier))
        yield record


def _epoch(
    train_state: TrainState, epoch: int, batches: Iterable[Batch], val_batches: Pass, steps_per_epoch: int
) -> Generator[Step, None, Epoch]:
    classifier, recipe = train_state.classifier, train_state.recipe
    clock = Clock(train_state.device)
    seen, right, loss_sum, rate = 0, 0, 0.0, 0.0
    begin_epoch(classifier, recipe, epoch, train_state.trainable)
    steps = Accumulated(train_state.forward_backward, train_state.trainable, recipe.grad_accum_steps, steps_per_epoch)
    updates = n_updates(recipe, steps_per_epoch)
    for step, (pixels, labels) in enumerate(batches, 1):
        pixels, labels = pixels.to(train_state.device), labels.to(train_state.device)
        clock.mark("data")

        is_update = steps.is_last(step)
        update = (epoch - 1) * updates + steps.update_of(step)
        recorder = train_state.recorder if is_update else None
        scale = 1.0 if recorder is None or train_state.scaler is None else train_state.scaler.get_scale()
        watched = recorder is not None and recorder.begin(steps.update_of(step) + 1, scale)
        learned = steps(step, pixels, labels, watched=watched)
        value, whole = learned.loss.item(), learned.whole.item()
        if not math.isfinite(whole):
            raise Diverged(epoch, step, whole)
        if is_update and train_state.scaler is not None:
            train_state.scaler.unscale_(train_state.optimizer)
        if recorder is not None:
            recorder.learned()
        classes = labels if labels.dim() == 1 else labels.argmax(1)  # of a mixed image, the larger share
        right += int((learned.logits.detach().argmax(1) == classes).sum())
        clock.mark("forward_backward")

        rate = learning_rate(recipe, update, updates)
        if is_update:
            _update(train_state, rate, update)
        if recorder is not None:
            recorder.moved()
        clock.mark("optimizer")

        seen += len(labels)
        loss_sum += value * len(labels)
        yield Step(epoch, step, loss_sum / seen, right / seen, seen / clock.total())
        clock.skip()  # what the reader of this generator did meanwhile is not the run's time
    if train_state.recorder is not None:
        train_state.recorder.end_epoch(epoch)
    val = evaluate(classifier, val_batches(), train_state.device)
    ema = None if train_state.ema is None else evaluate(train_state.ema.module, val_batches(), train_state.device)
    clock.mark("val")
    if not math.isfinite(val.loss):
        raise Diverged(epoch, steps_per_epoch, val.loss, "validation")
    return Epoch(
        epoch=epoch,
        train_loss=loss_sum / seen,
        train_accuracy=right / seen,
        val_loss=val.loss,
        val_accuracy=val.accuracy,
        lr=rate,
        seconds_data=clock.seconds["data"],
        seconds_forward_backward=clock.seconds["forward_backward"],
        seconds_optimizer=clock.seconds["optimizer"],
        seconds_val=clock.seconds["val"],
        ema_val_loss=None if ema is None else ema.loss,
        ema_val_accuracy=None if ema is None else ema.accuracy,
    )


def _update(train_state: TrainState, rate: float, update: int) -> None:
    """Moves the weights, and their average. update: so many were done before."""
    if train_state.recipe.clip_grad_norm:
        nn.utils.clip_grad_norm_(train_state.trainable, train_state.recipe.clip_grad_norm)
    train_state.optimizer_step(rate)
    if train_state.ema is not None:
        train_state.ema.update(train_state.classifier, step=update + 1)


def let_go(train_state: TrainState) -> None:
    """Gives the device's memory back: the history is left, and no more can be trained."""
    train_state.on_device = train_state.ema = train_state.best_weights = None
    train_state.optimizer.zero_grad(set_to_none=True)
    train_state.optimizer.state.clear()
    train_state.classifier.to("cpu")


def _is_best(train_state: TrainState) -> bool:
    *before, last = train_state.history
    return all(last.val_accuracy > epoch.val_accuracy for epoch in before)


def selected(train_state: TrainState) -> int:
    """Puts the weights that the recipe selects into the classifier; returns the epoch they are of."""
    if train_state.recipe.select == "best-val" and train_state.best_weights is not None:
        state.put(train_state.classifier, train_state.best_weights)
        state.put_hidden(train_state.classifier, train_state.best_hidden)
        return train_state.best_epoch
    if train_state.recipe.select == "ema" and train_state.ema is not None:
        state.put(train_state.classifier, state.copied(state.state_of(train_state.ema.module)))
    return len(train_state.history)


class Clock:
    """Seconds by kind of work, each from the last mark to this one; a GPU is waited for at every mark."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds = {"data": 0.0, "forward_backward": 0.0, "optimizer": 0.0, "val": 0.0}
        self.last = time.perf_counter()

    def mark(self, kind: str) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()
        now = time.perf_counter()
        self.seconds[kind] += now - self.last
        self.last = now

    def skip(self) -> None:
        self.last = time.perf_counter()

    def total(self) -> float:
        return sum(self.seconds.values())
