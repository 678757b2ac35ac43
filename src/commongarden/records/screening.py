"""What screening found: how well simple classifiers on each model's frozen features do, and what the model costs.

screening.json   in the folder of `commongarden screen`: every model that was asked for
selection.json   in the folder of a study whose models were chosen by screening: what they were chosen from
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from commongarden.i18n.coded import Code, Coded, keep_code
from commongarden.i18n.language import N_
from commongarden.io import reader

FILE, SELECTION_FILE = "screening.json", "selection.json"
SCREENING_SCHEMA = 1


@dataclass(frozen=True)
class Screened:
    """One model. Accuracies are shares, one for each fold, in the order of the folds.

    model: its name in the study. arch: as the command line names it. weights: "published", the name of a file, or ""
    for weights drawn at random; weights_hash: SHA-256 of their file. width: number of features.
    probe, neighbours: of the linear probe and of the nearest neighbours. converged: whether every probe did.
    macs: None where they are unknown. ms: milliseconds per image, one image at a time. memory_bytes: what a forward
    pass with 32 images takes, parameters included; None where this system does not tell. images_per_second: while the
    features were computed, seconds: what that took.
    """

    model: str
    arch: str
    weights: str
    weights_hash: str
    resolution: int
    width: int
    probe: tuple[float, ...]
    neighbours: tuple[float, ...]
    converged: bool
    n_params: int
    macs: int | None
    ms: float
    memory_bytes: int | None
    images_per_second: float
    seconds: float


@dataclass(frozen=True)
class NotScreened:
    """A model that has no result. reason: why, as an English sentence; empty where the budget was spent before its
    turn. code: of the reason."""

    model: str
    arch: str
    reason: str = ""
    code: Code | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        keep_code(self, "reason", "code")

    @property
    def why(self) -> Coded:
        """The reason, to be shown by `translate`."""
        return Coded(self.reason, self.code)


@dataclass(frozen=True)
class Screening:
    """models, left: in the order in which they were taken, which is by number of parameters.

    data: the source. n_photos: of the training and validation sets that were used, n_available: of those there are.
    majority: the share of the commonest class among them. photos, split: hashes of the manifest and of the split whose
    test set was not used. n_train, n_test: photos of a fold, on average. budget: as it was asked for.
    """

    data: str
    classes: tuple[str, ...]
    n_photos: int
    n_available: int
    n_test_set: int
    majority: float
    photos: str
    split: str
    folds: int
    repeats: int
    n_train: float
    n_test: float
    device: str
    threads: int
    processor: str
    made: str
    models: tuple[Screened, ...]
    left: tuple[NotScreened, ...] = ()
    budget: str = ""
    n_neighbours: int = 10
    schema: int = SCREENING_SCHEMA


@dataclass(frozen=True)
class Candidate:
    """A model that screening compared. accuracy, low, high: of the linear probe, as shares."""

    model: str
    accuracy: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Selection:
    """What the models of a study were chosen from. candidates: best first; chosen: names of the study's models.

    n_asked: models that screening was asked for, of which some may have no result. split: hash of the split whose test
    set screening did not use. n_photos, folds, repeats: of the screening.
    """

    candidates: tuple[Candidate, ...]
    chosen: tuple[str, ...]
    n_asked: int
    split: str
    n_photos: int
    folds: int
    repeats: int
    schema: int = SCREENING_SCHEMA


KIND = reader.Kind(FILE, N_("the result of screening"), reader.json_of(Screening))
SELECTION_KIND = reader.Kind(SELECTION_FILE, N_("what a study's models were chosen from"), reader.json_of(Selection))


def written(record: Screening | Selection) -> bytes:
    """The record as its file holds it."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1)


def read(folder: Path) -> Screening:
    """What a folder of `commongarden screen` holds. Raises StoreError."""
    found: Screening = reader.read(folder / FILE, KIND)
    return found
