"""Energy where the machine tells it: Intel's and AMD's counters (RAPL) on Linux, NVIDIA's (NVML)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from commongarden.i18n.language import N_

POWERCAP = Path("/sys/class/powercap")
MICRO, MILLI = 1e-6, 1e-3
NO_COUNTER = N_("no energy: this machine has no energy counter (RAPL under /sys/class/powercap)")
NOT_READABLE = N_("no energy: the counter under /sys/class/powercap is readable by the administrator only")
NO_NVML = N_("no energy: the GPU's counter needs the package nvidia-ml-py")
NOT_TOLD = N_("no energy: this kind of device does not report it")
BY_RAPL = N_("energy of the processor package by RAPL, including other work during the measurement")
BY_NVML = N_("energy of the GPU by NVML, including other work during the measurement")

Counter = Callable[[], float]  # joules since some time


@dataclass(frozen=True)
class Source:
    """Where joules come from; counter is None where there are none, and told says why."""

    counter: Counter | None
    told: str


def source(device: torch.device) -> Source:
    """The counter of the device that works."""
    if device.type == "cuda":
        return _nvml(device)
    return rapl() if device.type == "cpu" else Source(None, NOT_TOLD)


def rapl(folder: Path = POWERCAP) -> Source:
    """The packages' counters together, each put right where it begins again from 0."""
    zones = sorted(path for path in folder.glob("intel-rapl:*") if path.name.count(":") == 1)
    if not zones:
        return Source(None, NO_COUNTER)
    try:
        turns = [_Turning(zone) for zone in zones]
    except (OSError, ValueError):
        return Source(None, NOT_READABLE)
    return Source(lambda: sum(turn.joules() for turn in turns), BY_RAPL)


class _Turning:
    """A counter that begins again from 0 behind its greatest value."""

    def __init__(self, zone: Path) -> None:
        self.file = zone / "energy_uj"
        self.turn = int((zone / "max_energy_range_uj").read_text())
        self.last = int(self.file.read_text())
        self.total = 0

    def joules(self) -> float:
        now = int(self.file.read_text())
        self.total += now - self.last if now >= self.last else now + self.turn - self.last
        self.last = now
        return self.total * MICRO


def _nvml(device: torch.device) -> Source:
    try:
        import pynvml  # type: ignore[import-not-found]

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(device.index or 0)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:  # it raises kinds of its own, which are not there where it is not
        return Source(None, NO_NVML)
    return Source(lambda: MILLI * pynvml.nvmlDeviceGetTotalEnergyConsumption(handle), BY_NVML)


def per_step(counter: Counter, step: Callable[[], object], seconds: float) -> float:
    """Joules of one step, over as many as fit into the seconds."""
    n, begun, before = 0, time.perf_counter(), counter()
    while time.perf_counter() - begun < seconds:
        step()
        n += 1
    return (counter() - before) / n
