"""How many runs of an arm a device takes side by side, and what it then does in a second: measured on a few steps. Only
workers import this module: it loads torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch

from commongarden.runner.pilot_phases import Phase, phases
from commongarden.runner.run_setup import RunBatches, RunSetup
from commongarden.study.recipe import override
from commongarden.train import loop, measure
from commongarden.train.device.lanes import Lane
from commongarden.train.device.memory import is_out_of_memory, release
from commongarden.train.progress import Turn

SECONDS = 0.2  # of steps that are timed, for each number of runs
GAIN = 1.1  # of the rate, without which more runs are not worth their memory
MOST_UNTIMED = 24  # optimizer steps of a run before it is timed: the warm-up, the capture and its trial
ENDLESS = 10**6  # epochs: it is the pilot that ends it
SPARE = 1.3  # times a run's memory must be free for another one
LaneOfRun = Callable[[], "Lane | None"]


@dataclass(frozen=True)
class DeviceRates:
    """n: runs side by side with the highest rate. steps_per_second: of all of them; alone: of one run. eager_seconds:
    of a step that is done operation by operation, by one run. memory_bytes: of one run, on the device; 0 where that is
    not known."""

    n: int
    steps_per_second: float
    alone: float
    eager_seconds: float
    memory_bytes: int


class _TimedRun:
    """A run that is trained for its pilot alone."""

    def __init__(self, setup: RunSetup, photos: RunBatches, device: torch.device, lane: Lane, phase: Phase) -> None:
        plan, self.lane = setup.plan, lane

        def no_validation() -> Iterable[loop.Batch]:
            return photos.part(setup.prepared.train[:1], 1)

        with lane.in_place():
            self.state = setup.train_state(device, phase.lasting(ENDLESS), lane)
        phase.begin(self.state)
        self.news: Iterator[object] = iter(
            loop.train(self.state, photos.train, no_validation, setup.steps_per_epoch, plan.study_seed, plan.order_seed)
        )
        self.is_over = False

    @property
    def n_done(self) -> int:
        """Steps that were fed."""
        return 0 if self.state.on_device is None else self.state.on_device.n_done

    def advance(self) -> bool:
        """One turn; whether the device was fed."""
        with self.lane.in_place():
            one = next(self.news, None)
        self.is_over |= one is None
        return one is not Turn.WAITING

    def warm_up(self) -> float:
        """Up to where steps are done as they will be. Returns the seconds of a step operation by operation."""
        start = time.perf_counter()
        while not self.is_over and self.n_done < MOST_UNTIMED * self.state.recipe.grad_accum_steps:
            self.advance()
            on_device = self.state.on_device
            if on_device is not None and on_device.is_replaying:
                break
        with self.lane.in_place():
            self.lane.wait()
        return (time.perf_counter() - start) / max(self.n_done, 1)


def device_rates(
    setup: RunSetup, photos: RunBatches, device: torch.device, lanes: LaneOfRun, most: int, phase: Phase
) -> DeviceRates | None:
    """The rates of 1, 2, 4, ... runs side by side in a phase, up to `most`, as long as more runs do more; None without
    lanes."""
    runs: list[_TimedRun] = []
    best, alone, eager, memory, n = (0, 0.0), 0.0, 0.0, 0, 1
    while n <= most:
        try:
            while len(runs) < n:
                if memory and SPARE * memory > _free(device):
                    break
                before, lane = _held(device), lanes()
                if lane is None:
                    return None
                runs.append(_TimedRun(setup, photos, device, lane, phase))
                took = runs[-1].warm_up()
                eager, memory = eager or took, max(memory, _held(device) - before)
            if len(runs) < n:
                break
            rate = _rate(runs)
        except Exception as error:
            if not is_out_of_memory(error) or not best[0]:
                raise
            release(error)
            break
        if best[0] and rate < GAIN * best[1]:
            break
        best, alone = (n, rate), alone or rate
        if any(run.is_over for run in runs) or not runs[0].lane.can_capture:
            break  # operation by operation, the host is what limits them
        n *= 2
    runs.clear()
    release()
    return DeviceRates(best[0], best[1], alone, eager, memory)


def rate_alone(
    setup: RunSetup, photos: RunBatches, device: torch.device, lanes: LaneOfRun, phase: Phase
) -> float | None:
    """Steps a second of one run in a phase; None without lanes."""
    if (lane := lanes()) is None:
        return None
    run = _TimedRun(setup, photos, device, lane, phase)
    run.warm_up()
    rate = _rate([run])
    del run
    release()
    return rate


def phase_rate(
    rates: DeviceRates, setup: RunSetup, photos: RunBatches, device: torch.device, lanes: LaneOfRun, phase: Phase
) -> float:
    """Steps a second of all runs in a phase. The rates are of the phase that is timed first; as many runs side by side
    gain as much in each."""
    if phase == phases(setup.record.recipe)[0]:
        return rates.steps_per_second
    alone = rate_alone(setup, photos, device, lanes, phase)
    return rates.steps_per_second * (1.0 if alone is None else alone / rates.alone)


def precision_rates(
    setup: RunSetup, photos: RunBatches, device: torch.device, lanes: LaneOfRun, precisions: Sequence[str]
) -> dict[str, float]:
    """Steps a second of one run of this arm in other precisions, where it can be trained in them."""
    recipe, found = setup.record.recipe, {}
    try:
        for precision in precisions:
            measure.settle(recipe.threads, precision)
            with suppress(Exception):  # what cannot be measured is not recommended
                phase = phases(override(recipe, {"precision": precision}))[0]
                if (rate := rate_alone(setup, photos, device, lanes, phase)) is not None:
                    found[precision] = rate
            release()
    finally:
        measure.settle(recipe.threads, recipe.precision)
    return found


def _rate(runs: list[_TimedRun]) -> float:
    """Steps a second of these runs together."""
    done, start = sum(run.n_done for run in runs), time.perf_counter()
    while time.perf_counter() - start < SECONDS and not all(run.is_over for run in runs):
        fed = [run.advance() for run in runs if not run.is_over]
        if not any(fed):
            time.sleep(0.0002)
    for run in runs:
        with run.lane.in_place():
            run.lane.wait()
    return max(sum(run.n_done for run in runs) - done, 1) / (time.perf_counter() - start)


def _held(device: torch.device) -> int:
    return torch.cuda.memory_reserved(device) if device.type == "cuda" else 0


def _free(device: torch.device) -> int:
    free, _all = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
