"""What the intervals over several data sets cover, and how often the model is best that is said to be: a simulation.

Data sets differ in the true difference of two models (normal, standard deviation tau); each study's error is estimated
with 4 degrees of freedom, as from five seeds. Chances are those of four models; true differences between two of them
are normal, too. Random numbers are the same each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from commongarden.stats.data_sets.best_on_new import chances
from commongarden.stats.data_sets.random_effects import random_effects
from simulations.tables import table

N_MODELS, DF = 4, 4


def intervals(n_data_sets: int, tau: float, n: int, generator: np.random.Generator) -> tuple[float, float]:
    """How often the 95 % intervals of the mean and of a new data set cover what they are about."""
    mean = new = 0
    for _ in range(n):
        error = generator.uniform(0.005, 0.02, n_data_sets)
        values = generator.normal(0, tau, n_data_sets) + generator.normal(0, error)
        found = random_effects(values, error * np.sqrt(generator.chisquare(DF, n_data_sets) / DF))
        interval, another = found.mean.interval(), generator.normal(0, tau)
        mean += interval.low <= 0 <= interval.high
        new += found.prediction.low <= another <= found.prediction.high
    return mean / n, new / n


def best(n_data_sets: int, tau: float, usual: float, n: int, generator: np.random.Generator) -> tuple[float, float]:
    """Of the model that most probably is the best on a new data set: the mean probability, and how often it is."""
    said, right = [], []
    for _ in range(n):
        models = generator.normal(0, usual / np.sqrt(2), N_MODELS)
        error = generator.uniform(0.005, 0.015, (n_data_sets, 1)) / np.sqrt(2)
        shape = (n_data_sets, N_MODELS)
        figures = models + generator.normal(0, tau / np.sqrt(2), shape) + error * generator.normal(0, 1, shape)
        new, _average = chances(figures + generator.normal(0, 0.1, (n_data_sets, 1)), error)
        said.append(new.max())
        right.append((models + generator.normal(0, tau / np.sqrt(2), N_MODELS)).argmax() == new.argmax())
    return float(np.mean(said)), float(np.mean(right))


def data_sets_table(n: int, photos: Sequence[int], seeds: Sequence[int], m: Sequence[int]) -> Iterator[str]:
    """Intervals over data sets, and the best on a new one. photos, seeds, m: unused."""
    generator, n = np.random.default_rng(1), max(n // 4, 50)

    def coverage() -> Iterator[Sequence[str]]:
        for k in (3, 4, 6, 10):
            for tau in (0.0, 0.01, 0.03, 0.06):
                yield str(k), f"{100 * tau:.0f}", *(f"{100 * one:.1f}" for one in intervals(k, tau, n, generator))

    header = ("data sets", "points between them", "their mean", "a new data set")
    yield from table("Several data sets: 95 % intervals that hold the truth, in %", header, coverage())

    def named() -> Iterator[Sequence[str]]:
        for k in (3, 4, 6, 10):
            for tau in (0.01, 0.03):
                for usual in (0.01, 0.03):
                    found = best(k, tau, usual, n, generator)
                    yield str(k), f"{100 * tau:.0f}", f"{100 * usual:.0f}", *(f"{100 * one:.0f}" for one in found)

    header = ("data sets", "points between them", "points between models", "said, on average", "came true")
    yield from table("Several data sets: probability to be the best on a new one, in %", header, named())
