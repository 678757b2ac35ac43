"""What passed through a network while it was trained: a figure for each layer and epoch, as plain arrays."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from commongarden.i18n.coded import Code, Coded, coded
from commongarden.io import npz
from commongarden.io.limits import LIMITS, Limit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LayerKind = Literal["linear", "rectifier", "norm"]
Signal = Literal["activation", "gradient", "update", "weight", "dead", "distance"]
SIGNALS: tuple[Signal, ...] = ("activation", "gradient", "update", "weight", "dead", "distance")


@dataclass(frozen=True)
class WatchedLayer:
    """A layer that was watched, by the tree's own path. depth: linear layers on the longest way to it."""

    path: str
    kind: LayerKind
    depth: int


@dataclass(frozen=True)
class Reestimated:
    """The validation part with the run's own running statistics, and with such as were taken anew from the training
    part: accuracies are shares (0..1), losses nats.

    gained, lost: photos that came right, or went wrong, by it. n_photos: training photos it was taken from.
    """

    n_photos: int
    n_val: int
    accuracy: float
    accuracy_anew: float
    loss: float
    loss_anew: float
    gained: int
    lost: int


@dataclass(frozen=True, eq=False)
class Signals:
    """One run's signals. Arrays are (epochs, layers) float32, NaN where a layer has no such figure.

    epochs: their numbers, from 1; a run that went on from a checkpoint of an older version begins later.
    activation: root mean square of a linear layer's output. gradient: norm of the loss's gradient there, for one photo
    (root mean square over photos). update: norm of a step's change over that of the weights. weight: that norm, at the
    epoch's end. dead: share of a rectifier's channels that were 0 at every place of every photo looked at. distance:
    of a batch norm's running statistics from those of the batches, in the latter's standard deviations (root mean
    square over channels, of the mean's and of the logarithm of the deviation's).
    square, product: (epochs,) squared norm of a batch's gradient over all weights, and its product with the next
    batch's, which estimates the squared norm of the gradient that all batches share (McCandlish et al. 2018).
    A module called several times in a pass is several layers, "relu" and "relu (2)"; its weight is the first one's.
    notes: why there are no figures of later epochs, where recording ended before training did, in English.
    """

    layers: tuple[WatchedLayer, ...]
    epochs: np.ndarray
    activation: np.ndarray
    gradient: np.ndarray
    update: np.ndarray
    weight: np.ndarray
    dead: np.ndarray
    distance: np.ndarray
    square: np.ndarray
    product: np.ndarray
    reestimated: Reestimated | None = None
    notes: tuple[Coded, ...] = ()

    def of(self, signal: Signal) -> tuple[tuple[WatchedLayer, ...], np.ndarray]:
        """The layers that have this figure in some epoch, and theirs: (epochs, those layers)."""
        values: np.ndarray = getattr(self, signal)
        there = ~np.isnan(values).all(axis=0) if len(values) else np.zeros(len(self.layers), bool)
        kept = tuple(layer for layer, is_there in zip(self.layers, there, strict=True) if is_there)
        return kept, values[:, there]


def to_bytes(signals: Signals) -> bytes:
    """As an npz without pickle."""
    arrays: dict[str, Any] = {name: getattr(signals, name) for name in (*SIGNALS, "epochs", "square", "product")}
    arrays["paths"] = _text([layer.path for layer in signals.layers])
    arrays["kinds"] = _text([layer.kind for layer in signals.layers])
    arrays["depths"] = np.array([layer.depth for layer in signals.layers], np.int32)
    if signals.reestimated is not None:
        arrays["reestimated"] = np.array(dataclasses.astuple(signals.reestimated), np.float64)
    if signals.notes:
        arrays["notes"] = _text(signals.notes)
        arrays["note_codes"] = np.frombuffer(msgspec.json.encode([note.code for note in signals.notes]), np.uint8)
    return npz.packed(**arrays)


def from_file(path: Path, data: bytes, limit: Limit) -> Signals:
    """The signals in the bytes of signals.npz. Raises what `reader.BROKEN` lists where they are none."""
    arrays = npz.read(path, data, limit)
    names = (arrays["paths"].tolist(), arrays["kinds"].tolist(), arrays["depths"].tolist())
    layers = tuple(WatchedLayer(path, kind, depth) for path, kind, depth in zip(*names, strict=True))
    n_epochs = len(arrays["epochs"])
    shapes = dict.fromkeys(SIGNALS, (n_epochs, len(layers))) | dict.fromkeys(("square", "product"), (n_epochs,))
    for name, shape in shapes.items():
        if (arrays[name].shape, arrays[name].dtype.kind) != (shape, "f"):
            raise ValueError(f"{name} is {arrays[name].dtype}{list(arrays[name].shape)}, accepted: {list(shape)}")
    anew = None
    if "reestimated" in arrays:
        n_photos, n_val, accuracy, accuracy_anew, loss, loss_anew, gained, lost = arrays["reestimated"].tolist()
        anew = Reestimated(int(n_photos), int(n_val), accuracy, accuracy_anew, loss, loss_anew, int(gained), int(lost))
    return Signals(
        layers=layers,
        reestimated=anew,
        notes=_notes(arrays),
        **{name: arrays[name] for name in (*SIGNALS, "epochs", "square", "product")},
    )


def from_bytes(data: bytes) -> Signals:
    """What `to_bytes` gave, back. Raises what `reader.BROKEN` lists where the bytes are no signals."""
    return from_file(Path("signals.npz"), data, LIMITS["signals.npz"])


def _notes(arrays: Mapping[str, np.ndarray]) -> tuple[Coded, ...]:
    kept = arrays["note_codes"].tobytes() if "note_codes" in arrays else b"[]"
    codes = msgspec.json.decode(kept, type=tuple[Code | None, ...])
    return coded(arrays["notes"].tolist(), codes) if "notes" in arrays else ()


def _text(words: Sequence[str]) -> np.ndarray:
    return np.array(words, dtype=np.str_) if words else np.array([], dtype="U1")
