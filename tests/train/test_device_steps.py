"""Training on a device, by a stand-in that keeps the rules of CUDA's captures: whole steps captured and replayed,
nothing that waits within an epoch, and what cannot be captured done operation by operation, to the same bits."""

import dataclasses
import threading

import numpy as np
import pytest
import torch
from torch import nn

from commongarden import arch
from commongarden.data import batches as feeding
from commongarden.data import device_images
from commongarden.data.device_images import DrawnEpoch
from commongarden.data.random_transforms import Augmenter
from commongarden.study.augmentation import Augment
from commongarden.train import checkpoint, loop, streams
from commongarden.train.device.capturing import TRIED, WARM_UP
from commongarden.train.progress import Step, Turn
from commongarden.train.recording import Recorder
from commongarden.train.replay.forward_backward import eager
from small_training import CPU, NETWORK, RECIPES, SIZE, batches, new, photos, weights, without_seconds
from stand_in_device import StandInLane

N, BATCH = 41, 6  # the last batch is smaller
STEPS = feeding.n_batches(N, BATCH)
PIXELS, LABELS = photos(N)
IMAGES = PIXELS.permute(0, 2, 3, 1).contiguous()
ALL = Augmenter(Augment(("flip", "crop", "colour")))


def drawn(epoch, run_seed=0, augmenter=ALL):
    dice = [streams.generator(0, run_seed, stream, epoch) for stream in ("order", "augmentation")]
    return feeding.drawn_epoch(IMAGES, LABELS.numpy(), np.arange(N), BATCH, *dice, augmenter)


def put_in(train_state, lane):
    """Has the run trained there. Nothing is recorded as on the processor, whose replays others' networks have not."""
    train_state.lane = lane
    train_state.forward_backward = eager(
        train_state.classifier, train_state.optimizer, train_state.recipe, scaler=train_state.scaler
    )
    return train_state


def in_lane(recipe, lane, network=NETWORK, train_state=None, batches_of=None, run_seed=0, recorder=False):
    """A run trained to its end, a turn at a time, and its news."""
    train_state = train_state or new(recipe, run_seed, network)
    put_in(train_state, lane)
    if recorder:
        train_state.recorder = Recorder(train_state.classifier.body, {}, STEPS)
    own_batches = batches_of or (lambda epoch: drawn(epoch, run_seed))
    news_of = loop.train(train_state, own_batches, lambda: batches(18, seed=9), STEPS, 0, run_seed)
    if lane is None:
        return train_state, list(news_of)
    news = []
    while True:
        with lane.in_place():
            one = next(news_of, None)
        if one is None:
            return train_state, news
        news.append(one)


@pytest.mark.parametrize("recipe", RECIPES)
def test_steps_on_a_device_learn_what_those_of_the_processor_learn(recipe):
    lane = StandInLane()
    here, _ = in_lane(recipe, None)
    there, news = in_lane(recipe, lane)
    assert weights(here) == weights(there)
    assert without_seconds(here.history) == without_seconds(there.history)
    fit = recipe.optimizer in ("adam", "adamw", "sgd")
    kinds = 1 + (recipe.head_epochs > 0)
    assert there.on_device.steps.replayed == fit * (4 * (STEPS - 1) - kinds * (WARM_UP + TRIED))
    assert lane.captured == fit * kinds
    assert not there.notes if fit else f"the optimizer {recipe.optimizer} reads" in there.notes[0]
    assert any(one is Turn.WAITING for one in news)


@pytest.mark.parametrize("n", [2, 3])
def test_gradients_of_several_batches_are_captured_by_their_place_in_the_average(n):
    """The last batch of an epoch is smaller, and the last average has one batch alone, which is not captured."""
    recipe = dataclasses.replace(RECIPES[1], grad_accum_steps=n, clip_grad_norm=0.5, epochs=7, head_epochs=3)
    here, lane = in_lane(recipe, None)[0], StandInLane()
    there, _ = in_lane(recipe, lane)
    assert weights(here) == weights(there)
    assert without_seconds(here.history) == without_seconds(there.history)
    kinds = 2 * min(n, 3)  # with the head alone, and with all layers
    assert lane.captured == kinds
    assert there.on_device.steps.replayed == 7 * (STEPS // n * n) - kinds * (WARM_UP + TRIED)
    assert not there.notes


@pytest.mark.parametrize("network", [NETWORK, arch.serial(arch.conv(6, 3, order="LBA"), arch.global_avg_pool(),
                                                          arch.dense(3), name="normed")])  # fmt: skip
def test_a_frozen_backbone_is_captured_and_keeps_its_statistics(network):
    recipe = dataclasses.replace(RECIPES[0], freeze_backbone=True)
    here, lane = in_lane(recipe, None, network)[0], StandInLane()
    there, _ = in_lane(recipe, lane, network)
    assert weights(here) == weights(there)
    assert there.on_device.steps.replayed == 4 * (STEPS - 1) - WARM_UP - TRIED


def test_steps_in_float16_are_captured_with_the_scale_of_the_loss():
    """A scale that is too large leaves out steps, and halves, on the device."""
    recipe = dataclasses.replace(RECIPES[0], precision="float16")
    found = []
    for lane in (None, StandInLane()):
        train_state = new(recipe)
        scale = {"scale": 2.0**30, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 5}
        train_state.scaler.load_state_dict(scale | {"_growth_tracker": 0})
        in_lane(recipe, lane, train_state=train_state)
        found.append(train_state)
    assert weights(found[0]) == weights(found[1])
    assert found[0].scaler.state_dict() == found[1].scaler.state_dict()
    assert found[0].scaler.get_scale() != 2.0**30
    assert found[1].on_device.steps.replayed == 4 * (STEPS - 1) - WARM_UP - TRIED


def test_photos_that_are_drawn_ahead_come_as_those_that_are_drawn_by_the_way():
    dice = [[streams.generator(0, 3, stream, 2) for stream in ("order", "augmentation")] for _ in range(2)]
    by_the_way = feeding.shuffled(IMAGES, LABELS.numpy(), np.arange(N), BATCH, *dice[0], ALL, "balanced")
    ahead = feeding.drawn_epoch(IMAGES, LABELS.numpy(), np.arange(N), BATCH, *dice[1], ALL, "balanced")
    assert isinstance(ahead, DrawnEpoch)
    for (pixels, labels), (others, answers) in zip(by_the_way, ahead, strict=True):
        assert torch.equal(pixels, others)
        assert torch.equal(labels, answers)
    assert not Augmenter(Augment(("flip",), mixup=0.2), 3).is_by_batch
    assert not Augmenter(Augment(("trivial-augment",))).is_by_batch


def test_batches_that_the_host_makes_are_captured_too():
    recipe = RECIPES[1]
    here, _ = in_lane(recipe, None, batches_of=lambda epoch: iter(list(drawn(epoch))))
    there, _ = in_lane(recipe, StandInLane(), batches_of=lambda epoch: iter(list(drawn(epoch))))
    assert weights(here) == weights(there)
    assert there.on_device.steps.replayed > 10


def test_watched_steps_and_gradients_are_recorded_as_ever():
    recipe = dataclasses.replace(RECIPES[0], epochs=6)
    found = [in_lane(recipe, lane, recorder=True)[0] for lane in (None, StandInLane())]
    rows = [train_state.recorder.rows for train_state in found]
    assert rows[0] == rows[1]
    assert weights(found[0]) == weights(found[1])
    assert found[1].on_device.steps.replayed == 6 * (STEPS - 2) - WARM_UP - TRIED


def changed_there(epoch, run_seed=0):
    dice = [streams.generator(0, run_seed, stream, epoch) for stream in ("order", "augmentation")]
    return feeding.changed_there(IMAGES.numpy(), LABELS.numpy(), np.arange(N), BATCH, *dice, ALL)


def test_photos_that_a_device_has_no_room_for_are_augmented_there():
    """A thread gathers them; what is random is drawn ahead, and the same as for photos that the device holds."""
    recipe = RECIPES[1]
    makers, gathered = set(), device_images.changed

    def noted(batch, drawn):
        makers.add(threading.current_thread())
        return gathered(batch, drawn)

    held, _ = in_lane(recipe, StandInLane())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device_images, "changed", noted)
        there, _ = in_lane(recipe, StandInLane(), batches_of=changed_there)
    here, _ = in_lane(recipe, None, batches_of=changed_there)
    assert weights(held) == weights(there) == weights(here)
    assert without_seconds(held.history) == without_seconds(there.history)
    assert there.on_device.steps.replayed == 4 * (STEPS - 1) - WARM_UP - TRIED
    assert makers == {threading.main_thread()}  # which feeds the device


class Asking(nn.Module):
    """Code that asks for a value on the way."""

    def forward(self, x):
        return x * 2 if float(x.detach().mean()) > 0 else x


class Counting(nn.Module):
    """Code that does otherwise at every call, by a number that a replay does not see."""

    calls = 0

    def forward(self, x):
        self.calls += self.training
        return x * (1 + 0.01 * (self.calls % 7))


class Drawing(nn.Module):
    """Code that draws from Python's generator, for no other result: a replay would leave the generator as it is."""

    def forward(self, x):
        np.random.rand(int(self.training))  # noqa: NPY002
        return x


@pytest.mark.parametrize(
    ("kind", "says"), [(Asking, "not permitted"), (Counting, "other results"), (Drawing, "other results")]
)
def test_what_cannot_be_replayed_is_done_operation_by_operation_with_a_note(kind, says, monkeypatch):
    from commongarden.train.device import capturing

    monkeypatch.setattr(capturing, "ExternalNetwork", kind)  # its state outside of tensors is put back too
    found = []
    for lane in (None, StandInLane()):
        train_state = new(RECIPES[0])
        train_state.classifier.body.dense = nn.Sequential(kind(), train_state.classifier.body.dense)
        found.append(in_lane(RECIPES[0], lane, train_state=train_state)[0])
    assert weights(found[0]) == weights(found[1])
    assert without_seconds(found[0].history) == without_seconds(found[1].history)
    (note,) = found[1].notes
    assert says in note
    assert found[1].on_device.steps.replayed == 0


def test_auxiliary_heads_and_the_average_of_the_weights():
    head = arch.auxiliary(arch.global_avg_pool(), arch.dense(3), weight=0.3)
    network = arch.serial(arch.conv(6, 3), head, arch.conv(6, 3), arch.global_avg_pool(), arch.dense(3), name="headed")
    recipe = dataclasses.replace(RECIPES[1], ema_decay=0.9, select="ema", clip_grad_norm=0.5)
    found = [in_lane(recipe, lane, network)[0] for lane in (None, StandInLane())]
    assert [loop.selected(one) for one in found] == [4, 4]
    assert weights(found[0]) == weights(found[1])
    assert without_seconds(found[0].history) == without_seconds(found[1].history)
    assert found[1].on_device.steps.replayed > 10


def test_the_first_loss_that_is_not_finite_is_named_by_the_devices_own_record():
    train_state = new(RECIPES[0])
    put_in(train_state, StandInLane())
    steps = loop.train(train_state, drawn, lambda: batches(18, seed=9), STEPS, 0, 0)
    while not isinstance(next(steps), loop.Epoch):
        pass
    with torch.no_grad():
        train_state.classifier.body[-1].bias.fill_(torch.inf)
    with pytest.raises(loop.Diverged) as told:
        list(steps)
    assert (told.value.epoch, told.value.step) == (2, 1)
    assert "nan" in str(told.value)


def test_batches_are_made_ahead_by_a_thread_where_they_may_be():
    recipe = RECIPES[1]
    here, _ = in_lane(recipe, None)
    makers = []

    def made(epoch):
        def each():
            for one in drawn(epoch):
                makers.append(threading.current_thread())
                yield one

        return feeding.OwnDraws(each())

    there, _ = in_lane(recipe, StandInLane(), batches_of=made)
    assert weights(here) == weights(there)
    assert threading.main_thread() not in makers

    def broken(epoch):
        def each():
            yield from list(drawn(epoch))[:2]
            raise OSError("the disk is gone")

        return feeding.OwnDraws(each())

    with pytest.raises(OSError, match="disk"):
        in_lane(recipe, StandInLane(), batches_of=broken)
    with pytest.raises(OSError, match="disk"):
        in_lane(recipe, StandInLane(captures=False), batches_of=broken)


@pytest.mark.parametrize("stopped_after", [1, 3])
def test_a_run_that_goes_on_from_a_checkpoint_ends_with_the_same_bits(stopped_after, tmp_path):
    recipe = dataclasses.replace(RECIPES[1], ema_decay=0.9)
    whole, _ = in_lane(recipe, StandInLane())
    train_state = new(recipe)
    put_in(train_state, StandInLane())
    for news in loop.train(train_state, drawn, lambda: batches(18, seed=9), STEPS, 0, 0):
        if isinstance(news, loop.Epoch) and news.epoch == stopped_after:
            break
    saved = checkpoint.to_bytes(train_state)
    (tmp_path / "checkpoint.pt").write_bytes(saved)
    again = new(recipe)
    checkpoint.restore(again, tmp_path / "checkpoint.pt")
    in_lane(recipe, StandInLane(), train_state=again)
    assert weights(again) == weights(whole)
    assert without_seconds(again.history) == without_seconds(whole.history)
    onward = new(recipe)  # a checkpoint made on a device is one like any other
    checkpoint.restore(onward, tmp_path / "checkpoint.pt")
    in_lane(recipe, None, train_state=onward)
    assert weights(onward) == weights(whole)


def test_runs_side_by_side_are_each_what_they_are_alone():
    seeds, recipe = range(4), RECIPES[2]
    alone = [weights(in_lane(recipe, StandInLane(), run_seed=seed)[0]) for seed in seeds]
    beside = [new(recipe, seed) for seed in seeds]
    runs = []
    for seed, train_state in zip(seeds, beside, strict=True):
        put_in(train_state, StandInLane())
        news = loop.train(
            train_state, lambda epoch, seed=seed: drawn(epoch, seed), lambda: batches(18, seed=9), STEPS, 0, seed
        )
        runs.append((train_state.lane, news))
    while runs:
        for run in list(runs):
            with run[0].in_place():
                if next(run[1], None) is None:
                    runs.remove(run)
    assert list(map(weights, beside)) == alone


class Waits(torch.utils._python_dispatch.TorchDispatchMode):
    """Counts the values that the host asks the device for, each of which waits."""

    def __init__(self):
        super().__init__()
        self.asked = self.called = 0

    def __torch_dispatch__(self, called, types, args=(), kwargs=None):
        self.asked += called is torch.ops.aten._local_scalar_dense.default
        self.called += 1
        return called(*args, **(kwargs or {}))


def test_an_epoch_asks_the_device_for_nothing_but_what_is_shown():
    train_state = new(dataclasses.replace(RECIPES[0], epochs=3))
    lane = put_in(train_state, StandInLane()).lane
    steps = loop.train(train_state, drawn, lambda: batches(18, seed=9), STEPS, 0, 0)
    while not isinstance(next(steps), loop.Epoch):
        pass
    fetched, waits = lane.fetched, Waits()
    with waits:
        shown = next(one for one in steps if isinstance(one, Step))
    assert shown.step == STEPS
    assert waits.asked <= 4  # the validation's figures, on the host, which have arrived
    assert lane.fetched - fetched == 4  # figures of training and validation, two tensors each
    assert lane.waits == 0
    assert train_state.device == CPU
    assert SIZE
