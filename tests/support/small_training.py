"""A small network, trained on a few images without a study, by each kind of recipe."""

import dataclasses

import torch

from commongarden import arch
from commongarden.arch import conv, dense, global_avg_pool, serial
from commongarden.study.recipe import Recipe
from commongarden.train import loop, measure, state, streams
from commongarden.train.classifier import Classifier
from commongarden.train.initialize import initialize

SIZE = 12


CPU = torch.device("cpu")


NETWORK = serial(conv(6, 3), conv(6, 3, order="LAB"), global_avg_pool(), arch.dropout(0.2), dense(3), name="small")


def photos(n, seed=0):
    """Three classes told apart by their brightest channel."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    pixels = torch.randint(0, 160, (n, 3, SIZE, SIZE), generator=generator, dtype=torch.uint8)
    pixels[torch.arange(n), labels] += 60
    return pixels, labels


def batches(n=36, size=6, seed=0):
    pixels, labels = photos(n, seed)
    return list(zip(pixels.split(size), labels.split(size), strict=True))


def epoch_batches(epoch, run_seed=0):
    order = torch.randperm(6, generator=streams.generator(0, run_seed, "order", epoch))
    return [batches()[i] for i in order]


def new(recipe, run_seed=0, network=NETWORK):
    measure.settle(1)
    torch.manual_seed(streams.seed(0, run_seed, "initialization"))
    classifier = Classifier(network, (SIZE, SIZE, 3), recipe, (100.0, 90.0, 80.0), (50.0, 50.0, 50.0))
    initialize(classifier, recipe, streams.generator(0, run_seed, "initialization"))
    return loop.new_train_state(classifier, recipe, CPU)


def trained(recipe, run_seed=0, train_state=None):
    train_state = train_state or new(recipe, run_seed)
    for _ in loop.train(
        train_state, lambda epoch: epoch_batches(epoch, run_seed), lambda: batches(18, seed=9), 6, 0, run_seed
    ):
        pass
    return train_state


def weights(train_state):
    return state.to_bytes(train_state.classifier)


def without_seconds(history):
    return [
        dataclasses.replace(
            epoch, seconds_data=0, seconds_forward_backward=0, seconds_optimizer=0, seconds_val=0
        )
        for epoch in history
    ]  # fmt: skip


RECIPES = [
    Recipe(resolution=SIZE, epochs=4, batch_size=6, **values)
    for values in (
        {},
        {"optimizer": "adam", "lr": 1e-2, "schedule": "cosine", "warmup_epochs": 1},
        {"optimizer": "sgd", "lr": 0.05, "nesterov": True, "weight_decay": 1e-3, "schedule": "one-cycle"},
        {"select": "best-val", "label_smoothing": 0.1, "layout": "channels-first", "init": "fixed"},
        {"head_epochs": 2, "body_lr": 0.1, "schedule": "cosine", "lr": 1e-2},
        {"head_epochs": 1, "optimizer": "sgd", "lr": 0.05, "init": "own"},
        {"optimizer": "lamb", "ema_decay": 0.9, "select": "ema", "clip_grad_norm": 0.5, "grad_accum_steps": 4},
        {"optimizer": "muon", "layer_decay": 0.7, "decay_bias_and_norm": False, "weight_decay": 0.05, "body_lr": 0.5},
    )
]
