"""Signals of a network while it is trained.

What is recorded is worked out in `capture.py`. Here is the one door between it and the training: whatever it raises
ends the recording, with a note, and not the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
import numpy as np
from torch import nn

from commongarden.i18n.coded import Code, Coded, coded, verbatim
from commongarden.i18n.language import N_
from commongarden.records.signals import SIGNALS, Reestimated, Signals
from commongarden.train.blame import describe_user_error
from commongarden.train.capture import Capture, Hook

T = TypeVar("T")


class Recorder:
    """Watches one network over its training. The loop says where a step is: `begin`, `learned` behind the backward
    pass, `moved` behind the optimizer, and `end_epoch`. No method raises.

    paths: what a module's dotted name is shown as, as in an audit. notes: why the recording ended, where it did.
    """

    def __init__(self, network: nn.Module, paths: Mapping[str, str], steps_per_epoch: int) -> None:
        self.notes: tuple[Coded, ...] = ()
        self._capture: Capture | None = None
        self._capture = self._safely(
            None, lambda: Capture(network, lambda name: path_of(name, paths), steps_per_epoch, self._guarded)
        )

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The epochs' figures so far."""
        return [] if self._capture is None else self._capture.rows

    # What the loop calls

    def begin(self, step: int, scale: float = 1.0) -> bool:
        """Before the forward pass of this step of the epoch, from 1. Whether its layers are watched. scale: what the
        loss is multiplied by."""
        return self._ask(False, lambda capture: capture.begin(step, scale))

    def watches(self, step: int) -> bool:
        """Whether the layers are watched in this step of an epoch."""
        return self._ask(False, lambda capture: capture.watches(step))

    def wants_gradient(self) -> bool:
        """Whether the gradients of this step, which is not watched, are read behind the backward pass."""
        return self._ask(False, lambda capture: capture.wants_gradient())

    def learned(self) -> None:
        """Behind the backward pass, before the optimizer moves the weights."""
        self._ask(None, lambda capture: capture.learned())

    def moved(self) -> None:
        """Behind the optimizer's step."""
        self._ask(None, lambda capture: capture.moved())

    def end_epoch(self, epoch: int) -> None:
        """Takes up the epoch's figures."""
        self._ask(None, lambda capture: capture.end_epoch(epoch))

    # What it is asked for

    def state(self) -> dict[str, Any]:
        """Everything that a checkpoint must hold."""
        capture = self._capture
        nothing: dict[str, Any] = {"layers": [], "rows": []}
        found = nothing if capture is None else self._safely(nothing, capture.state)
        if not self.notes:
            return found
        codes = msgspec.json.encode([note.code for note in self.notes]).decode()
        return {**found, "notes": list(map(str, self.notes)), "note_codes": codes}

    def load(self, state: Mapping[str, Any]) -> None:
        """Continues from there."""
        self._ask(None, lambda capture: capture.load(state))
        codes = msgspec.json.decode(state.get("note_codes", "[]"), type=list[Code | None])
        self.notes = (*self.notes, *coded(state.get("notes", ()), codes))

    def signals(self, reestimated: Reestimated | None = None) -> Signals:
        """All epochs so far."""
        capture, nothing = self._capture, _nothing(reestimated)
        found = nothing if capture is None else self._safely(nothing, lambda: capture.signals(reestimated, self.notes))
        return found if found is not nothing else _nothing(reestimated, self.notes)

    # The door

    def _ask(self, otherwise: T, work: Callable[[Capture], T]) -> T:
        capture = self._capture
        if capture is None or self.notes:
            return otherwise
        return self._safely(otherwise, lambda: work(capture))

    def _safely(self, otherwise: T, work: Callable[[], T]) -> T:
        try:
            return work()
        except Exception as error:  # whatever it is, the run does not need what was asked for
            self._stop(error)
            return otherwise

    def _guarded(self, hook: Hook) -> Hook:
        def guarded(*given: Any) -> None:
            if not self.notes:
                self._safely(None, lambda: hook(*given))

        return guarded

    def _stop(self, error: Exception) -> None:
        last = self.rows[-1]["epoch"] if self.rows else 0
        reason = verbatim(type(error).__name__)
        with suppress(Exception):  # an error may fail to say what it is
            reason = describe_user_error(error)
        self.notes = (*self.notes, STOPPED.format(epoch=last, reason=reason))
        if self._capture is not None:
            with suppress(Exception):
                self._capture.let_go()


STOPPED = N_("signals are recorded only up to epoch {epoch} ({reason}); training is not affected")


def _nothing(reestimated: Reestimated | None, notes: tuple[Coded, ...] = ()) -> Signals:
    """No layer and no epoch."""
    return Signals(
        layers=(),
        epochs=np.zeros(0, np.int32),
        square=np.zeros(0),
        product=np.zeros(0),
        reestimated=reestimated,
        notes=notes,
        **{signal: np.zeros((0, 0), np.float32) for signal in SIGNALS},
    )


def path_of(name: str, paths: Mapping[str, str]) -> str:
    """The tree's path of a module; what stands inside of a layer's module, of which the tree knows nothing, is added
    by its dotted name."""
    known, rest = name, ""
    while known and known not in paths:
        known, _, last = known.rpartition(".")
        rest = f"{last}.{rest}" if rest else last
    return " / ".join(part for part in (paths.get(known, ""), rest) if part)
