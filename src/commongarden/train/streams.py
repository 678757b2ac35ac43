"""Separate random streams, all derived from (study seed, run seed), so that two arms with one run seed see the same
photos in the same order, and a stream's numbers never depend on how many another one has drawn.

Each epoch has streams of its own: a run that goes on after a stop needs no saved generator.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

Stream = Literal["initialization", "order", "augmentation", "dropout", "evaluation"]
LIBRARIES = ("torch", "torchvision", "timm", "commongarden", "builtins")  # none of which keeps a generator of its own


def seed(study_seed: int, run_seed: int, stream: Stream, epoch: int = 0) -> int:
    """63 bits for one stream of one epoch (SHA-256 of its name, the same on every machine)."""
    text = f"commongarden/{study_seed}/{run_seed}/{stream}/{epoch}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(study_seed: int, run_seed: int, stream: Stream, epoch: int = 0) -> torch.Generator:
    """A CPU generator at the start of the stream."""
    return torch.Generator().manual_seed(seed(study_seed, run_seed, stream, epoch))


def seed_all(number: int, module: nn.Module | None = None) -> None:
    """Seeds every generator that a network's code may draw from: torch's on every device, Python's `random`, numpy's
    global one, and generators that the module's parts, or the files they are defined in, keep as attributes."""
    torch.manual_seed(number)
    random.seed(number)
    np.random.seed(number % 2**32)  # noqa: NPY002 (the one that other code draws from)
    for i, own in enumerate(_generators(module) if module is not None else ()):
        _seed(own, (number + i + 1) % 2**63)


class RandomState:
    """The random generators of a whole process, as one of several runs that share it left them."""

    def __init__(self) -> None:
        self._kept = _global_state()

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The run's generators in the place of the process's, which come back at the end."""
        outside = _global_state()
        _put_global_state(self._kept)
        try:
            yield
        finally:
            self._kept = _global_state()
            _put_global_state(outside)


def _global_state() -> tuple[Any, ...]:
    on_devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return torch.get_rng_state(), on_devices, random.getstate(), np.random.get_state()  # noqa: NPY002


def _put_global_state(kept: tuple[Any, ...]) -> None:
    on_cpu, on_devices, by_python, by_numpy = kept
    torch.set_rng_state(on_cpu)
    if on_devices:
        torch.cuda.set_rng_state_all(on_devices)
    random.setstate(by_python)
    np.random.set_state(by_numpy)  # noqa: NPY002


def _generators(module: nn.Module) -> Iterator[Any]:
    """Each generator once, in the order of the modules."""
    found: dict[int, Any] = {}
    for part in module.modules():
        found |= {id(value): value for value in vars(part).values() if isinstance(value, GENERATORS)}
        if type(part).__module__.partition(".")[0] not in LIBRARIES:
            # of the very file that its code is of, which may have been executed again since
            names = getattr(getattr(type(part), "forward", None), "__globals__", {})
            found |= {id(value): value for value in names.values() if isinstance(value, GENERATORS)}
    return iter(found.values())


GENERATORS = (torch.Generator, random.Random, np.random.Generator, np.random.RandomState)


def _seed(generator: Any, number: int) -> None:
    if isinstance(generator, torch.Generator):
        generator.manual_seed(number)
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = type(generator.bit_generator)(number).state
    else:
        generator.seed(number % 2**32)
