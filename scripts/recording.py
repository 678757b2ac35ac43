"""What recording of signals costs: every arm of the demo with and without it, step by step in turn.

    python scripts/recording.py [EPOCHS] [PHOTOS]

Prints, for each arm, the time with recording over that without, as the median over epochs with a 95 % interval of the
median (by its order statistics). Processor time: other work on the machine then counts little.
"""

from __future__ import annotations

import dataclasses
import sys
import time

import numpy as np
import torch
from scipy import stats

from commongarden import study as studies
from commongarden.records import Epoch
from commongarden.train import loop, measure, streams
from commongarden.train.audit import drawn_pixels, tree_paths
from commongarden.train.classifier import Classifier
from commongarden.train.initialize import initialize
from commongarden.train.recording import Recorder
from commongarden.train.reestimate import reestimated


def train_state(network, recipe, steps, records):
    shape = (recipe.resolution, recipe.resolution, 3)
    classifier = Classifier(network, shape, recipe, (115.0,) * 3, (40.0,) * 3)
    initialize(classifier, recipe, streams.generator(0, 0, "initialization"))
    made = loop.new_train_state(classifier, recipe, torch.device("cpu"))
    made.recorder = Recorder(classifier.body, tree_paths(network), steps) if records else None
    return made


def alternated(sides, n_epochs):
    """Seconds of each epoch on either side, both stepped in turn."""
    taken = []
    for epoch in range(n_epochs):
        seconds = [0.0, 0.0]
        done, turn = False, epoch % 2
        while not done:
            turn = 1 - turn
            for side in (turn, 1 - turn):
                start = time.process_time()
                news = next(sides[side])
                seconds[side] += time.process_time() - start
                done = isinstance(news, Epoch)
        taken.append(seconds)
    return taken


def cost(network, recipe, n_train):
    """Recording over none, as the median and its interval; validating anew as a share of the whole training."""
    shape = (recipe.resolution, recipe.resolution, 3)
    pixels = drawn_pixels(shape, recipe.batch_size).byte().contiguous(memory_format=torch.channels_last)
    steps = -(-n_train // recipe.batch_size)
    batches = [(pixels, torch.arange(recipe.batch_size) % 5)] * steps
    both = [train_state(network, recipe, steps, records) for records in (True, False)]
    sides = [loop.train(made, lambda _epoch: batches, lambda: batches[:3], steps, 0, 0) for made in both]
    taken = alternated(sides, recipe.epochs)
    start = time.process_time()
    reestimated(both[0].classifier, batches[: 128 // recipe.batch_size], lambda: batches[:3], torch.device("cpu"))
    anew = (time.process_time() - start) / sum(two for _, two in taken)
    ratios = np.sort([one / two for one, two in taken[1:]])
    k = max(int(stats.binom.ppf(0.025, len(ratios), 0.5)), 1)
    return float(np.median(ratios)) - 1, float(ratios[k - 1]) - 1, float(ratios[-k]) - 1, anew


def main(epochs: int, n_train: int) -> None:
    study = studies.read("demo")
    measure.settle(1)
    for arm in study.arms:
        recipe = dataclasses.replace(study.recipe_of(arm), epochs=epochs)
        middle, low, high, anew = cost(study.arms[arm].network(5), recipe, n_train)
        print(
            f"{arm}: recording {100 * middle:+.1f} % of an epoch ({100 * low:+.1f} to {100 * high:+.1f}); "
            f"validating anew {100 * anew:.1f} % of {epochs} epochs",
            flush=True,
        )


if __name__ == "__main__":
    main(*(int(word) for word in [*sys.argv[1:], "8", "1200"][:2]))
