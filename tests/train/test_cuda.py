"""On a CUDA device, where there is one: `pytest -m cuda` (scripts/gpu.sh)."""

import dataclasses

import numpy as np
import pytest
import torch

from commongarden.data import batches as feeding
from commongarden.data import device_images
from commongarden.data.random_transforms import Augmenter
from commongarden.study.augmentation import Augment
from commongarden.train import checkpoint, loop
from commongarden.train.device.capturing import TRIED, WARM_UP
from commongarden.train.device.lanes import CudaLane
from commongarden.train.device.memory import is_out_of_memory, release
from commongarden.train.recording import Recorder
from small_training import RECIPES, SIZE, batches, new, photos, weights, without_seconds

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
N, BATCH = 41, 6
STEPS = feeding.n_batches(N, BATCH)
EPOCHS = 4


class Run:
    """A run in a lane of its own, a turn at a time."""

    def __init__(self, recipe, seed=0, *, captures=True, recorder=False, path=None):
        self.lane, self.over = CudaLane(torch.device("cuda"), captures=captures), False
        pixels, labels = photos(N)
        with self.lane.in_place():
            images = device_images.on_device(pixels.permute(0, 2, 3, 1).numpy(), torch.device("cuda"))
            classifier = new(recipe, seed).classifier
            self.state = loop.new_train_state(classifier, recipe, torch.device("cuda"), lane=self.lane)
            if recorder:
                self.state.recorder = Recorder(classifier.body, {}, STEPS)
            if path is not None:
                checkpoint.restore(self.state, path)

        def drawn(epoch):
            dice = [torch.Generator().manual_seed(100 * seed + 10 * epoch + i) for i in (1, 2)]
            augmenter = Augmenter(Augment(("flip", "crop", "colour")))
            return feeding.drawn_epoch(images, labels.numpy(), np.arange(N), BATCH, *dice, augmenter)

        self.news = loop.train(self.state, drawn, lambda: batches(18, seed=9), STEPS, 0, seed)

    def advance(self):
        with self.lane.in_place():
            one = next(self.news, None)
        self.over = one is None
        return one

    def to_end(self):
        while not self.over:
            self.advance()
        return self

    def bits(self):
        with self.lane.in_place():
            self.lane.wait()
            return weights(self.state)


CAPTURED = [
    recipe for recipe in RECIPES if recipe.optimizer in ("adam", "adamw", "sgd") and not recipe.head_epochs
]  # fmt: skip


@pytest.mark.parametrize("recipe", CAPTURED)
def test_captured_steps_leave_what_steps_one_by_one_leave(recipe):
    captured = Run(recipe).to_end()
    assert not captured.state.on_device.steps.note
    assert captured.state.on_device.steps.replayed == EPOCHS * (STEPS - 1) - WARM_UP - TRIED
    again = Run(recipe).to_end()
    assert captured.bits() == again.bits()
    assert without_seconds(captured.state.history) == without_seconds(again.state.history)


def test_captured_and_eager_runs_have_the_same_history():
    recipe = dataclasses.replace(RECIPES[1], ema_decay=0.9, clip_grad_norm=0.5)
    captured, eager = Run(recipe, recorder=True).to_end(), Run(recipe, captures=False, recorder=True).to_end()
    pairs = zip(captured.state.history, eager.state.history, strict=True)
    for one, two in pairs:  # the learning rate of eager steps is not rounded to float32
        assert one.train_loss == pytest.approx(two.train_loss, rel=1e-4)
        assert one.val_loss == pytest.approx(two.val_loss, rel=1e-4)


def test_runs_side_by_side_are_each_what_they_are_alone():
    recipe = RECIPES[0]  # with dropout
    alone = [Run(recipe, seed).to_end().bits() for seed in range(4)]
    runs = [Run(recipe, seed) for seed in range(4)]
    while not all(run.over for run in runs):
        for run in runs:
            if not run.over:
                run.advance()
    assert [run.bits() for run in runs] == alone


def test_a_run_goes_on_from_its_checkpoint_with_the_same_bits(tmp_path):
    recipe = RECIPES[2]
    whole, stopped = Run(recipe).to_end(), Run(recipe)
    while not (isinstance(one := stopped.advance(), loop.Epoch) and one.epoch == 2):
        pass
    with stopped.lane.in_place():
        (tmp_path / "checkpoint.pt").write_bytes(checkpoint.to_bytes(stopped.state))
    assert Run(recipe, path=tmp_path / "checkpoint.pt").to_end().bits() == whole.bits()


def test_others_runs_go_on_where_one_cannot_be_captured(monkeypatch):
    run, other = Run(RECIPES[0]), Run(RECIPES[0], 1)
    forward = type(run.state.classifier).forward

    def asking(self, pixels):
        return forward(self, pixels) + (0.0 if float(pixels.float().mean()) > 0 else 1.0)

    run.state.classifier.forward = asking.__get__(run.state.classifier)
    while not (run.over and other.over):
        for one in (run, other):
            if not one.over:
                one.advance()
    assert "not captured" in run.state.on_device.steps.note
    assert len(run.state.history) == EPOCHS
    assert other.bits() == Run(RECIPES[0], 1).to_end().bits()


def test_a_run_without_room_is_told_from_other_errors():
    free, _all = torch.cuda.mem_get_info()
    with pytest.raises(RuntimeError) as told:
        torch.empty(2 * free, dtype=torch.uint8, device="cuda")
    assert is_out_of_memory(told.value)
    release(told.value)
    assert Run(RECIPES[0]).to_end().state.history[-1].epoch == EPOCHS
    assert SIZE
