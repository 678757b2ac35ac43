"""A study's folder with runs that nobody trained: records with the figures that a test wants."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from commongarden import arch
from commongarden import store as stores
from commongarden.data import image
from commongarden.records import Epoch, Failure, Hashes, Machine, Manifest, Photo, Predictions, Run, Split
from commongarden.study import Arm, Contrast, Published, Study
from commongarden.study.recipe import Recipe

N_TEST = 100
MACHINE = Machine("Linux 6.1", "A processor", 2, 16 * 2**30, "3.11.7", {"commongarden": "0.1.0", "torch": "2.13.0"})


def grown(
    root: Path,
    accuracies: dict[str, tuple[float | Failure, ...]],
    *,
    classes: tuple[str, ...] = ("daisy", "rose", "tulip"),
    epochs: int = 4,
    select: str = "last",
    published: dict[str, float] | None = None,
    val_loss: float | None = None,
    description: str = "",
    study: Study | None = None,
    arms: dict[str, Arm] | None = None,
    contrasts: tuple[Contrast, ...] = (),
    group: Callable[[Photo], str] = lambda photo: "",
    data: str = "",
) -> stores.Store:
    """The store of a study whose arms reached these test accuracies, one a seed; a Failure is a run that failed.

    Arms with fewer entries than the longest one have runs missing (two seeds are planned where none has any).
    study: takes the place of the one that is made up; an entry of None is a run that is missing. Where its splits vary,
    each seed's test part is another piece of the photos. group: of each photo. data: makes the photos others than
    those of studies without it.
    """
    root.mkdir(parents=True, exist_ok=True)
    seeds = tuple(range(max(map(len, accuracies.values()), default=0) or 2))
    recipe = Recipe(resolution=32, epochs=epochs, select=select)
    study = study or Study(
        "grown",
        "photos",
        {name: (arms or {}).get(name) or Arm(_FAMILIES[i % 4]) for i, name in enumerate(accuracies)},
        recipe,
        seeds,
        contrasts=contrasts,
        description=description,
        published={name: Published(value, 4082) for name, value in (published or {}).items()},
        published_source="a student's report" if published else "",
    )
    photos = tuple(
        Photo(f"{label}/{i:03}.png", label, "", f"{data}{number:02}{i:04}")
        for number, label in enumerate(sorted(classes))
        for i in range(10 + N_TEST // len(classes) + 1)
    )
    paths = [photo.path for photo in sorted(photos, key=lambda photo: photo.path[-7:])]
    photos = tuple(dataclasses.replace(photo, group=group(photo)) for photo in photos)
    splits = {}
    for seed in study.seeds:
        turned = [*paths[11 * seed :], *paths[: 11 * seed]] if study.splits_vary else paths
        splits[seed] = Split(tuple(turned[N_TEST + 5 :]), tuple(turned[N_TEST : N_TEST + 5]), tuple(turned[:N_TEST]))
    split = splits[study.seeds[0]]
    test = split.test
    manifest = Manifest("photos", photos)
    store = stores.write_study(root, study)
    stores.write_split(store, manifest, split)
    if study.splits_vary:
        for seed, own in splits.items():
            stores.write_own_split(store, seed, own)
    for number, (name, reached) in enumerate(accuracies.items()):
        for seed, value in enumerate(reached):
            if value is None:
                continue
            labels = np.array([manifest.classes.index(path.rpartition("/")[0]) for path in splits[seed].test])
            _write(store, study, name, seed, value, number, manifest, splits[seed], labels, val_loss)
    _thumbnails(store, test[:24])
    return store


_FAMILIES = ("plain_flower", "residual_flower", "bottleneck_flower", "inception_flower")


def _write(store, study, name, seed, value, number, manifest, split, labels, val_loss):
    recipe = study.recipe_of(name)
    shape = (recipe.resolution, recipe.resolution, 3)
    network = study.arms[name].network(len(manifest.classes))
    cost = arch.cost(network, shape)
    failed = value if isinstance(value, Failure) else None
    accuracy = 0.3 if failed else value
    run = Run(
        1, name, seed, "failed" if failed else "finished", arch.write(network), shape, manifest.classes, recipe,
        Hashes(manifest.hash, split.hash, arch.hash(network)), "cpu", MACHINE, "2026-01-02T03:04:05+00:00",
        "2026-01-02T03:05:05+00:00", cost.n_params, cost.macs, len(split.train), len(split.val), len(split.test),
        (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), failure=failed,
    )  # fmt: skip
    history = [
        Epoch(
            epoch,
            1.6 - 0.2 * epoch * accuracy,
            accuracy * epoch / recipe.epochs,
            1.7 - 0.2 * epoch * accuracy if val_loss is None or epoch < recipe.epochs else val_loss,
            accuracy * (0.9 + 0.1 * np.sin(seed + epoch)),
            1e-3, 0.1, 1.0 + number, 0.2, 0.1,
        )
        for epoch in range(1, recipe.epochs + 1)
    ]  # fmt: skip
    if failed:
        stores.write_run(store, run, history[: failed.epoch], None, None)
        return
    n_right = round(accuracy * len(labels))
    generator = np.random.default_rng(seed)
    guesses = (labels + 1 + generator.integers(0, len(manifest.classes) - 1, len(labels))) % len(manifest.classes)
    right = generator.permutation(len(labels))[:n_right]
    guesses[right] = labels[right]
    probabilities = np.full((len(labels), len(manifest.classes)), 0.1 / len(manifest.classes), np.float32)
    probabilities[np.arange(len(labels)), guesses] += 0.9
    finished = dataclasses.replace(
        run, selected_epoch=recipe.epochs, test_accuracy=n_right / len(labels), test_loss=1.0, seconds_test=0.5,
        inference_ms=1.5 + number + 0.1 * seed, peak_memory_bytes=400_000_000 + number * 10_000_000,
        model_bytes=4 * cost.n_params,
    )  # fmt: skip
    stores.write_run(store, finished, history, Predictions(np.array(split.test), labels, probabilities), b"")


def _thumbnails(store, paths):
    store.root.mkdir(exist_ok=True)
    source = store.root / "source.png"
    Image.new("RGB", (40, 30), (200, 60, 90)).save(source)
    jpeg = image.jpeg(str(source.parent), source.name, 64)
    source.unlink()
    stores.write_thumbnails(store, dict.fromkeys(paths, jpeg))
