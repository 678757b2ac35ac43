"""A run under way, on disk: everything that its next epoch needs, so that going on equals never having stopped."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_
from commongarden.records import Epoch
from commongarden.train.state import copied, hidden, put, put_hidden, state_of
from commongarden.train.train_state import TrainState

HEADER = b"commongarden checkpoint 1"  # and the SHA-256 of what follows on the next line


class Unreadable(Exception):
    """A checkpoint that cannot be gone on from. reason: why, as a record."""

    def __init__(self, reason: Coded) -> None:
        super().__init__(str(reason))
        self.reason = reason


def contents(train_state: TrainState) -> dict[str, Any]:
    """Weights, their average, optimizer state, history, signals and the best weights so far. Random streams are
    derived, not saved. The tensors are those in training: the next step changes them."""
    return {
        "weights": state_of(train_state.classifier),
        "hidden": copied(hidden(train_state.classifier)),
        "optimizer": train_state.optimizer.state_dict(),
        "history": [dataclasses.asdict(epoch) for epoch in train_state.history],
        "best_epoch": train_state.best_epoch,
        "best_weights": train_state.best_weights,
        "best_hidden": train_state.best_hidden,
        "scaler": None if train_state.scaler is None else train_state.scaler.state_dict(),
        "ema": None if train_state.ema is None else state_of(train_state.ema.module),
        "signals": None if train_state.recorder is None else train_state.recorder.state(),
    }


def copied_contents(train_state: TrainState) -> dict[str, Any]:
    """The same, in main memory and unchanged by later steps of training."""
    found = contents(train_state)
    changing = copied({name: found[name] for name in ("weights", "optimizer", "ema")}, "cpu")
    signals = found["signals"] and {**found["signals"], "rows": list(found["signals"]["rows"])}  # a row is final
    return {**found, **changing, "signals": signals}


def serialized(contents: dict[str, Any]) -> bytes:
    """The contents as a checkpoint file has them."""
    buffer = io.BytesIO()
    torch.save(contents, buffer)
    data = buffer.getvalue()
    return b"%s %s\n" % (HEADER, hashlib.sha256(data).hexdigest().encode()) + data


def to_bytes(train_state: TrainState) -> bytes:
    """The training state as a checkpoint file has it."""
    return serialized(contents(train_state))


def restore(train_state: TrainState, path: Path) -> None:
    """Brings the state to where the checkpoint was made. Raises FileNotFoundError, and Unreadable for a file that is
    torn or of another network; the state must then be built again."""
    try:
        header, _newline, data = path.read_bytes().partition(b"\n")
        if header != b"%s %s" % (HEADER, hashlib.sha256(data).hexdigest().encode()):
            kind = N_("it is corrupt")
            raise Unreadable(N_("{name} cannot be read ({kind})").format(name=path.name, kind=kind))
        state = torch.load(io.BytesIO(data), map_location=train_state.device, weights_only=True)
        history = [Epoch(**epoch) for epoch in state["history"]]
        put(train_state.classifier, state["weights"])
        put_hidden(train_state.classifier, state.get("hidden", {}))
        train_state.optimizer.load_state_dict(state["optimizer"])
        train_state.best_epoch, train_state.best_weights = state["best_epoch"], state["best_weights"]
        train_state.best_hidden = state.get("best_hidden", {})
        if train_state.ema is not None:
            put(train_state.ema.module, state["ema"])
        if train_state.scaler is not None:
            train_state.scaler.load_state_dict(state["scaler"])
        if train_state.recorder is not None and state.get("signals") is not None:
            train_state.recorder.load(state["signals"])
    except (FileNotFoundError, Unreadable):
        raise
    except Exception as error:  # on broken bytes the reader raises nearly anything
        message = N_("{name} cannot be read ({kind})")
        raise Unreadable(message.format(name=path.name, kind=type(error).__name__)) from error
    train_state.history = history
