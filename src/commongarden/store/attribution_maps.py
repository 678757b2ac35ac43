"""What the networks of a study look at, as it lies in its folder: seen/ARM.npz, made once after the runs.

    key           SHA-256 of what it was made from: the run, the photos, the version of the making
    about         JSON: arm, seed, photos with what they were called, sizes
    photo_N       JPEG of the photo as the network got it; map_N the same with the evidence for the called class
    filters       PNG of the first layer's kernels
    points        (photos, 2) float32, labels and called (photos,) int64: test photos by the features before the head

Nothing here is needed to go on with a study, and nothing of it decides a number: it may be deleted and is made again.
"""

from __future__ import annotations

import dataclasses
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from commongarden.errors import StoreError
from commongarden.i18n.language import N_, _
from commongarden.io import limits, npz, reader
from commongarden.io.limits import Limit
from commongarden.io.reader import Kind
from commongarden.records import Run
from commongarden.store.checksums import keep
from commongarden.store.folder import Store
from commongarden.store.kinds import MADE_AGAIN

MAPS_VERSION = 2  # rises whenever the same run would be seen otherwise
FOLDER = "seen"
MOST_SHOWN = 4  # photos of a contrast


@dataclass(frozen=True)
class Evidence:
    """One photo before one network. called: the class's place; probability: that it was given. photo, map: JPEG bytes;
    `map` is empty where the network has no map of evidence."""

    path: str
    label: int
    called: int
    probability: float
    photo: bytes = b""
    map: bytes = b""


@dataclass(frozen=True, eq=False)
class Attribution:
    """What one run's network looks at.

    layer: the module whose output the evidence is read from; "" where there is none. filters: PNG of the kernels
    of the first layer, n_filters of them; empty where it sees no colours. points: (n, 2) float32, the photos' features
    before the head along their two axes of greatest spread, of which they hold the shares `explained`; labels, called:
    (n,) int64.
    """

    key: str
    arm: str
    seed: int
    layer: str
    evidence: tuple[Evidence, ...]
    filters: bytes
    n_filters: int
    kernel: tuple[int, int]
    n_features: int
    explained: tuple[float, float]
    points: np.ndarray
    labels: np.ndarray
    called: np.ndarray


@dataclass(frozen=True)
class _About:
    arm: str
    seed: int
    layer: str
    evidence: tuple[tuple[str, int, int, float], ...]
    n_filters: int
    kernel: tuple[int, int]
    n_features: int
    explained: tuple[float, float]


def key_of(run: Run, photos: tuple[str, ...]) -> str:
    """What a sight of this run with these photos is known by."""
    parts = (MAPS_VERSION, run.arm, run.seed, run.started, run.hashes, photos)
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def keys(store: Store) -> dict[str, str]:
    """The key of every arm's sight that is there whole."""
    found = {}
    for path in sorted((store.root / FOLDER).glob("*.npz")):
        with suppress(StoreError):
            found[path.stem] = _read(store, path.stem).key
    return found


def read(store: Store, arm: str) -> Attribution | None:
    """An arm's sight; None where none was made. Raises StoreError for a torn file, or another arm's."""
    if not (store.root / FOLDER / f"{arm}.npz").is_file():
        return None
    return store.tolerating(lambda: _read(store, arm), None)


def _read(store: Store, arm: str) -> Attribution:
    study = store.study()
    n_shown = MOST_SHOWN * max(len(study.planned_contrasts()), 1)
    path = store.root / FOLDER / f"{arm}.npz"
    found = reader.read(path, KIND, within=limits.of_maps(n_shown), root=store.root)
    n_classes = len(store.run(arm, found.seed).classes) if found.arm == arm and store.has(arm, found.seed) else 0
    places = [*found.called.tolist(), *found.labels.tolist()]
    places += [place for item in found.evidence for place in (item.called, item.label)]
    if not all(0 <= place < n_classes for place in places):
        text = _("{path}: found heat maps of another network (model {arm}, seed {seed}); accepted: {accepted}")
        raise StoreError(text.format(path=path, arm=found.arm, seed=found.seed, accepted=_(MADE_AGAIN)))
    return found


def _parsed(path: Path, data: bytes, limit: Limit) -> Attribution:
    arrays = npz.read(path, data, limit)
    about = msgspec.json.decode(arrays["about"].tobytes(), type=_About)
    rest: dict[str, Any] = {name: getattr(about, name) for name in _ABOUT if name != "evidence"}
    evidence = tuple(
        Evidence(*row, _picture(arrays[f"photo_{i}"]), _picture(arrays[f"map_{i}"]))
        for i, row in enumerate(about.evidence)
    )
    points: dict[str, Any] = {name: arrays[name] for name in ("points", "labels", "called")}
    n = len(points["labels"])
    if {name: (value.shape, value.dtype.kind) for name, value in points.items()} != {
        "points": ((n, 2), "f"), "labels": ((n,), "i"), "called": ((n,), "i"),
    }:  # fmt: skip
        raise ValueError("points, labels and called are not of the same photos")
    return Attribution(**rest, **points, key=str(arrays["key"]), evidence=evidence, filters=arrays["filters"].tobytes())


def _picture(array: np.ndarray) -> bytes:
    if array.nbytes > limits.PICTURE:
        raise ValueError(f"a picture of {array.nbytes:,} bytes, accepted: up to {limits.PICTURE:,}")
    return array.tobytes()


KIND = Kind("seen/ARM.npz", N_("the heat maps of a network"), _parsed, accepted=MADE_AGAIN)


def write(store: Store, sight: Attribution) -> None:
    """Keeps an arm's sight. For the process that holds the study."""
    rows = tuple((item.path, item.label, item.called, item.probability) for item in sight.evidence)
    about = _About(evidence=rows, **{name: getattr(sight, name) for name in _ABOUT if name != "evidence"})
    pictures = {f"photo_{i}": _bytes(item.photo) for i, item in enumerate(sight.evidence)}
    pictures |= {f"map_{i}": _bytes(item.map) for i, item in enumerate(sight.evidence)}
    data = npz.packed(
        key=np.array(sight.key), about=_bytes(msgspec.json.encode(about)), filters=_bytes(sight.filters),
        points=sight.points, labels=sight.labels, called=sight.called, **pictures,
    )  # fmt: skip
    keep(store.root, f"{FOLDER}/{sight.arm}.npz", data)


_ABOUT = tuple(field.name for field in dataclasses.fields(_About))


def _bytes(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)
