"""What torch's own profiler sees of a step: the time of each operator, without the operators that it calls."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence

from torch.autograd.profiler import profile


def profiled(step: Callable[[], object]) -> dict[str, float]:
    """Milliseconds of one step by operator ("aten::convolution_backward"...), each without those inside it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with profile(use_cpu=True) as found:
            step()
        return {row.key: row.self_cpu_time_total / 1000 for row in found.key_averages() if row.self_cpu_time_total > 0}


def table(steps: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
    """By operator its time in each step, 0 where it was not called; the largest first."""
    names = {name for step in steps for name in step}
    rows = {name: tuple(round(step.get(name, 0.0), 5) for step in steps) for name in names}
    return dict(sorted(rows.items(), key=lambda row: (-sum(row[1]), row[0])))
