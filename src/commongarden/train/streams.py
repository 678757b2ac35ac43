"""Separate random streams, all derived from (study seed, run seed), so that two arms with one run seed see the same
photos in the same order, and a stream's numbers never depend on how many another one has drawn.

Each epoch has streams of its own: a run that goes on after a stop needs no saved generator.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import torch

Stream = Literal["initialization", "order", "augmentation", "dropout"]


def seed(study_seed: int, run_seed: int, stream: Stream, epoch: int = 0) -> int:
    """63 bits for one stream of one epoch (SHA-256 of its name, the same on every machine)."""
    text = f"commongarden/{study_seed}/{run_seed}/{stream}/{epoch}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(study_seed: int, run_seed: int, stream: Stream, epoch: int = 0) -> torch.Generator:
    """A CPU generator at the start of the stream."""
    return torch.Generator().manual_seed(seed(study_seed, run_seed, stream, epoch))
