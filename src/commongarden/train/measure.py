"""Devices, memory and latency of the process that trains; the cost of networks that only their own code can tell."""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import statistics
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import torch
from torch import nn

from commongarden.arch import External
from commongarden.errors import ArchError, RunnerError
from commongarden.i18n.language import _
from commongarden.study import origin
from commongarden.study.arm import Arm
from commongarden.study.origin import Origin
from commongarden.train import counting, external, hub_model, preprocessing, weights


def pick_device(wanted: str = "auto") -> torch.device:
    """CUDA, then MPS, then the CPU; or the one asked for. Raises RunnerError where it is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    available = [name for name, is_there in there.items() if is_there]
    if wanted == "auto":
        return torch.device(available[0])
    kind, _colon, number = wanted.partition(":")
    n_devices = torch.cuda.device_count() if kind == "cuda" else 1
    if kind not in available or (number and not (number.isdecimal() and int(number) < n_devices)):
        numbered = [f"{name}:{i}" for name in available if name == "cuda" for i in range(torch.cuda.device_count())]
        accepted = ", ".join(["auto", *available, *numbered])
        message = _("device: found {wanted!r}, accepted on this machine: {accepted}").format(
            wanted=wanted, accepted=accepted
        )
        raise RunnerError(f"{message}. {_no_cuda()}" if kind == "cuda" and not there["cuda"] else message)
    return torch.device(wanted)


def _no_cuda() -> str:
    """Why there is no CUDA device."""
    if torch.version.cuda is None:
        return _("This PyTorch is built without CUDA; https://pytorch.org has the command that installs one with it.")
    return _(
        "PyTorch is built for CUDA {version} but finds no device: check the driver with nvidia-smi, and "
        "CUDA_VISIBLE_DEVICES."
    ).format(version=torch.version.cuda)


def device_name(device: str) -> str:
    """The name of a GPU, as its maker gives it; that of any other device as it is."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def n_cuda_devices() -> int:
    """How many CUDA devices are visible to this process."""
    return torch.cuda.device_count()


def settle(threads: int, precision: str = "float32") -> None:
    """Makes this process's numbers repeat: fixed threads, no algorithm chosen by timing, tiny numbers taken as 0, and
    CUDA's short multiplication (tf32, which torch has on for convolutions by itself) only where a recipe names it.

    Adam's first moments of a dead unit fall below the smallest normal number within an epoch or two, where the
    processor is many times slower.
    """
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"


def inference_ms(classifier: nn.Module, input: tuple[int, int, int], device: torch.device, repeats: int = 30) -> float:
    """Median milliseconds for one photo, evaluation mode, after warm-up."""
    height, width, channels = input
    photo = torch.zeros(1, channels, height, width, dtype=torch.uint8, device=device)
    times = []
    classifier.eval()
    with torch.inference_mode():
        for i in range(repeats + 5):
            start = time.perf_counter()
            classifier(photo).cpu()
            if i >= 5:
                times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def network_by_others(arm: Arm, n_classes: int, input: tuple[int, int, int]) -> Origin:
    """What a study keeps of somebody else's network: its cost at this input, its normalization, hashes of its files.

    Makes it, works it once in evaluation and once in training, and where given weights are asked for puts them in, so
    that every mistake in it is told here. Raises ArchError.
    """
    assert arm.origin is not None, "only networks by others are measured"
    torch.set_num_threads(1)
    wants = "asked for" if arm.wants_weights else ""
    arm = hub_model.pinned(arm)
    assert arm.origin is not None
    node = External(
        arm.arch, arm.external_options(arm.origin.config), n_classes, input, 0, 0, 0, arm.origin.code, wants
    )
    network = external.make(node)
    n_params = sum(parameter.numel() for parameter in network.parameters())
    macs, activation_bytes, unknown = counting.cost(network, input)
    given = weights.load(network, arm) if arm.wants_weights else weights.NONE
    settings = getattr(network.inner, "pretrained_cfg", None) if origin.is_of_library(arm.arch) else None
    own = preprocessing.documented(arm.arch, settings if isinstance(settings, Mapping) else None, arm.origin.config)
    if sum(parameter.numel() for parameter in network.parameters()) != n_params:
        message = _(
            "{source}: it creates layers in forward(), after the optimizer has been given the "
            "parameters; accepted: layers created in __init__, or lazy layers such as nn.LazyLinear"
        )
        raise ArchError(message.format(source=arm.arch))
    cost = n_params, macs, activation_bytes
    return Origin(
        arm.origin.code,
        given.digest,
        n_classes,
        input,
        *cost,
        **dataclasses.asdict(own),
        revision=given.revision or arm.origin.revision,
        config=arm.origin.config,
        unknown=unknown,
    )


def n_params(arm: Arm, n_classes: int) -> int:
    """The parameters of somebody else's network, which is made without weights: a library's without memory for them.
    Raises ArchError."""
    arm = hub_model.pinned(arm)
    assert arm.origin is not None, "the others are counted by arch.cost"
    options = arm.external_options(arm.origin.config)
    node = External(arm.arch, options, n_classes, (224, 224, 3), 0, 0, 0, arm.origin.code)
    if origin.is_of_library(arm.arch):
        with suppress(Exception), torch.device("meta"):
            return sum(parameter.numel() for parameter in external.make(node).parameters())
    return sum(parameter.numel() for parameter in external.make(node).parameters())


class PeakMemory:
    """The most memory this process (or its CUDA device's allocator) held since the object was made, in bytes.
    is_shared: set where other work of this process was on the device, so that it says nothing of one run.

    On Linux the kernel's own mark is reset and read; elsewhere the resident size is looked at when `look` is called.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.most = 0
        self.is_shared = False
        _give_back()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        try:
            Path("/proc/self/clear_refs").write_text("5")
            self.kernel = True
        except OSError:
            self.kernel = False

    def look(self) -> int:
        """The peak so far."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        resident = _kernel_peak() if self.kernel else int(psutil.Process().memory_info().rss)
        self.most = max(self.most, resident)
        return self.most


def _give_back() -> None:
    """What earlier runs of this process freed goes back to the system, where the C library can be asked to (glibc)."""
    gc.collect()
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _kernel_peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return int(psutil.Process().memory_info().rss)
