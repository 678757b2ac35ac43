"""A photo that is shown to every model of a study, and what each says: plain values that go from process to process."""

from __future__ import annotations

from dataclasses import dataclass

from commongarden.i18n.coded import Coded


@dataclass(frozen=True)
class Source:
    """Where a photo comes from: the bytes that were sent, or a photo of the study by its root, path and SHA-256."""

    data: bytes | None = None
    root: str = ""
    path: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Tried:
    """What one model says. seed: of the run that was asked. top: its most probable classes. map: a JPEG of the evidence
    for the first one, empty where the network has none. error: why there is nothing to say."""

    arm: str
    seed: int = 0
    top: tuple[tuple[str, float], ...] = ()
    map: bytes = b""
    error: Coded | None = None
