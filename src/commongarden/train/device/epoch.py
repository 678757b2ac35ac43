"""An epoch on a device, in which nothing waits for the device: the host feeds it, and looks now and then at what it has
recorded. A generator, whose turns let other runs be fed in between."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable

from commongarden.i18n.coded import NOTHING, Coded
from commongarden.i18n.language import N_
from commongarden.records import Epoch
from commongarden.train.device.capturing import CapturedSteps
from commongarden.train.device.evaluation import evaluated
from commongarden.train.device.feeding import Batch
from commongarden.train.device.lanes import Lane
from commongarden.train.device.step import DeviceStep, Figures
from commongarden.train.evaluate import Evaluation
from commongarden.train.progress import Diverged, Step, Turn
from commongarden.train.schedule import begin_epoch
from commongarden.train.train_state import TrainState

SECONDS_BETWEEN_LOOKS = 0.25  # at what the device has recorded
UNREPEATABLE = N_("not repeated to the bit on this device: {operations}")
STEPS_A_TURN = 8
STEPS_A_MARK = 16  # between the marks by which it is known how far the device is behind


class DeviceRun:
    """What a run keeps on its device from epoch to epoch."""

    def __init__(self, train_state: TrainState, lane: Lane, first: Iterable[Batch], steps_per_epoch: int) -> None:
        self.lane, self._train_state = lane, train_state
        self.step = DeviceStep(train_state, lane, first, steps_per_epoch)
        self.steps = CapturedSteps(train_state, self.step, lane)

    @property
    def notes(self) -> tuple[Coded, ...]:
        """What is to be noted of how the steps were done."""
        names = ", ".join(self.steps.unrepeatable)
        found = self.steps.note, UNREPEATABLE.format(operations=names) if names else NOTHING
        return tuple(note for note in found if note)

    @property
    def n_done(self) -> int:
        """Steps so far."""
        return self.steps.n_done

    @property
    def is_replaying(self) -> bool:
        """Whether steps are replayed by now."""
        return self.steps.is_replaying

    def epoch(
        self, epoch: int, batches: Iterable[Batch], val_batches: Callable[[], Iterable[Batch]]
    ) -> Generator[Step | Turn, None, Epoch]:
        """One epoch (from 1), trained and validated."""
        return _epoch(self._train_state, self, epoch, batches, val_batches)


def _epoch(
    train_state: TrainState,
    run: DeviceRun,
    epoch: int,
    batches: Iterable[Batch],
    val_batches: Callable[[], Iterable[Batch]],
) -> Generator[Step | Turn, None, Epoch]:
    """Trains and validates. Its seconds are of the device and the host together, all those of training in one."""
    classifier, recipe, recorder = train_state.classifier, train_state.recipe, train_state.recorder
    begin_epoch(classifier, recipe, epoch, train_state.trainable)
    start = time.perf_counter()
    run.step.begin(batches, epoch)
    sizes = yield from _fed(train_state, run, epoch, start)
    last = run.step.figures()
    while not last.is_there():
        yield Turn.WAITING
    news = _news(epoch, last, sizes, start)
    trained = time.perf_counter()
    run.step.end()
    if recorder is not None:
        recorder.end_epoch(epoch)
    val = yield from evaluated(classifier, val_batches(), train_state.device, run.lane)
    ema: Evaluation | None = None
    if train_state.ema is not None:
        ema = yield from evaluated(train_state.ema.module, val_batches(), train_state.device, run.lane)
    if not math.isfinite(val.loss):
        raise Diverged(epoch, len(sizes), val.loss, "validation")
    yield news
    return Epoch(
        epoch=epoch,
        train_loss=news.loss,
        train_accuracy=news.accuracy,
        val_loss=val.loss,
        val_accuracy=val.accuracy,
        lr=run.step.rates[-1],
        seconds_data=0.0,
        seconds_forward_backward=trained - start,
        seconds_optimizer=0.0,
        seconds_val=time.perf_counter() - trained,
        ema_val_loss=None if ema is None else ema.loss,
        ema_val_accuracy=None if ema is None else ema.accuracy,
    )


def _fed(train_state: TrainState, run: DeviceRun, epoch: int, start: float) -> Generator[Step | Turn, None, list[int]]:
    """Feeds the epoch's steps. Returns the sizes of their batches."""
    accumulation, recorder = train_state.recipe.grad_accum_steps, train_state.recorder
    sizes: list[int] = []
    looked, coming = start, None
    steps = run.step.n_steps
    while True:
        while not run.step.feed.is_ready():
            yield Turn.WAITING
        if not (size := run.step.feed.next()):
            return sizes
        step = len(sizes) + 1
        is_update = step % accumulation == 0 or step == steps
        update = (step - 1) // accumulation
        watched = False
        if is_update and recorder is not None:
            asks = train_state.scaler is not None and recorder.watches(update + 1)  # to ask for the scale is to wait
            scale = train_state.scaler.get_scale() if asks and train_state.scaler is not None else 1.0
            watched = recorder.begin(update + 1, scale)
        while watched and not run.lane.is_idle():  # who looks, waits: then for its own step alone
            yield Turn.WAITING
        run.steps.do(step, size, watched=watched)
        if is_update:
            run.step.averaged((epoch - 1) * run.step.n_updates + update)
        sizes.append(size)
        if step % STEPS_A_MARK == 0:
            run.lane.mark()
        if step % STEPS_A_TURN == 0:
            yield Turn.FED
        while run.lane.is_busy():
            yield Turn.WAITING
        if coming is not None and coming.is_there():
            yield _news(epoch, coming, sizes, start)
            coming = None
        if coming is None and time.perf_counter() - looked > SECONDS_BETWEEN_LOOKS:
            looked, coming = time.perf_counter(), run.step.figures()


def _news(epoch: int, figures: Figures, sizes: list[int], start: float) -> Step:
    """The figures as a step's. Raises Diverged for the first loss that was not finite."""
    losses, wholes, right = figures.read()
    for step, whole in enumerate(wholes, 1):
        if not math.isfinite(whole):
            raise Diverged(epoch, step, whole)
    n, seen, total = len(losses), sum(sizes[: len(losses)]), 0.0
    for loss, size in zip(losses, sizes, strict=False):
        total += loss * size
    return Step(epoch, n, total / seen, sum(right) / seen, seen / (time.perf_counter() - start))
