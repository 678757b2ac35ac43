"""Simulated studies: for every arm, seed and photo whether it is classified correctly.

A photo is classified correctly where the arm's level, the photo's ease (for all arms, and for this one), the seed's
luck (for all arms, and for this one) and the rest, all normal, come out above 0. Runs that fail to learn answer by
chance.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

AT_ONCE = 2e7  # answers that are drawn at a time
CHANCE, FAILED = 0.2, 0.3  # of five classes; below the latter a run has not learned


@dataclass(frozen=True)
class World:
    """Standard deviations on the probit scale. photo: of photos; own: of photos for one arm; seed: of an arm's seeds,
    reference_seed: of the first arm's, where it differs; shared: of seeds for all arms. fails: the share of runs that
    do not learn; first_only: in the first arm alone."""

    name: str
    accuracy: float = 0.60
    photo: float = 1.8
    own: float = 0.5
    seed: float = 0.108
    reference_seed: float | None = None
    shared: float = 0.0
    fails: float = 0.0
    first_only: bool = False


TYPICAL = World("typical")
WORLDS = (
    TYPICAL,
    World("almost no seed noise", seed=0.02),
    World("unequal spread at 98 %", 0.98, seed=0.05, reference_seed=0.3),
    World("seeds matter to all", shared=0.2),
)
FAILING = (
    World("all fail one time in ten", fails=0.1),
    World("the first fails one time in four, equal when they learn", fails=0.25, first_only=True),
)


def draw(generator: np.random.Generator, world: World, gaps: np.ndarray, n: int, seeds: int, photos: int) -> np.ndarray:
    """n studies (studies, arms, seeds, photos), True where right. gaps: of each arm's mean to the first's."""
    arms = len(gaps)
    sd = np.full(arms, world.seed)
    if world.reference_seed is not None:
        sd[0] = world.reference_seed
    wide = np.sqrt(1 + world.photo**2 + world.own**2 + sd**2 + world.shared**2)
    reached = world.accuracy + gaps

    def normal(scale: Any, *shape: int) -> np.ndarray:
        return np.asarray(np.float32(scale) * generator.standard_normal(shape, np.float32))

    value = (norm.ppf(reached) * wide).astype(np.float32)[:, None, None]
    value = value + normal(world.photo, n, 1, 1, photos) + normal(world.own, n, arms, 1, photos)
    luck = normal(world.shared, n, 1, seeds, 1) + normal(1.0, n, arms, seeds, 1) * sd[:, None, None].astype(np.float32)
    right = value + luck + normal(1.0, n, arms, seeds, photos) > 0
    if world.fails:
        failed = generator.random((n, arms, seeds, 1)) < world.fails
        if world.first_only:
            failed[:, 1:] = False
        right = np.where(failed, generator.random((n, 1, 1, photos)) < CHANCE, right)
    return right


def batches(
    name: str, world: World, gaps: np.ndarray, n: int, seeds: int, photos: int, fold: Callable[[np.ndarray], Any]
) -> list[Any]:
    """What `fold` makes of n studies, drawn some at a time. The seed comes from the cell's name."""
    generator = np.random.default_rng(zlib.crc32(f"{name}, {world.name}, {len(gaps)}, {seeds}, {photos}".encode()))
    at_once = max(1, min(n, int(AT_ONCE / (len(gaps) * seeds * photos))))
    sizes = [min(at_once, n - start) for start in range(0, n, at_once)]
    return [fold(draw(generator, world, gaps, size, seeds, photos)) for size in sizes]


def studies_for(arms: int, seeds: int, photos: int, n: int) -> int:
    """Fewer of large studies, so that a cell takes some 20 s at most."""
    return max(200, min(n, int(4e8 / (arms * seeds * photos))))
