"""A run under way, on disk: everything that its next epoch needs, so that going on equals never having stopped."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from pathlib import Path

import torch

from commongarden.i18n.language import N_
from commongarden.records import Epoch
from commongarden.train.loop import Trainee
from commongarden.train.state import copied, hidden, put, put_hidden, state_of

HEADER = b"commongarden checkpoint 1"  # and the SHA-256 of what follows on the next line


class Unreadable(Exception):
    """A checkpoint that cannot be gone on from."""


def to_bytes(trainee: Trainee) -> bytes:
    """Weights, optimizer state, history, signals and the best weights so far. Random streams are derived, not saved."""
    buffer = io.BytesIO()
    torch.save(
        {
            "weights": state_of(trainee.classifier),
            "hidden": copied(hidden(trainee.classifier)),
            "optimizer": trainee.optimizer.state_dict(),
            "history": [dataclasses.asdict(epoch) for epoch in trainee.history],
            "best_epoch": trainee.best_epoch,
            "best_weights": trainee.best_weights,
            "best_hidden": trainee.best_hidden,
            "signals": None if trainee.recorder is None else trainee.recorder.state(),
        },
        buffer,
    )
    packed = buffer.getvalue()
    return b"%s %s\n" % (HEADER, hashlib.sha256(packed).hexdigest().encode()) + packed


def restore(trainee: Trainee, path: Path) -> None:
    """Brings the trainee to where the checkpoint was made. Raises FileNotFoundError, and Unreadable for a file that is
    torn or of another network; the trainee must then be made anew."""
    try:
        header, _newline, packed = path.read_bytes().partition(b"\n")
        if header != b"%s %s" % (HEADER, hashlib.sha256(packed).hexdigest().encode()):
            kind = N_("it is not what was written")
            raise Unreadable(N_("{name} cannot be read ({kind})").format(name=path.name, kind=kind))
        state = torch.load(io.BytesIO(packed), map_location=trainee.device, weights_only=True)
        history = [Epoch(**epoch) for epoch in state["history"]]
        put(trainee.classifier, state["weights"])
        put_hidden(trainee.classifier, state.get("hidden", {}))
        trainee.optimizer.load_state_dict(state["optimizer"])
        trainee.best_epoch, trainee.best_weights = state["best_epoch"], state["best_weights"]
        trainee.best_hidden = state.get("best_hidden", {})
        if trainee.recorder is not None and state.get("signals") is not None:
            trainee.recorder.load(state["signals"])
    except (FileNotFoundError, Unreadable):
        raise
    except Exception as error:  # on broken bytes the reader raises nearly anything
        raise Unreadable(
            N_("{name} cannot be read ({kind})").format(name=path.name, kind=type(error).__name__)
        ) from error
    trainee.history = history
