"""One run, from prepared data to store. Only workers import this module: it loads torch."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch

from commongarden import store as store_files
from commongarden.arch import read
from commongarden.data import batches
from commongarden.data.device_images import resident
from commongarden.errors import ArchError, CommonGardenError
from commongarden.i18n.coded import NOTHING
from commongarden.i18n.language import N_
from commongarden.io import disk
from commongarden.records import Epoch, Failure, Predictions, Run
from commongarden.runner import plan
from commongarden.runner.checkpoint_schedule import CheckpointSchedule
from commongarden.runner.events import EpochDone, Event, Job, RunDone, RunStopped, Started, Stepped, Trial
from commongarden.runner.futility import commonest_line, is_hopeless
from commongarden.runner.initial_network import first_weights, own_pixels
from commongarden.runner.prepared_data import PreparedData
from commongarden.runner.storing import check_stored, stored
from commongarden.store import Store
from commongarden.study import Study
from commongarden.train import checkpoint, loop, measure, streams
from commongarden.train.audit import tree_paths
from commongarden.train.blame import describe_user_error, user_traceback
from commongarden.train.evaluate import evaluate
from commongarden.train.recording import Recorder
from commongarden.train.reestimate import reestimated

EVALUATION_BATCH = 32  # of 10 to 256 photos the quickest on a processor, whose caches larger ones overflow
REESTIMATED_FROM = 128  # photos of the training part: enough for a mean and a deviation of a channel
SECONDS_BETWEEN_STEP_EVENTS = 0.25


def train_run(
    store: Store,
    study: Study,
    prepared: PreparedData,
    job: Job,
    device_name: str,
    stop: Callable[[], bool],
    *,
    stop_hopeless: bool = False,
) -> Iterator[Event]:
    """Trains, tests and stores one run, going on from its checkpoint where there is one.

    stop_hopeless: a run that is not worth finishing (hopeless.py) is tested with what it has reached at its half.

    Ends early, with the last checkpoint kept, once `stop()` is true. A run that diverges or breaks is stored as failed,
    with the traceback of the code that broke. A tuning run is not tested.
    """
    prepared = prepared.of(job.seed)
    record = plan.record(study, prepared, job, device_name)
    store, _ = plan.kept_in(store, job)
    train_state: list[loop.TrainState] = []
    try:
        yield from _train_run(store, study, prepared, job, record, stop, train_state, stop_hopeless)
    except loop.Diverged as error:
        failure = Failure(error.reason, error.epoch, error.step)
    except CommonGardenError as error:
        if not isinstance(error, ArchError) or not train_state:  # nothing that a run could be blamed for
            raise
        failure = Failure(error.reason, len(train_state[0].history) + 1)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # the code of a network may raise anything
        epoch = len(train_state[0].history) + 1 if train_state else 0
        failure = Failure(describe_user_error(error), epoch, traceback=user_traceback(error))
    else:
        return
    failed = dataclasses.replace(record, failure=failure, ended=plan.now())
    recorder = train_state[0].recorder if train_state else None
    signals = recorder.signals() if recorder is not None and (recorder.rows or recorder.notes) else None
    store_files.write_run(store, failed, train_state[0].history if train_state else [], None, None, signals)
    yield RunDone(job, failed)


def _train_run(
    store: Store,
    study: Study,
    prepared: PreparedData,
    job: Job,
    record: Run,
    stop: Callable[[], bool],
    kept: list[loop.TrainState],
    stop_hopeless: bool,
) -> Iterator[Event]:
    recipe = record.recipe
    device = measure.pick_device(record.device)
    measure.settle(recipe.threads, recipe.precision)
    machine = dataclasses.replace(record.machine, instructions=torch.backends.cpu.get_cpu_capability())
    record = dataclasses.replace(record, machine=machine)
    memory = measure.PeakMemory(device)
    images = prepared.images(recipe.resolution)
    if recipe.pixels == "standardized":
        mean, std = batches.channel_statistics(images, prepared.train)
        record = dataclasses.replace(record, pixel_mean=mean, pixel_std=std)
    elif recipe.pixels == "own":
        mean, std = own_pixels(read(record.arch))
        record = dataclasses.replace(record, pixel_mean=mean, pixel_std=std)

    held = resident(images, device)

    partial = store.partial(record.arm, record.seed)
    store_files.make_folder(partial)
    steps = batches.n_batches(len(prepared.train), recipe.batch_size)
    train_state, note = _trainee(study, job, record, device, steps), NOTHING
    try:
        checkpoint.restore(train_state, partial / "checkpoint.pt")
    except FileNotFoundError:
        pass
    except checkpoint.Unreadable as error:
        with store_files.changing(partial):  # beside the run, which holds nothing that is not its own
            disk.rename(partial / "checkpoint.pt", partial.with_suffix(".checkpoint"))
            disk.quarantine(partial.with_suffix(".checkpoint"))
        train_state, note = (
            _trainee(study, job, record, device, steps),
            N_("{reason}; starts from its first epoch").format(reason=error.reason),
        )
    kept.append(train_state)
    saver = CheckpointSchedule(partial / "checkpoint.pt", train_state)
    yield Started(job, tuple(train_state.history), note)

    in_order = study.stream_seed(job.seed, "order")  # augmentation and dropout go with it: they are chance on the way

    def train_batches(epoch: int) -> Iterable[loop.Batch]:
        order, augmentation = (
            streams.generator(study.seed, in_order, "order", epoch),
            streams.generator(study.seed, in_order, "augmentation", epoch),
        )
        return batches.shuffled(
            held, prepared.labels, prepared.train, recipe.batch_size, order, augmentation, recipe.augment
        )

    def part(indices: np.ndarray) -> Iterable[loop.Batch]:
        return batches.in_order(held, prepared.labels, indices, EVALUATION_BATCH)

    shown = 0.0
    line = commonest_line(prepared) if stop_hopeless and not isinstance(job, Trial) else -1.0
    news_of = loop.train(train_state, train_batches, lambda: part(prepared.val), steps, study.seed, in_order)
    while not is_hopeless(train_state.history, recipe.epochs, line) and (news := next(news_of, None)) is not None:
        if isinstance(news, Epoch):
            memory.look()
            saver.epoch_done()
            yield EpochDone(job, news, len(prepared.train) / news.seconds_train)
        elif time.monotonic() - shown > SECONDS_BETWEEN_STEP_EVENTS:
            shown = time.monotonic()
            yield Stepped(job, news.epoch, news.step, steps, news.loss, news.accuracy, news.images_per_second)
        if stop():
            yield RunStopped(job)
            return

    weights_epoch = loop.selected(train_state)
    if isinstance(job, Trial):  # the test part chooses nothing
        looked_at = dataclasses.replace(
            record,
            status="finished",
            failure=None,
            ended=plan.now(),
            selected_epoch=weights_epoch,
            peak_memory_bytes=memory.look(),
        )
        store_files.write_run(store, looked_at, train_state.history, None, None)
        yield RunDone(job, looked_at)
        return
    start = time.perf_counter()
    chance = streams.seed(study.seed, in_order, "evaluation")
    weights = stored(train_state.classifier, record)  # before the test, which may change what a network keeps
    streams.seed_all(chance, train_state.classifier)
    test = evaluate(train_state.classifier, part(prepared.test), device)
    peak = memory.look()
    check_stored(weights, record, next(iter(part(prepared.test))), test, device, chance)
    few = prepared.train[
        np.linspace(0, len(prepared.train) - 1, min(REESTIMATED_FROM, len(prepared.train))).astype(np.int64)
    ]
    together = batches.in_order(held, prepared.labels, few, REESTIMATED_FROM)
    anew = reestimated(train_state.classifier, together, lambda: part(prepared.val), device)
    finished = dataclasses.replace(
        record,
        status="finished",
        stopped_as_hopeless=len(train_state.history) < recipe.epochs,
        failure=None,
        ended=plan.now(),
        selected_epoch=weights_epoch,
        test_accuracy=test.accuracy,
        test_loss=test.loss,
        seconds_test=time.perf_counter() - start,
        inference_ms=measure.inference_ms(train_state.classifier, record.input, device),
        peak_memory_bytes=peak,
        model_bytes=len(weights),
    )
    photos = np.array([prepared.manifest.photos[i].path for i in prepared.test], dtype=np.str_)
    predictions = Predictions(photos, test.labels, test.probabilities)
    signals = None if train_state.recorder is None else train_state.recorder.signals(anew)
    store_files.write_run(store, finished, train_state.history, predictions, weights, signals)
    yield RunDone(job, finished)


def _trainee(study: Study, job: Job, record: Run, device: torch.device, steps: int) -> loop.TrainState:
    network = read(record.arch)
    first = first_weights(study, job, network, record.input, record.recipe, record.pixel_mean, record.pixel_std)
    train_state = loop.new_train_state(first, record.recipe, device)
    if not isinstance(job, Trial):
        train_state.recorder = Recorder(first.body, tree_paths(network), steps)
    return train_state
