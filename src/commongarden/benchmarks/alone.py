"""A process that imports torch, looks at what it holds, then trains one arm as a worker does and looks again.

    python -m commongarden.benchmarks.alone inception_flower:LA 96 10

prints both as JSON, in bytes. Nothing but the standard library is imported before torch.
"""

from __future__ import annotations

import json
import os
import sys

STEPS = 30  # some behind the recording of one (train/replay/)
BETWEEN = 0.004  # seconds from look to look; a step takes some of these
N_PHOTOS, N_CLASSES = 1000, 5


def main() -> None:
    """See above."""
    import torch

    from commongarden.benchmarks.footprint import Watched, pss

    before = pss(os.getpid())
    arm, resolution, batch_size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with Watched(lambda: pss(os.getpid()), BETWEEN) as watched:
        _train(arm, resolution, batch_size, torch.device("cpu"))
    print(json.dumps({"torch": before, "run": max(watched.most, pss(os.getpid()))}))


def _train(text: str, resolution: int, batch_size: int, device: object) -> None:
    import importlib

    import numpy as np
    import torch

    from commongarden.data import batches
    from commongarden.runner import processes
    from commongarden.runner.initial_network import first_weights
    from commongarden.runner.run_setup import EVALUATION_BATCH
    from commongarden.study import arm as arms
    from commongarden.study.recipe import Recipe
    from commongarden.train import loop, measure
    from commongarden.train.audit import tree_paths
    from commongarden.train.evaluate import evaluate
    from commongarden.train.recording import Recorder

    assert isinstance(device, torch.device)
    for name in processes.PRELOADED:
        importlib.import_module(name)
    recipe = Recipe(resolution=resolution, batch_size=batch_size, optimizer="adam")
    measure.settle(recipe.threads)
    _name, arm = arms.from_text(text)
    network, shape = arm.network(N_CLASSES), (resolution, resolution, 3)
    first = first_weights(arm, network, shape, recipe, (127.5,) * 3, (64.0,) * 3, 0, 0)
    train_state = loop.new_train_state(first, recipe, device)
    train_state.recorder = Recorder(first.body, tree_paths(network), STEPS)
    dice = np.random.default_rng(0)
    images = dice.integers(0, 256, (N_PHOTOS, *shape), dtype=np.uint8)
    labels, places = dice.integers(0, N_CLASSES, N_PHOTOS), np.arange(N_PHOTOS)
    order, augmentation = torch.Generator(), torch.Generator()
    shown = batches.shuffled(images, labels, places, batch_size, order, augmentation)
    steps = loop.train(train_state, lambda _: shown, lambda: (), N_PHOTOS // batch_size, 0, 0)
    for _ in range(STEPS):
        next(steps)
    evaluate(
        train_state.classifier, batches.in_order(images, labels, places[:EVALUATION_BATCH], EVALUATION_BATCH), device
    )


if __name__ == "__main__":
    main()
