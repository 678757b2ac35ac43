"""One run, from prepared data to store. Only workers import this module: it loads torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from commongarden import store as store_files
from commongarden.errors import ArchError, CommonGardenError
from commongarden.i18n.coded import NOTHING, Coded
from commongarden.i18n.language import N_
from commongarden.io import disk
from commongarden.records import Epoch, Failure, Predictions, Run
from commongarden.runner import plan as plans
from commongarden.runner.checkpoint_schedule import CheckpointSchedule
from commongarden.runner.events import EpochDone, Event, RunDone, RunStopped, Started, Stepped
from commongarden.runner.frozen_features import frozen_features
from commongarden.runner.futility import is_futile, majority_class_accuracy
from commongarden.runner.plan import RunPlan
from commongarden.runner.prepared_data import PreparedData
from commongarden.runner.run_setup import RunBatches, RunSetup, set_up
from commongarden.runner.storing import check_stored, stored
from commongarden.store import Store
from commongarden.train import checkpoint, loop, measure, streams
from commongarden.train.audit import tree_paths
from commongarden.train.blame import describe_user_error, user_traceback
from commongarden.train.device.lanes import Lane
from commongarden.train.device.memory import is_out_of_memory, largest_batch, release
from commongarden.train.early_stopping import is_over
from commongarden.train.evaluate import evaluate
from commongarden.train.progress import Diverged, Turn
from commongarden.train.recording import Recorder
from commongarden.train.reestimate import reestimated
from commongarden.train.train_state import TrainState

REESTIMATED_FROM = 128  # photos of the training part: enough for a mean and a deviation of a channel
SECONDS_BETWEEN_STEP_EVENTS = 0.25


def train_run(
    store: Store,
    prepared: PreparedData,
    plan: RunPlan,
    stop: Callable[[], bool],
    *,
    stop_at_futility: bool = False,
    lane: Lane | None = None,
) -> Iterator[Event | Turn]:
    """Trains, tests and stores one run, going on from its checkpoint where there is one.

    stop_at_futility: a run that is not worth finishing (futility.py) is tested with what it has reached at its half.
    lane: in which it is trained on a device, beside others; it then also gives turns.

    Ends early once `stop()` is true, with every finished epoch in its checkpoint (checkpoint_schedule.py). A run that
    diverges or breaks is stored as failed, with the traceback of the code that broke. A tuning run is not tested.
    """
    job = plan.job
    store, _ = plans.kept_in(store, job)
    state: TrainState | None = None  # what a failure is blamed on, once there is one
    try:
        device = measure.pick_device(plan.record.device)
        memory = measure.PeakMemory(device)
        setup = _with_instructions(set_up(prepared, plan))
        photos = setup.batches(device)
        checkpoints = _checkpoint_file(store, setup.record)
        state, note = _restored(setup, device, checkpoints, lane)
        yield Started(job, tuple(state.history), note)
        schedule = CheckpointSchedule(checkpoints, state)
        is_stopped = yield from _trained(setup, state, photos, schedule, memory, stop, stop_at_futility)
        if is_stopped:
            yield RunStopped(job)
        else:
            yield RunDone(job, _stored(store, setup, state, photos, memory))
        return
    except Diverged as error:
        failure = Failure(error.reason, error.epoch, error.step, cause="diverged")
    except CommonGardenError as error:
        if not isinstance(error, ArchError) or state is None:  # nothing that a run could be blamed for
            raise
        failure = Failure(error.reason, len(state.history) + 1)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # the code of a network may raise anything
        is_large = lane is not None and is_out_of_memory(error)
        if lane is not None and lane.beside() and (is_large or lane.is_broken()):
            raise  # there may be room, or no fault of its own, once no others are beside it
        epoch = len(state.history) + 1 if state is not None else 0
        failure = Failure(describe_user_error(error), epoch, traceback=user_traceback(error))
        if is_large:
            if state is not None:
                loop.let_go(state)
            release(error)
            failure = Failure(_no_room(set_up(prepared, plan), device), epoch)
    failed = replace(plan.record, failure=failure, ended=plans.now())
    recorder = state.recorder if state is not None else None
    signals = recorder.signals() if recorder is not None and (recorder.rows or recorder.notes) else None
    store_files.write_run(store, failed, state.history if state is not None else [], None, None, signals)
    yield RunDone(job, failed)


def _no_room(setup: RunSetup, device: torch.device) -> Coded:
    """Why a run that has a device for itself does not fit, and what would."""
    recipe = setup.record.recipe

    def fits(size: int) -> None:
        state = setup.train_state(device)
        pixels = torch.zeros(size, 3, recipe.resolution, recipe.resolution, dtype=torch.uint8, device=device)
        state.forward_backward(pixels, torch.zeros(size, dtype=torch.int64, device=device))
        state.optimizer_step(recipe.lr)

    largest = largest_batch(recipe.batch_size, fits)
    if largest is None:
        return N_("the device's memory is too small for it, even with batch_size 1")
    return N_("out of GPU memory with batch_size {found}; {fits} fits").format(found=recipe.batch_size, fits=largest)


def _with_instructions(setup: RunSetup) -> RunSetup:
    """With what this process's torch uses of the processor, and the GPU, in the record of the machine."""
    device = setup.record.device
    gpu = torch.cuda.get_device_name(device) if device.startswith("cuda") else ""
    machine = replace(setup.record.machine, instructions=torch.backends.cpu.get_cpu_capability(), gpu=gpu)
    record = replace(setup.record, machine=machine)
    return replace(setup, plan=replace(setup.plan, record=record))


def _checkpoint_file(store: Store, record: Run) -> Path:
    partial = store.partial(record.arm, record.seed)
    store_files.make_folder(partial)
    with store_files.changing(partial):
        disk.remove(partial / store_files.KIND)  # from here on it is this machine's
    return partial / store_files.CHECKPOINT


def _restored(setup: RunSetup, device: torch.device, path: Path, lane: Lane | None) -> tuple[TrainState, Coded]:
    """The training state, from the checkpoint if there is one that can be read, and what is to be noted of that."""
    state = _train_state(setup, device, lane)
    try:
        checkpoint.restore(state, path)
    except FileNotFoundError:
        return state, NOTHING
    except checkpoint.Unreadable as error:
        with store_files.changing(path.parent):  # beside the run, which holds nothing that is not its own
            aside = path.parent.with_suffix(".checkpoint")
            disk.rename(path, aside)
            disk.quarantine(aside)
        return _train_state(setup, device, lane), N_("{reason}; restarting from the first epoch").format(
            reason=error.reason
        )
    return state, NOTHING


def _train_state(setup: RunSetup, device: torch.device, lane: Lane | None) -> TrainState:
    state = setup.train_state(device, lane=lane)
    if not setup.plan.is_trial:
        body = state.classifier.body
        state.recorder = Recorder(body, tree_paths(setup.network), setup.updates_per_epoch)
    return state


def _trained(
    setup: RunSetup,
    state: TrainState,
    photos: RunBatches,
    checkpoints: CheckpointSchedule,
    memory: measure.PeakMemory,
    stop: Callable[[], bool],
    stop_at_futility: bool,
) -> Generator[Event | Turn, None, bool]:
    """Trains to the recipe's last epoch, or to where it stops early or is futile. Returns whether it was stopped."""
    plan, prepared, steps = setup.plan, setup.prepared, setup.steps_per_epoch
    shown, epochs = 0.0, setup.record.recipe.epochs
    backbone = frozen_features(setup, state.classifier, photos)
    if backbone is not None:
        photos, state.recorder = replace(photos, images=backbone.values), None
    baseline = majority_class_accuracy(prepared) if stop_at_futility and not plan.is_trial else -1.0
    news_of = loop.train(
        state, photos.train, lambda: photos.part(prepared.val), steps, plan.study_seed, plan.order_seed
    )
    while not is_futile(state.history, epochs, baseline) and (news := next(news_of, None)) is not None:
        if isinstance(news, Epoch):
            memory.look()
            memory.is_shared |= state.lane is not None and state.lane.beside() > 0
            if backbone is not None and news.epoch == 1:  # whoever computed them: what the run takes alone
                seconds = news.seconds_forward_backward + backbone.seconds
                state.history[-1] = news = replace(news, seconds_forward_backward=seconds)
            checkpoints.epoch_done()
            yield EpochDone(plan.job, news, len(prepared.train) / news.seconds_train)
            if stop():
                checkpoints.save()
                return True
            continue
        if isinstance(news, Turn):
            yield news
        elif time.monotonic() - shown > SECONDS_BETWEEN_STEP_EVENTS:
            shown = time.monotonic()
            yield Stepped(plan.job, news.epoch, news.step, steps, news.loss, news.accuracy, news.images_per_second)
        if stop() and checkpoints.can_stop():
            return True
    return False


def _peak(memory: measure.PeakMemory) -> int | None:
    return None if memory.is_shared else memory.look()


def _stored(store: Store, setup: RunSetup, state: TrainState, photos: RunBatches, memory: measure.PeakMemory) -> Run:
    """Tests the trained network, stores the run and returns its record. A tuning run is not tested: the test part
    chooses nothing."""
    notes = (*setup.record.notes, *state.notes)
    record = replace(setup.record, status="finished", failure=None, selected_epoch=loop.selected(state), notes=notes)
    if setup.plan.is_trial:
        trial = replace(record, ended=plans.now(), peak_memory_bytes=_peak(memory))
        store_files.write_run(store, trial, state.history, None, None)
        return trial
    plan, prepared, classifier, device = setup.plan, setup.prepared, state.classifier, state.device
    start = time.perf_counter()
    chance = streams.seed(plan.study_seed, plan.order_seed, "evaluation")
    weights = stored(classifier, record)  # before the test, which may change what a network keeps
    streams.seed_all(chance, classifier)
    test = evaluate(classifier, photos.part(prepared.test), device)
    peak = _peak(memory)
    check_stored(weights, record, next(iter(photos.part(prepared.test))), test, device, chance)
    n = min(REESTIMATED_FROM, len(prepared.train))
    few = prepared.train[np.linspace(0, len(prepared.train) - 1, n).astype(np.int64)]
    together = photos.part(few, REESTIMATED_FROM)
    statistics = reestimated(classifier, together, lambda: photos.part(prepared.val), device)
    finished = replace(
        record,
        stopped_as_hopeless=len(state.history) < record.recipe.epochs and not is_over(record.recipe, state.history),
        ended=plans.now(),
        test_accuracy=test.accuracy,
        test_loss=test.loss,
        seconds_test=time.perf_counter() - start,
        inference_ms=measure.inference_ms(classifier, record.input, device),
        peak_memory_bytes=peak,
        model_bytes=len(weights),
    )
    paths = np.array([prepared.manifest.photos[i].path for i in prepared.test], dtype=np.str_)
    predictions = Predictions(paths, test.labels, test.probabilities)
    signals = None if state.recorder is None else state.recorder.signals(statistics)
    store_files.write_run(store, finished, state.history, predictions, weights, signals)
    return finished
