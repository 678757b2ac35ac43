"""Machines of a cluster that train the same model at different speeds: their times cannot be compared."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from commongarden.records import Epoch, Run

LEAST_FACTOR = 1.25  # between machines; runs on one machine differ by less as a rule


@dataclass(frozen=True)
class Slower:
    """Of the runs of an arm, those on `host` took `factor` times the seconds of training of those on `than`."""

    arm: str
    host: str
    than: str
    factor: float


def slower(runs: Sequence[Run], history: Callable[[str, int], Sequence[Epoch]]) -> Slower | None:
    """The largest difference in speed between two machines on the same model; None below LEAST_FACTOR, or where no
    model was trained on two machines."""
    speeds: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        epochs = history(run.arm, run.seed) if run.machine.host and run.status == "finished" else ()
        if seconds := sum(epoch.seconds_train for epoch in epochs):
            speeds[run.arm][run.machine.host].append(len(epochs) / seconds)
    found = []
    for arm, by_host in speeds.items():
        medians = {host: statistics.median(values) for host, values in by_host.items()}
        low, high = min(medians, key=medians.__getitem__), max(medians, key=medians.__getitem__)
        found.append(Slower(arm, low, high, medians[high] / medians[low]))
    most = max(found, key=lambda one: one.factor, default=None)
    return most if most is not None and most.factor >= LEAST_FACTOR else None
