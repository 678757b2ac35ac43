"""A network on photos it does not learn from, on a device: nothing waits but the last batch."""

from __future__ import annotations

from collections.abc import Generator, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from commongarden.train.device.lanes import Lane
from commongarden.train.evaluate import Evaluation
from commongarden.train.folding import folded
from commongarden.train.progress import Turn

MOST_PIXELS = 1 << 21  # of a batch: larger ones would fill a small device and bring no more
LARGEST = 512


def batch_size(resolution: int, least: int) -> int:
    """How many photos of this size are evaluated together on a device."""
    return max(least, min(LARGEST, MOST_PIXELS // (resolution * resolution)))


def evaluated(
    classifier: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], device: torch.device, lane: Lane
) -> Generator[Turn, None, Evaluation]:
    """The same as `evaluate`."""
    classifier.eval()
    logits, labels = [], []
    with torch.inference_mode():
        network = folded(classifier)
    for pixels, answer in batches:
        with torch.inference_mode():  # not across a turn, in which other runs learn
            logits.append(network(pixels.to(device, non_blocking=True)).float())
            labels.append(answer)
        yield Turn.FED
    with torch.inference_mode():
        found, answers = lane.fetch(torch.cat(logits)), lane.fetch(torch.cat(labels).to(device))
    while not (found.is_there() and answers.is_there()):
        yield Turn.WAITING
    with torch.inference_mode():
        all_logits, all_labels = found.values().clone(), answers.values().clone()
        loss = F.cross_entropy(all_logits, all_labels).item()
        accuracy = (all_logits.argmax(1) == all_labels).double().mean().item()
        probabilities = all_logits.softmax(1).numpy()
    return Evaluation(loss, accuracy, probabilities, all_labels.numpy())
