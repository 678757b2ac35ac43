"""A few steps of an arm, timed on the batches that its runs will have. Only workers import this module: it loads torch.

What is measured is what a run does: the network made, training steps, evaluation, the checkpoint written, the latency
of single photos. Other workers pilot other arms meanwhile, so that the machine is as busy as it will be.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from itertools import islice

import numpy as np

from commongarden import store as store_files
from commongarden.errors import CommonGardenError
from commongarden.records import Epoch
from commongarden.runner.checkpoint_schedule import seconds_of_saving
from commongarden.runner.device_pilot import LaneOfRun, device_rates, phase_rate, precision_rates
from commongarden.runner.events import Piloted
from commongarden.runner.frozen_features import frozen_features
from commongarden.runner.pilot_phases import Phase, phases
from commongarden.runner.plan import RunPlan
from commongarden.runner.prepared_data import PreparedData
from commongarden.runner.run_setup import RunBatches, RunSetup, set_up
from commongarden.store import Store
from commongarden.train import checkpoint, loop, measure, state
from commongarden.train.blame import describe_user_error
from commongarden.train.capture import MOST_LOOKS, STEPS_A_LOOK
from commongarden.train.evaluate import evaluate
from commongarden.train.progress import Diverged
from commongarden.train.train_state import TrainState

WARM_UP_STEPS, FEWEST_STEPS, MOST_STEPS = 3, 4, 200
MOST_SECONDS = 2.0  # of timed steps, where the fewest take no longer
MOST_SHARE = 0.1  # of a run's steps: what it would take is not worth its own time
SHORTER, WORTH_IT = ("tf32", "bfloat16"), 1.3  # precisions that are tried on CUDA, and how much faster is worth a note
LATENCY_PHOTOS = 35  # single photos that a run's latency is measured on


def pilot(
    store: Store, prepared: PreparedData, plan: RunPlan, lanes: LaneOfRun | None = None, most: int = 1
) -> Piloted:
    """Times the arm of a planned run. One that cannot be timed is no reason not to train it: the cause is reported.

    store: where its runs will be kept, on whose disk a checkpoint is timed. lanes: makes the lanes in which up to
    `most` runs will be trained side by side, on a device.
    """
    try:
        return _pilot(store, prepared, plan, lanes, most)
    except (CommonGardenError, Diverged) as error:
        return Piloted(plan.job.arm, None, cause=error.reason)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # the code of a network may raise anything
        return Piloted(plan.job.arm, None, cause=describe_user_error(error))


def _pilot(store: Store, prepared: PreparedData, plan: RunPlan, lanes: LaneOfRun | None, most: int) -> Piloted:
    device = measure.pick_device(plan.record.device)
    memory = measure.PeakMemory(device)
    start = time.perf_counter()
    setup = set_up(prepared, plan)
    prepared, recipe = setup.prepared, setup.record.recipe
    photos = setup.batches(device)
    seconds = time.perf_counter() - start
    backbone = frozen_features(setup, setup.classifier().to(device), photos) if recipe.freeze_backbone else None
    learned_from, n_evaluated = photos, recipe.epochs * len(prepared.val) + len(prepared.test)
    if backbone is not None:  # kept for the runs, so that the pilot's time is not lost
        learned_from, n_evaluated = dataclasses.replace(photos, images=backbone.values), len(prepared.test)
        seconds += backbone.seconds

    rates = None if lanes is None else device_rates(setup, learned_from, device, lanes, most, phases(recipe)[0])
    n = 1 if rates is None else rates.n
    for phase in phases(recipe):
        start = time.perf_counter()
        train_state = setup.train_state(device, phase.recipe)
        made = time.perf_counter() - start
        if rates is None or lanes is None:
            step_seconds = _step_seconds(train_state, setup, learned_from, phase)
        else:
            step_seconds = n / phase_rate(rates, setup, learned_from, device, lanes, phase)
        seconds += phase.n_epochs * setup.steps_per_epoch * step_seconds

    def first(n: int, batch_size: int | None = None) -> Iterable[loop.Batch]:
        return islice(photos.part(prepared.train, batch_size), n)

    evaluated_together = len(next(iter(first(1)))[1])

    seconds += made
    if (
        rates is not None
    ):  # steps with inspected layers are done operation by operation, and take about three times that
        looked_at = recipe.epochs * max(1, min(MOST_LOOKS, setup.steps_per_epoch // STEPS_A_LOOK))
        seconds += n * looked_at * 3 * rates.eager_seconds
    evaluate(train_state.classifier, first(1), device)  # warm-up
    a_batch = _timed(lambda: evaluate(train_state.classifier, first(1), device))
    seconds += n * a_batch / evaluated_together * n_evaluated  # of runs side by side one is evaluated at a time
    seconds += LATENCY_PHOTOS * _timed(lambda: evaluate(train_state.classifier, first(1, 1), device))

    path = store.root / f".pilot-{plan.job.arm}.tmp"  # swept away where this process is killed
    copy = checkpoint.copied_contents(train_state)  # as a run holds it beside its state (checkpoint_schedule.py)
    checkpoint.serialized(copy)  # warm-up
    a_checkpoint = _timed(lambda: store_files.write_atomically(path, checkpoint.to_bytes(train_state)))
    seconds += seconds_of_saving(recipe.epochs, seconds, a_checkpoint)
    path.unlink()
    stored = len(state.to_bytes(train_state.classifier))
    answers = len(prepared.test) * (4 * len(prepared.manifest.classes) + 8)
    held = memory.look() if rates is None else rates.memory_bytes
    faster: tuple[tuple[str, float], ...] = ()
    if rates is not None and lanes is not None and device.type == "cuda" and recipe.precision == "float32":
        found = precision_rates(setup, learned_from, device, lanes, SHORTER)
        faster = tuple((name, rate / rates.alone) for name, rate in found.items() if rate > WORTH_IT * rates.alone)
    together = 0 if rates is None else n
    return Piloted(plan.job.arm, seconds, held, stored + answers, side_by_side=together, faster=faster)


def _step_seconds(train_state: TrainState, setup: RunSetup, photos: RunBatches, phase: Phase) -> float:
    """Mean seconds of a phase's step, its batch included: of the later half of some steps, by when whatever is done
    once is done."""
    phase.begin(train_state)
    plan, steps_per_epoch = setup.plan, setup.steps_per_epoch

    def no_validation() -> Iterable[loop.Batch]:
        return photos.part(setup.prepared.train[:1], 1)

    times: list[float] = []
    most = min(MOST_STEPS, int(MOST_SHARE * train_state.recipe.epochs * steps_per_epoch))
    last = time.perf_counter()
    for news in loop.train(train_state, photos.train, no_validation, steps_per_epoch, plan.study_seed, plan.order_seed):
        now = time.perf_counter()
        if isinstance(news, Epoch):  # with few batches an epoch, several are timed
            last = time.perf_counter()
            continue
        times.append(now - last)
        last = now
        timed = times[WARM_UP_STEPS:]
        if len(timed) >= FEWEST_STEPS and (len(timed) >= most or sum(timed) > MOST_SECONDS):
            break
    timed = times[WARM_UP_STEPS:] or times
    return float(np.mean(timed[len(timed) // 2 :]))


def _timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
