"""A photo that is shown to every model of a study, and what each says: plain values that go from process to process."""

from __future__ import annotations

from dataclasses import dataclass

from commongarden.i18n.coded import Coded


@dataclass(frozen=True)
class Source:
    """Where a photo comes from: the bytes that were sent, or a photo of the study by its root, path, place in
    a shard and SHA-256."""

    data: bytes | None = None
    root: str = ""
    path: str = ""
    sha256: str = ""
    stored: str = ""


@dataclass(frozen=True)
class Tried:
    """What one model says. seed: of the run that was asked. top: its most probable classes. map: a JPEG of the evidence
    for the first one, empty where the network has none. error: why there is nothing to say."""

    arm: str
    seed: int = 0
    top: tuple[tuple[str, float], ...] = ()
    map: bytes = b""
    error: Coded | None = None


@dataclass(frozen=True)
class Near:
    """A photo of the study by its place in the manifest. distance: 1 - cosine of the features."""

    number: int
    distance: float


@dataclass(frozen=True)
class Neighbours:
    """The photos nearest to one, the nearest first. arm, seed: of the run whose features are compared. n_photos: that
    were compared, of n_all training and test photos. seconds: that their features took, little where they were kept."""

    arm: str
    seed: int
    train: tuple[Near, ...]
    test: tuple[Near, ...]
    n_photos: int
    n_all: int
    seconds: float
