"""What a study will take before it is begun: minutes, memory, disk, from pilots or from runs that are there."""

from __future__ import annotations

import heapq
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from commongarden import store as store_files
from commongarden.errors import StoreError
from commongarden.i18n.language import _, ngettext
from commongarden.runner.events import Job, Pilot, Piloted
from commongarden.stats import sequential
from commongarden.store import Store

ASK_ABOVE = 600.0  # seconds
CHECKPOINTS = 8  # in sizes of a run's weights: two checkpoints of four


@dataclass(frozen=True)
class Forecast:
    """What the runs of a study will take.

    seconds: of wall-clock time, from the first run to the last.
    memory_bytes: of the largest worker; None if no arm was timed or trained before.
    stops_early: whether runs may end before their last epoch, so that the time is the most that they take.
    took: the seconds that it took, once it is over.
    """

    n_runs: int
    n_arms: int
    n_seeds: int
    n_workers: int
    seconds: float
    memory_bytes: int | None
    disk_bytes: int
    at_most: bool = False
    took: float | None = None
    stops_early: bool = False


def measured(store: Store) -> dict[str, Piloted]:
    """What finished runs of each arm took."""
    found: dict[str, list[Piloted]] = {}
    for run in store.runs():
        if run.status == "finished":
            directory = store.directory(run.arm, run.seed)
            disk = sum(path.stat().st_size for path in directory.iterdir())
            one = Piloted(run.arm, run_seconds(store, run.arm, run.seed), run.peak_memory_bytes or 0, disk)
            found.setdefault(run.arm, []).append(one)
    return {
        arm: Piloted(
            arm,
            sum(one.seconds or 0.0 for one in runs) / len(runs),
            max(one.memory_bytes for one in runs),
            sum(one.disk_bytes for one in runs) // len(runs),
        )
        for arm, runs in found.items()
    }


def run_seconds(store: Store, arm: str, seed: int) -> float:
    """What a run in the store took: its epochs and its test."""
    return sum(epoch.seconds for epoch in store.history(arm, seed)) + (store.run(arm, seed).seconds_test or 0.0)


def pilots(jobs: Sequence[Job], known: Mapping[str, Piloted]) -> list[Pilot]:
    """One for each arm of which nothing is known."""
    return [Pilot(arm) for arm in dict.fromkeys(job.arm for job in jobs) if arm not in known]


def forecast(
    jobs: Sequence[Job],
    known: Mapping[str, Piloted],
    n_workers: int,
    *,
    at_most: bool = False,
    stops_early: bool = False,
) -> Forecast | None:
    """For these runs in their order, each begun by the next worker that is free; None where an arm is not known."""
    if not jobs or any(job.arm not in known or known[job.arm].seconds is None for job in jobs):
        return None
    free = [0.0] * max(n_workers, 1)
    for job in jobs:
        heapq.heappush(free, heapq.heappop(free) + (known[job.arm].seconds or 0.0))
    arms = {job.arm for job in jobs}
    return Forecast(
        n_runs=len(jobs),
        n_arms=len(arms),
        n_seeds=len({job.seed for job in jobs}),
        n_workers=n_workers,
        seconds=max(free),
        memory_bytes=max(known[arm].memory_bytes for arm in arms) or None,
        disk_bytes=sum(known[job.arm].disk_bytes for job in jobs),
        at_most=at_most,
        stops_early=stops_early,
    )


def within(left: float, jobs: Sequence[Job], known: Mapping[str, Piloted] | None) -> list[Job]:
    """The first of the jobs, until nothing is left: of seconds, by what is known of each arm, or of jobs where `known`
    is None."""
    fitting = []
    for job in jobs:
        one = known.get(job.arm) if known is not None else None
        left -= 1.0 if known is None else (one.seconds if one is not None else None) or 0.0
        if left < 0:
            break
        fitting.append(job)
    return fitting


def check_space(store: Store, plan: Forecast) -> None:
    """Refuses a study that its disk has no room for: the runs, and for each that is under way two checkpoints (weights,
    two moments, the best weights). Raises StoreError."""
    # of a race only the first round is sure to be made
    n_runs = min(plan.n_runs, sequential.FIRST * plan.n_arms) if plan.at_most else plan.n_runs
    needed = int((n_runs + CHECKPOINTS * plan.n_workers) * plan.disk_bytes / plan.n_runs)
    free = shutil.disk_usage(store.root).free
    if free < needed:
        text = _(
            "{root}: not enough disk space: {n} runs and their checkpoints need {needed:,.0f} MB, "
            "{free:,.0f} MB are free. Free some space and repeat the command, or choose another folder "
            "with --out."
        )
        raise StoreError(text.format(root=store.root, needed=needed / 1e6, n=n_runs, free=free / 1e6))


def said(plan: Forecast) -> str:
    """The plan in one line."""
    runs = ngettext("{n} run", "{n} runs", plan.n_runs).format(n=plan.n_runs)
    arms = ngettext("{n} arm", "{n} arms", plan.n_arms).format(n=plan.n_arms)
    seeds = ngettext("{n} seed", "{n} seeds", plan.n_seeds).format(n=plan.n_seeds)
    memory = (
        _("memory unknown")
        if plan.memory_bytes is None
        else _("{megabytes:,.0f} MB of memory per worker").format(megabytes=plan.memory_bytes / 1e6)
    )
    text = (
        _(
            "plan: at most {runs} ({arms}, up to {seeds}), {workers} at a time; at most {time}, {memory}, "
            "{disk:,.1f} MB on disk"
        )
        if plan.at_most
        else _("plan: {runs} ({arms}, {seeds}), {workers} at a time; about {time}, {memory}, {disk:,.1f} MB on disk")
    )
    line = text.format(
        runs=runs, arms=arms, seeds=seeds, workers=plan.n_workers, time=clock(plan.seconds), memory=memory,
        disk=plan.disk_bytes / 1e6,
    )  # fmt: skip
    return _("{plan}; early stopping may end runs sooner").format(plan=line) if plan.stops_early else line


def outcome(plan: Forecast) -> str:
    """What it took beside what was forecast."""
    assert plan.took is not None
    text = (
        _("estimated at most {time}, took {took}")
        if plan.at_most or plan.stops_early
        else _("estimated {time}, took {took}")
    )
    return text.format(time=clock(plan.seconds), took=clock(plan.took))


def clock(seconds: float) -> str:
    """Seconds below two minutes, minutes below two hours, then hours."""
    if seconds < 120:
        return _("{n:.0f} s").format(n=seconds)
    return _("{n:.0f} min").format(n=seconds / 60) if seconds < 7200 else _("{n:.1f} h").format(n=seconds / 3600)


def write(store: Store, plan: Forecast) -> None:
    """Keeps the forecast, and what it took, as forecast.json."""
    store_files.keep(store.root, "forecast.json", json.dumps(asdict(plan), indent=1).encode())
