"""Arms timed, and their memory measured, in processes of their own: this one loads no torch and stays as it is."""

from __future__ import annotations

import dataclasses
import itertools
import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import Any

from commongarden.errors import CommonGardenError, RunnerError
from commongarden.i18n.language import _, current, translate, use
from commongarden.records.timings import Memory, Timing
from commongarden.runner import allocator, limits, plan, processes
from commongarden.runner.measuring import preflight
from commongarden.study.arm import Arm
from commongarden.study.recipe import Recipe, override

MEMORY_BATCHES = (1, 2, 4)  # times the arm's own batch size
PROFILED = 2  # steps of each arm in each repeat
N_BATCHES = 4  # of drawn photos, which come again and again


@dataclass(frozen=True)
class Candidate:
    """An arm to be timed: at which size of images (height, width, channels), and by which recipe."""

    arm: Arm
    recipe: Recipe
    input: tuple[int, int, int]


def time_arms(
    candidates: Mapping[str, Candidate],
    n_classes: int,
    *,
    repeats: int = 5,
    rounds: int = 20,
    device: str = "auto",
    memory: bool = False,
    operators: bool = False,
    stretch: float = 2.0,
) -> Timing:
    """Times arms step by step in turn (see `train.timing`), on drawn photos.

    memory: each arm's peak at three batch sizes besides. operators: torch's profiler looks at some steps. Raises
    ArchError and StudyError where a network cannot be made, RunnerError where the process ends, or arms ask for
    different numbers of threads.
    """
    known = {name: _checked(name, one, n_classes, device) for name, one in candidates.items()}
    threads = {one.recipe.threads for one in known.values()}
    if len(threads) > 1:
        message = _("threads: found {threads}, accepted: the same number for all models that are timed together")
        raise RunnerError(message.format(threads=", ".join(map(str, sorted(threads)))))
    profiled = PROFILED if operators else 0
    how = {"repeats": repeats, "rounds": rounds, "threads": threads.pop(), "stretch": stretch, "profiled": profiled}
    timing: Timing = _apart(_timed, known, n_classes, device, how)
    timing = dataclasses.replace(timing, processor=plan.machine().processor)
    if not memory:
        return timing
    arms = tuple(dataclasses.replace(arm, memory=_memory(known[arm.name], n_classes, device)) for arm in timing.arms)
    return dataclasses.replace(timing, arms=arms)


def _memory(one: Candidate, n_classes: int, device: str) -> Memory | None:
    sizes, peaks, base, free = [], [], 0, limits.free_memory()
    for times in MEMORY_BATCHES:
        recipe = dataclasses.replace(one.recipe, batch_size=times * one.recipe.batch_size)
        before, most = _apart(_peak, dataclasses.replace(one, recipe=recipe), n_classes, device)
        sizes.append(recipe.batch_size)
        peaks.append(most - before)
        base = max(base, before)
    return Memory(tuple(sizes), tuple(peaks), base, free)


def _checked(name: str, one: Candidate, n_classes: int, device: str) -> Candidate:
    """The arm measured and checked, with the memory layout that its network works in."""
    if one.input[2] != 3:
        message = _("{arm}: found images with {n} channels, accepted: 3")
        raise RunnerError(message.format(arm=name, n=one.input[2]))
    arm = preflight(one.arm, n_classes, one.input, one.recipe, device)
    layout = arm.origin.layout if arm.origin is not None else ""
    recipe = override(one.recipe, {"layout": layout}) if layout else one.recipe
    return dataclasses.replace(one, arm=arm, recipe=recipe)


def _apart(work: Any, *given: Any) -> Any:
    """What the function gives in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin, (current(),)) as pool:
        try:
            return pool.submit(work, *given).result()
        except BrokenProcessPool:
            message = _(
                "the timing process ended unexpectedly. See its output for the reason, which is often too "
                "little memory. A script must be a file, with its calls under `if __name__ == "
                '"__main__":`, because the process imports it.'
            )
            raise RunnerError(message) from None


def _begin(language: str) -> None:
    use(language)
    allocator.hold()  # as where networks are trained
    processes.print_aside()
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler tells what it starts; read when it is loaded


def _timed(candidates: Mapping[str, Candidate], n_classes: int, device: str, how: Mapping[str, Any]) -> Timing:
    """how: the rest that `timing.measure_arms` is to know."""
    from commongarden.profiling import timing  # they load torch, in this process only
    from commongarden.train import measure
    from commongarden.train.blame import describe_user_error
    from commongarden.train.progress import Diverged

    subjects = [
        timing.Subject(name, one.arm.network(n_classes), one.input, one.recipe, partial(_batches, one, n_classes))
        for name, one in candidates.items()
    ]
    try:
        return timing.measure_arms(subjects, device=measure.pick_device(device), **how)
    except Diverged as error:
        raise RunnerError(_("timing: {reason}; accepted: a smaller learning rate").format(reason=error)) from None
    except CommonGardenError:
        raise
    except Exception as error:
        if all(one.arm.origin is None for one in candidates.values()):
            raise
        raise RunnerError(_("timing: {reason}").format(reason=translate(describe_user_error(error)))) from None


def _peak(one: Candidate, n_classes: int, device: str) -> tuple[int, int]:
    from commongarden.profiling import memory
    from commongarden.train import measure

    batches = _batches(one, n_classes)
    return memory.peak(one.arm.network(n_classes), one.input, one.recipe, batches, measure.pick_device(device))


def _batches(one: Candidate, n_classes: int) -> Iterator[Any]:
    """Batches of drawn photos without end, gathered, shuffled and augmented as those of a run."""
    import numpy as np
    import torch

    from commongarden.data import batches, drawn
    from commongarden.data.random_transforms import Augmenter

    height, width, _channels = one.input
    batch = one.recipe.batch_size
    n = max(2, min(N_BATCHES * batch, 256))
    few = np.stack([drawn.draw(0, index, height, width) for index in range(n)])
    images = np.concatenate([few] * -(-N_BATCHES * batch // n))[: max(n, N_BATCHES * batch)]
    labels = np.arange(len(images), dtype=np.int64) % n_classes
    places = np.arange(len(images))
    for epoch in itertools.count():
        order, augmentation = (torch.Generator().manual_seed(2 * epoch + stream) for stream in (0, 1))
        augmenter = Augmenter(one.recipe.augmentation, n_classes)
        yield from batches.shuffled(images, labels, places, batch, order, augmentation, augmenter)
