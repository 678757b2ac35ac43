"""What is stored of a trained network, compared with the network that was tested. Only workers import this module: it
loads torch."""

from __future__ import annotations

import torch

from commongarden.arch import read
from commongarden.i18n.language import N_
from commongarden.records import Run
from commongarden.train import loop, state, streams
from commongarden.train.classifier import Classifier
from commongarden.train.evaluate import Evaluation, evaluate


class NotAsTested(RuntimeError):
    """The stored network gives other outputs than the tested one."""


def stored(classifier: Classifier, record: Run) -> bytes:
    """The network's model.safetensors. Raises ArchError where the network's state cannot be stored."""
    return state.to_bytes(classifier, _made(record))


def check_stored(
    weights: bytes, record: Run, batch: loop.Batch, tested: Evaluation, device: torch.device, seed: int
) -> None:
    """Loads the stored network and compares it with what was tested.

    batch: the first one of the test; seed: what was seeded before it, for networks that draw in evaluation. Raises
    NotAsTested where a probability differs by one bit.
    """
    fresh = _made(record)
    state.from_bytes(fresh, weights)
    streams.seed_all(seed, fresh)
    again = evaluate(fresh.to(device), [batch], device).probabilities
    if again.tobytes() != tested.probabilities[: len(again)].tobytes():
        text = N_(
            "the stored network gives other outputs than the trained one, because its code has state "
            "that is not stored; accepted: register the state with register_buffer, or return it from "
            "get_extra_state"
        )
        raise NotAsTested(text)


def _made(record: Run) -> Classifier:
    return Classifier(read(record.arch), record.input, record.recipe, record.pixel_mean, record.pixel_std)
