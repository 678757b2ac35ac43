"""The preset of a study for which nobody named one: by whether published weights can be had, by the device, and by what
training would take."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass

from commongarden.runner import limits
from commongarden.runner.isolated import Calls, Progress
from commongarden.study.arm import Arm
from commongarden.study.declared import Study
from commongarden.study.recipe import Recipe

SECONDS_TO_REACH = 3  # of all servers of weights together
LONGEST = 30 * 60  # seconds of fine-tuning on a processor
PHOTOS = 4  # of one timed step


@dataclass(frozen=True)
class Choice:
    """The preset, and why.

    preset: a name of study.PRESETS. device: that training would be on. seconds: what fine-tuning would take there, None
    where it was not timed. unreachable: the first server of weights that did not answer, "" where all did.
    """

    preset: str
    device: str
    seconds: float | None = None
    unreachable: str = ""


def choose(study: Study, n_photos: int, n_classes: int, device: str, n_workers: int | None) -> Choice:
    """The preset for a study that nobody named one for.

    study: the study as the preset "finetune" declares it, with all that was asked for in it. n_photos: of its data.
    Weights and steps are looked at in a process of its own, since both load PyTorch. Raises RunnerError for a device
    that is not there.
    """
    recipes = [study.recipe_of(name) for name in study.arms]
    with closing(Calls()) as made:
        found = made.call(_surveyed, tuple(study.arms.values()), recipes, n_classes, device)
    kind, unreachable, per_photo = found
    if unreachable:
        return Choice("scratch", kind, unreachable=unreachable)
    if kind != "cpu":
        return Choice("finetune", kind)
    n_steps = n_photos * study.split.train * len(study.seeds)
    work = sum(n_steps * recipe.epochs * seconds for recipe, seconds in zip(recipes, per_photo, strict=True))
    seconds = work / (n_workers or limits.cores())
    return Choice("finetune" if seconds <= LONGEST else "linear-probe", kind, seconds)


def _surveyed(
    arms: tuple[Arm, ...], recipes: list[Recipe], n_classes: int, device: str, say: Progress
) -> tuple[str, str, list[float]]:
    """The kind of device, what cannot be reached, and the seconds of a training step per photo of each arm."""
    from commongarden.train.measure import pick_device  # loads torch, in this process only
    from commongarden.train.published import downloads

    say("measuring")
    kind = pick_device(device.partition(",")[0]).type
    missing = [each for each in downloads(arms, SECONDS_TO_REACH) if not each.cached and not each.reachable]
    if missing or kind != "cpu":
        return kind, missing[0].where if missing else "", []
    return kind, "", [_seconds_per_photo(arm, recipe, n_classes) for arm, recipe in zip(arms, recipes, strict=True)]


def _seconds_per_photo(arm: Arm, recipe: Recipe, n_classes: int) -> float:
    """What a photo takes in a training step on one core."""
    import torch

    from commongarden.arch import External
    from commongarden.train import external

    torch.set_num_threads(1)
    input = recipe.resolution, recipe.resolution, 3
    network = external.make(External(arm.arch, "{}", n_classes, input, 0, 0, 0, "", "")).train()
    images = torch.zeros(PHOTOS, 3, recipe.resolution, recipe.resolution).contiguous(memory_format=torch.channels_last)
    network(images).sum().backward()  # warm-up
    start = time.perf_counter()
    network(images).sum().backward()
    return (time.perf_counter() - start) / PHOTOS
