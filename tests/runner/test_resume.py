"""A run that is stopped in the middle and goes on equals one that never was: weights, optimizer, chance, history."""

import io
import itertools
import math

import pytest
import torch

from commongarden import arch
from commongarden.data.augment import KINDS
from commongarden.io import disk
from commongarden.records import Epoch
from commongarden.runner import checkpoint_schedule
from commongarden.runner.events import EpochDone, Job
from commongarden.runner.plan import run_plan
from commongarden.runner.prepared_data import prepare_data
from commongarden.runner.training import train_run
from commongarden.study import Arm
from commongarden.study.recipe import Recipe
from commongarden.train import checkpoint, loop, measure, streams
from commongarden.train.classifier import Classifier
from commongarden.train.initialize import initialize
from conformance import smallest
from resumed import FAMILIES, grown, study_of
from small_training import without_seconds

OPTIMIZERS = ({"optimizer": "adam"}, {"optimizer": "adamw", "weight_decay": 0.1}, {"optimizer": "sgd", "momentum": 0.0},
              {"optimizer": "sgd", "nesterov": True})  # fmt: skip
SCHEDULES = ({}, {"schedule": "cosine", "warmup_epochs": 0.5}, {"schedule": "one-cycle"})
AUGMENTATIONS = [tuple(kinds) for n in range(len(KINDS) + 1) for kinds in itertools.combinations(KINDS, n)]
LARGE = [("alexnet", {}), ("vgg11", {}), ("googlenet", {"aux": True}), ("inception_v3", {}), ("resnet18", {}),
         ("resnet50", {}), ("plain18", {})]  # fmt: skip


@pytest.fixture(autouse=True)
def every_epoch_is_saved(monkeypatch):
    monkeypatch.setattr(checkpoint_schedule, "SHARE", math.inf)


def check(photos, cache_folder, tmp_path, arms, **recipe):
    """Stopped in the middle of the second epoch, at its end, and before any checkpoint."""
    study = study_of(photos, arms, **recipe)
    store, prepared = prepare_data(study, tmp_path / "whole", cache_folder)
    study = store.study()
    wanted = grown(study, prepared, store)
    for stop_at in (2, 6, 8):  # three steps an epoch, and its end
        store, prepared = prepare_data(study, tmp_path / f"stopped{stop_at}", cache_folder)
        assert grown(study, prepared, store, stop_at) == wanted


PAIRS = list(itertools.product(OPTIMIZERS, SCHEDULES))


@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [PAIRS[1], *(pytest.param(*one, marks=pytest.mark.soak) for one in PAIRS if one is not PAIRS[1])],
)
def test_every_optimizer_and_schedule(photos, cache_folder, tmp_path, optimizer, schedule):
    check(photos, cache_folder, tmp_path, {"a": Arm("plain_flower")}, **optimizer, **schedule, label_smoothing=0.1)


@pytest.mark.parametrize(
    "kinds", [AUGMENTATIONS[-1], *(pytest.param(one, marks=pytest.mark.soak) for one in AUGMENTATIONS[:-1])]
)
def test_every_augmentation(photos, cache_folder, tmp_path, kinds):
    check(photos, cache_folder, tmp_path, {"a": Arm("plain_flower")}, augment=kinds, select="best-val")


FIELD = [
    {"augment": ("flip", "random-resized-crop", "trivial-augment", "rand-augment"), "random_erasing": 0.5,
     "crop_scale": 0.5, "mixup": 0.2, "cutmix": 1.0, "sampling": "balanced", "class_weight": "balanced"},
    {"augment": ("colour",), "resize": "crop", "interpolation": "bicubic", "crop_share": 0.8},
]  # fmt: skip


@pytest.mark.parametrize("values", [FIELD[0], pytest.param(FIELD[1], marks=pytest.mark.soak)], ids=["all", "crop"])
def test_augmentation_of_the_libraries(photos, cache_folder, tmp_path, values):
    check(photos, cache_folder, tmp_path, {"a": Arm("plain_flower")}, ema_decay=0.9, select="ema", **values)


@pytest.mark.parametrize("copies", [99, pytest.param(0, marks=pytest.mark.soak)])
def test_a_stop_saves_epochs_that_are_not_in_the_last_checkpoint(photos, cache_folder, tmp_path, monkeypatch, copies):
    """From a copy of the last one; without one, the run goes on to the end of its epoch."""
    monkeypatch.setattr(checkpoint_schedule, "SHARE", 0.0)  # only the first one is saved
    monkeypatch.setattr(checkpoint_schedule, "TRIALS", copies)
    monkeypatch.setattr(checkpoint_schedule.limits, "free_memory", lambda: copies * 10**12)
    check(photos, cache_folder, tmp_path, {"a": Arm("plain_flower")}, augment=("flip",), select="best-val")


@pytest.mark.parametrize("values", [{"head_epochs": 2, "body_lr": 0.1}, {"layout": "channels-first"}, {"init": "own"},
                                    {"pixels": "raw"}], ids=str)  # fmt: skip
@pytest.mark.soak
def test_every_other_choice_of_a_recipe(photos, cache_folder, tmp_path, values):
    check(photos, cache_folder, tmp_path, {"a": Arm("plain_flower")}, **values)


def test_a_frozen_backbone(photos, cache_folder, tmp_path):
    check(photos, cache_folder, tmp_path, {"a": Arm("plain_flower")}, freeze_backbone=True)


@pytest.mark.parametrize(
    ("name", "options"),
    [FAMILIES[3], *(pytest.param(*one, marks=pytest.mark.soak) for one in (*FAMILIES[:3], FAMILIES[4]))],
)
def test_every_family_of_flowers(photos, cache_folder, tmp_path, name, options):
    check(photos, cache_folder, tmp_path, {"a": Arm(name, options)}, resolution=32)


@pytest.mark.soak
@pytest.mark.parametrize(("name", "options"), LARGE)
def test_every_large_family_with_its_optimizer(tmp_path, name, options):
    """Two epochs of two steps at the smallest size, the first one's end as the place of the stop."""
    size = smallest(name, **options)
    network, recipe = arch.network(name, 3, **options), Recipe(resolution=size, epochs=2, batch_size=2, lr=1e-3)
    generator = torch.Generator().manual_seed(0)
    photos = [
        (torch.randint(0, 255, (2, 3, size, size), generator=generator, dtype=torch.uint8), torch.tensor([0, 2]))
        for _ in range(2)
    ]

    def new():
        measure.settle(1)
        torch.manual_seed(streams.seed(0, 0, "initialization"))
        classifier = Classifier(network, (size, size, 3), recipe, (100.0,) * 3, (50.0,) * 3)
        initialize(classifier, recipe, streams.generator(0, 0, "initialization"))
        return loop.new_train_state(classifier, recipe, torch.device("cpu"))

    def trained(train_state, stop_after=2):
        for news in loop.train(train_state, lambda epoch: photos, lambda: photos, 2, 0, 0):
            if isinstance(news, Epoch) and news.epoch == stop_after:
                break
        return train_state

    whole, path = trained(new()), tmp_path / "checkpoint.pt"
    with disk.replacing(path) as file:
        disk.write(file, checkpoint.to_bytes(trained(new(), 1)))
    resumed = new()
    checkpoint.restore(resumed, path)
    trained(resumed)
    same(resumed.classifier.state_dict(), whole.classifier.state_dict())
    same(resumed.optimizer.state_dict(), whole.optimizer.state_dict())
    assert without_seconds(resumed.history) == without_seconds(whole.history)


def same(one, two):
    """Bit for bit, whatever is in what."""
    assert type(one) is type(two)
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, two)
    elif isinstance(one, dict):
        assert one.keys() == two.keys()
        for key in one:
            same(one[key], two[key])
    elif isinstance(one, list | tuple):
        for pair in zip(one, two, strict=True):
            same(*pair)
    else:
        assert one == two


def test_the_optimizer_goes_on_as_it_was(photos, cache_folder, tmp_path):
    study = study_of(photos, {"a": Arm("plain_flower")}, epochs=2)
    states = []
    for place, stops in (("whole", ()), ("stopped", (5,))):
        store, prepared = prepare_data(study, tmp_path / place, cache_folder)
        study = store.study()
        planned = run_plan(study, prepared, Job("a", 0), "cpu")
        for stop_at in stops:
            asked = itertools.count(1)
            list(train_run(store, prepared, planned, lambda asked=asked, at=stop_at: next(asked) >= at))
        for event in train_run(store, prepared, planned, lambda: False):
            if isinstance(event, EpochDone) and event.epoch.epoch == 2:
                data = (store.partial("a", 0) / "checkpoint.pt").read_bytes().partition(b"\n")[2]
                states.append(data)
    one, two = (torch.load(io.BytesIO(data), weights_only=True) for data in states)
    same(one["optimizer"], two["optimizer"])
    same(one["weights"], two["weights"])
