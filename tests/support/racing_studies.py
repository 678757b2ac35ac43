"""Simulated studies that are raced by the product's own rule: right or wrong for every photo, seed and arm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from commongarden.stats import racing
from commongarden.stats.crossed import MeanSquares

N_PHOTOS, MOST, N_ARMS = 650, 20, 5
PLANNED = 0.035  # the gap for which 20 seeds of every arm have a power of nine in ten
ACCURACY = 0.60
PHOTO_SD, OWN_SD, SEED_SD = 1.8, 0.5, 0.108  # of photos, of photos for one arm, of seeds, on the probit scale


@dataclass(frozen=True)
class Row:
    """gap: of all arms to the first, in planned gaps. Shares over studies; power: of single contrasts; runs: shares of
    the fixed design's."""

    gap: str | int
    family_error: float
    fixed_family_error: float
    power: float
    fixed_power: float
    runs: float
    most_runs: float


GAPS: dict[str | int, list[int]] = {0: [0] * 4, 1: [1] * 4, 2: [2] * 4, 4: [4] * 4, "0, 1, 2, 4": [0, 1, 2, 4]}


def simulate(n_studies: int, seed: int, most: int = MOST, only: tuple = tuple(GAPS)) -> list[Row]:
    """One row for every gap. All arms but the first lie above it by the gap; the last row has one arm at each."""
    generator = np.random.default_rng(seed)
    return [_row(name, np.array(GAPS[name]) * PLANNED, n_studies, generator, racing.RacePlan(most)) for name in only]


def _row(name, gaps, n_studies, generator, plan) -> Row:
    wrong = fixed_wrong = 0
    hits, fixed_hits, n_runs = [], [], []
    for _ in range(n_studies):
        squares = study(generator, gaps, plan.most)
        decisions: list[racing.Decision] = ["open"] * len(gaps)
        stopped = np.full(len(gaps), plan.most)
        for k, n_seeds in enumerate(plan.looks):
            open_now = [i for i, decision in enumerate(decisions) if decision == "open"]
            racing.decide({i: racing.of_mean_squares(squares[n_seeds][i]) for i in open_now}, decisions, k, plan)
            for i in open_now:
                if decisions[i] != "open":
                    stopped[i] = n_seeds
            if "open" not in decisions:
                break
        fixed: list[racing.Decision] = ["open"] * len(gaps)
        last = {i: racing.of_mean_squares(square) for i, square in enumerate(squares[plan.most])}
        racing.decide(last, fixed, 0, FixedPlan(plan.most))
        wrong += any(map(is_wrong, decisions, gaps))
        fixed_wrong += any(map(is_wrong, fixed, gaps))
        hits += [decision == "better" for decision, gap in zip(decisions, gaps, strict=True) if gap]
        fixed_hits += [decision == "better" for decision, gap in zip(fixed, gaps, strict=True) if gap]
        n_runs.append((stopped.sum() + stopped.max()) / (N_ARMS * plan.most))  # the first arm runs as long as any other
    return Row(
        name, wrong / n_studies, fixed_wrong / n_studies, float(np.mean(hits or [np.nan])) if hits else 0.0,
        float(np.mean(fixed_hits)) if fixed_hits else 0.0, float(np.mean(n_runs)), float(np.max(n_runs)),
    )  # fmt: skip


class FixedPlan(racing.RacePlan):
    """All seeds for all arms, and Holm's rule once at the end."""

    @property
    def looks(self) -> tuple[int, ...]:
        return (self.most,)


def is_wrong(decision, gap) -> bool:
    """A claim that is not true; margin: the plan's."""
    return (
        decision == "worse"
        or (decision == "better" and gap == 0)
        or (decision == "equivalent" and gap >= racing.RacePlan(MOST).margin)
    )


def study(generator, gaps, most) -> dict[int, list[MeanSquares]]:
    """For each number of seeds the mean squares of every arm's differences to the first.

    An answer is right where the arm's level, the photo's ease (for all arms, and for this one), the seed's luck and the
    rest, all normal, come out above 0: a probit model with seeds crossed with photos.
    """
    whole = np.sqrt(1 + PHOTO_SD**2 + OWN_SD**2 + SEED_SD**2)
    level = norm.ppf(ACCURACY + np.array([0.0, *gaps])) * whole
    ease = PHOTO_SD * generator.standard_normal(N_PHOTOS, np.float32)
    own = OWN_SD * generator.standard_normal((N_ARMS, N_PHOTOS), np.float32)
    luck = SEED_SD * generator.standard_normal((N_ARMS, most), np.float32)
    fixed = level.astype(np.float32)[:, None] + ease + own
    rest = generator.standard_normal((N_ARMS, most, N_PHOTOS), np.float32)
    right = (fixed[:, None, :] + luck[:, :, None] + rest > 0).astype(np.int8)
    return cumulative(right[1:] - right[:1])


def cumulative(tables: np.ndarray) -> dict[int, list[MeanSquares]]:
    """The mean squares over the first 2, 3, ... seeds of tables (contrasts, seeds, photos), from running sums."""
    n_contrasts, n_seeds, n_photos = tables.shape
    n = np.arange(1, n_seeds + 1)
    by_seed = tables.mean(axis=2, dtype=np.float64)
    mean = by_seed.cumsum(axis=1) / n
    over_seeds = tables.cumsum(axis=1, dtype=np.int16).astype(np.float64)
    all_squares = np.abs(tables).sum(axis=2, dtype=np.int64).cumsum(axis=1)  # entries are -1, 0, 1
    between_seeds = n_photos * ((by_seed**2).cumsum(axis=1) - n * mean**2)
    between_photos = (over_seeds**2).sum(axis=2) / n - n * n_photos * mean**2
    rest = np.maximum(all_squares - n * n_photos * mean**2 - between_seeds - between_photos, 0.0)
    return {
        k: [
            MeanSquares(
                mean[i, k - 1], max(between_seeds[i, k - 1], 0.0) / (k - 1), between_photos[i, k - 1] / (n_photos - 1),
                rest[i, k - 1] / ((k - 1) * (n_photos - 1)), k, n_photos,
            )
            for i in range(n_contrasts)
        ]
        for k in range(2, n_seeds + 1)
    }  # fmt: skip


def table(rows, n_studies) -> str:
    """As Markdown."""
    lines = [
        f"| gap, in planned gaps of {100 * PLANNED:.1f} points | studies with a false claim, raced | fixed "
        "| power of a comparison, raced | fixed | runs, relative to the fixed design |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        power = (f"{row.power:.1%}", f"{row.fixed_power:.1%}") if row.gap != 0 else ("", "")
        lines.append(
            f"| {row.gap} | {row.family_error:.1%} | {row.fixed_family_error:.1%} | {power[0]} | {power[1]} "
            f"| {row.runs:.0%} |"
        )
    error = np.sqrt(0.05 * 0.95 / n_studies)
    lines += [
        "",
        f"{n_studies:,} studies per row; the margin of error of a rate of 5 % is {100 * 1.96 * error:.1f} points.",
    ]
    return "\n".join(lines)
