"""Is it the running statistics? Validation with such as are taken anew from the training part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from commongarden.records.signals import Reestimated
from commongarden.train.evaluate import evaluate
from commongarden.train.loop import Batch, Pass
from commongarden.train.torch_private import BatchNorm


def reestimated(
    network: nn.Module, train_batches: Iterable[Batch], val_batches: Pass, device: torch.device
) -> Reestimated | None:
    """The validation part with the network's running statistics and with those of `train_batches`; None where it keeps
    none. The network is left as it was, in evaluation mode."""
    if not _norms(network):
        return None
    own = evaluate(network, val_batches(), device)
    with fresh(network, train_batches, device) as n_photos:
        if not n_photos:
            return None
        anew = evaluate(network, val_batches(), device)
    right, right_anew = (found.probabilities.argmax(1) == found.labels for found in (own, anew))
    return Reestimated(
        n_photos=n_photos,
        n_val=len(own.labels),
        accuracy=own.accuracy,
        accuracy_anew=anew.accuracy,
        loss=own.loss,
        loss_anew=anew.loss,
        gained=int((right_anew & ~right).sum()),
        lost=int((right & ~right_anew).sum()),
    )


@contextmanager
def fresh(network: nn.Module, batches: Iterable[Batch], device: torch.device) -> Iterator[int]:
    """While open, running statistics are the mean over these batches' own; gives how many photos that were.

    Only the batch norms are set to training, so that nothing random is at work and no random number is drawn.
    """
    norms = _norms(network)
    kept = [(norm.momentum, {name: buffer.clone() for name, buffer in norm.named_buffers()}) for norm in norms]
    network.eval()
    n_photos = 0
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch's word for a mean over all batches
            norm.train()
        with torch.no_grad():
            for pixels, labels in batches:
                if len(labels) > 1:  # one photo may be one number a channel, which has no deviation
                    network(pixels.to(device))
                    n_photos += len(labels)
        network.eval()
        yield n_photos
    finally:
        network.eval()
        with torch.no_grad():
            for norm, (momentum, buffers) in zip(norms, kept, strict=True):
                norm.momentum = momentum
                for name, buffer in norm.named_buffers():
                    buffer.copy_(buffers[name])


def _norms(network: nn.Module) -> list[BatchNorm]:
    return [part for part in network.modules() if isinstance(part, BatchNorm) and part.track_running_stats]
