"""From timed trainings to rates and ratios: medians over rounds, each ratio of two trainings of one round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from commongarden.records import Estimate
from commongarden.records.benchmark import OURS, Bench, Trained
from commongarden.stats.medians import median_interval

FEWEST_ROUNDS = 6  # for an interval of 95 %: all values on one side of the median has the probability 2 / 2**n
PASSES = 3  # a training step works through as many multiply-adds as three forward passes


def rate(bench: Bench, case: int, way: str, *, busy: bool = False, runs: int | None = None) -> Estimate | None:
    """Images a second; None where that was not measured."""
    return _median([one.rate for one in bench.of(case, way, busy=busy, runs=runs)])


def ratio(bench: Bench, case: int, way: str, *, busy: bool = False) -> Estimate | None:
    """How many times as quick as `way` ours is."""
    return _paired(bench.of(case, OURS, busy=busy), bench.of(case, way, busy=busy))


def when_busy(bench: Bench, case: int, way: str) -> Estimate | None:
    """Share of its throughput that a way keeps beside a busy process."""
    return _paired(bench.of(case, way, busy=True), bench.of(case, way))


def share_of_limit(bench: Bench, case: int, way: str) -> float | None:
    """Of what the network's multiply-adds take at the rate of a matrix product on all cores."""
    found = rate(bench, case, way)
    if found is None or not bench.matmul:
        return None
    return found.value * PASSES * bench.cases[case].macs / (1e9 * statistics.median(bench.matmul))


def startup(bench: Bench, case: int, way: str) -> tuple[float, float | None] | None:
    """Seconds to the end of the first step: in the first round, and the median of the later ones."""
    found = [one.startup for one in bench.of(case, way)]
    if not found:
        return None
    return found[0], statistics.median(found[1:]) if len(found) > 1 else None


def joules(bench: Bench, case: int, way: str) -> float | None:
    """Of one image that is trained on, with its share of validation."""
    found = [one.joules / one.images for one in bench.of(case, way) if one.joules is not None]
    return statistics.median(found) if found else None


def peak_bytes(bench: Bench, case: int, way: str) -> int | None:
    """The most that the device's allocator held in any training."""
    return max((one.peak_bytes for one in bench.of(case, way) if one.peak_bytes is not None), default=None)


def validation_share(bench: Bench, case: int, way: str) -> float | None:
    """Of one run's training and validation together, what validation takes."""
    shares = []
    for one in bench.of(case, way):
        training = one.seconds * one.workers / one.runs  # of one run: its workers share the machine
        shares.append(one.validation / (one.validation + training))
    return statistics.median(shares) if shares else None


def idle(bench: Bench, case: int | None = None) -> float | None:
    """Share of the workers' time in which one did not train, of the studies of one case or of all."""
    found = [one.idle for one in bench.trained if one.idle is not None and case in (None, one.case)]
    return statistics.median(found) if found else None


def _paired(above: Sequence[Trained], below: Sequence[Trained]) -> Estimate | None:
    """Round by round; several trainings of a round (studies of more runs) are not among these."""
    rates = {one.number: one.rate for one in below}
    return _median([one.rate / rates[one.number] for one in above if one.number in rates])


def _median(values: Sequence[float]) -> Estimate | None:
    return median_interval(values) if values else None
