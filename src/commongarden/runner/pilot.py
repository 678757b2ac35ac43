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
import torch

from commongarden import store as store_files
from commongarden.arch import read
from commongarden.data import batches
from commongarden.data.device_images import Held, resident
from commongarden.errors import CommonGardenError
from commongarden.records import Epoch, Run
from commongarden.runner import plan
from commongarden.runner.checkpoint_schedule import seconds_of_saving
from commongarden.runner.events import Job, Piloted
from commongarden.runner.initial_network import first_weights, own_pixels
from commongarden.runner.prepared_data import PreparedData
from commongarden.runner.training import EVALUATION_BATCH
from commongarden.store import Store
from commongarden.study import Study
from commongarden.study.recipe import Recipe
from commongarden.train import checkpoint, loop, measure, state, streams
from commongarden.train.blame import describe_user_error
from commongarden.train.evaluate import evaluate

WARM_UP_STEPS, FEWEST_STEPS, MOST_STEPS = 3, 4, 200
MOST_SECONDS = 2.0  # of timed steps, where the fewest take no longer
MOST_SHARE = 0.1  # of a run's steps: what it would take is not worth its own time
LATENCY_PHOTOS = 35  # single photos that a run's latency is measured on


def pilot(store: Store, study: Study, prepared: PreparedData, arm: str, device_name: str) -> Piloted:
    """Times the arm. One that cannot be timed is no reason not to train it: that is told."""
    try:
        return _pilot(store, study, prepared, arm, device_name)
    except (CommonGardenError, loop.Diverged) as error:
        return Piloted(arm, None, cause=error.reason)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # the code of a network may raise anything
        return Piloted(arm, None, cause=describe_user_error(error))


def _pilot(store: Store, study: Study, prepared: PreparedData, arm: str, device_name: str) -> Piloted:
    job = Job(arm, study.seeds[0])
    prepared = prepared.of(job.seed)
    record = plan.record(study, prepared, job, device_name)
    recipe, device = record.recipe, measure.pick_device(record.device)
    measure.settle(recipe.threads, recipe.precision)
    memory = measure.PeakMemory(device)

    start = time.perf_counter()
    images = prepared.images(recipe.resolution)
    if recipe.pixels == "standardized":
        mean, std = batches.channel_statistics(images, prepared.train)
        record = dataclasses.replace(record, pixel_mean=mean, pixel_std=std)
    elif recipe.pixels == "own":
        mean, std = own_pixels(read(record.arch))
        record = dataclasses.replace(record, pixel_mean=mean, pixel_std=std)
    held = resident(images, device)
    seconds = time.perf_counter() - start

    steps = batches.n_batches(len(prepared.train), recipe.batch_size)
    head = recipe.head_epochs
    for epochs, alone in ((recipe.epochs - head, 0), (head, recipe.epochs)):  # a frozen body's steps are quicker
        if epochs:
            phase = dataclasses.replace(recipe, head_epochs=alone)
            start = time.perf_counter()
            train_state = _trainee(study, job, record, phase, device)
            made = time.perf_counter() - start
            seconds += epochs * steps * _step_seconds(train_state, study, prepared, held, job, steps)

    def photos(n: int, batch: int) -> Iterable[loop.Batch]:
        return islice(batches.in_order(held, prepared.labels, prepared.train, batch), n)

    seconds += made
    evaluate(train_state.classifier, photos(1, EVALUATION_BATCH), device)  # warm-up
    batch = min(len(prepared.train), EVALUATION_BATCH)
    a_batch = _timed(lambda: evaluate(train_state.classifier, photos(1, EVALUATION_BATCH), device))
    seconds += a_batch / batch * (recipe.epochs * len(prepared.val) + len(prepared.test))
    seconds += LATENCY_PHOTOS * _timed(lambda: evaluate(train_state.classifier, photos(1, 1), device))

    path = store.root / f".pilot-{arm}.tmp"  # swept away where this process is killed
    checkpoint.to_bytes(train_state)  # warm-up
    a_checkpoint = _timed(lambda: store_files.write_atomically(path, checkpoint.to_bytes(train_state)))
    seconds += seconds_of_saving(recipe.epochs, seconds, a_checkpoint)
    path.unlink()
    stored = len(state.to_bytes(train_state.classifier))
    answers = len(prepared.test) * (4 * len(prepared.manifest.classes) + 8)
    return Piloted(arm, seconds, memory.look(), stored + answers)


def _step_seconds(
    train_state: loop.TrainState, study: Study, prepared: PreparedData, photos: Held, job: Job, steps_per_epoch: int
) -> float:
    """Mean seconds of a training step, its batch included: of the later half of some steps, by when whatever is done
    once is done."""
    recipe, in_order = train_state.recipe, study.stream_seed(job.seed, "order")

    def train_batches(epoch: int) -> Iterable[loop.Batch]:
        order, augmentation = (
            streams.generator(study.seed, in_order, "order", epoch),
            streams.generator(study.seed, in_order, "augmentation", epoch),
        )
        return batches.shuffled(
            photos, prepared.labels, prepared.train, recipe.batch_size, order, augmentation, recipe.augment
        )

    def no_validation() -> Iterable[loop.Batch]:
        return batches.in_order(photos, prepared.labels, prepared.train[:1], 1)

    times: list[float] = []
    most = min(MOST_STEPS, int(MOST_SHARE * recipe.epochs * steps_per_epoch))
    last = time.perf_counter()
    for news in loop.train(train_state, train_batches, no_validation, steps_per_epoch, study.seed, in_order):
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


def _trainee(study: Study, job: Job, record: Run, recipe: Recipe, device: torch.device) -> loop.TrainState:
    first = first_weights(study, job, read(record.arch), record.input, recipe, record.pixel_mean, record.pixel_std)
    return loop.new_train_state(first, recipe, device)
