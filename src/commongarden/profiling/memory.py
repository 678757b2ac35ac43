"""The memory that training needs at its peak. To be called in a process of its own, which nothing else has swollen."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from commongarden.arch import Node
from commongarden.study.recipe import Recipe
from commongarden.train import loop, measure, streams
from commongarden.train.classifier import Classifier
from commongarden.train.initialize import initialize

STEPS = 3


def peak(
    network: Node, input: tuple[int, int, int], recipe: Recipe, batches: Iterator[loop.Batch], device: torch.device
) -> tuple[int, int]:
    """Bytes that the process held before the network was made, and the most it held over a few training steps.

    Of a GPU it is what its allocator held.
    """
    measure.settle(recipe.threads, recipe.precision)
    before = measure.PeakMemory(device).look()
    memory = measure.PeakMemory(device)
    classifier = Classifier(network, input, recipe, (127.5,) * 3, (64.0,) * 3)
    initialize(classifier, recipe, streams.generator(0, 0, "initialization"))
    train_state = loop.new_train_state(classifier, recipe, device)
    steps = loop.train(train_state, lambda _: batches, lambda: (), 10**9, 0, 0)
    for _ in range(STEPS):
        next(steps)
    return before, memory.look()
