"""A network on photos it does not learn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from commongarden.train.folding import folded


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Mean cross-entropy in nats, share of right answers, probabilities (n, classes) float32, labels (n,) int64."""

    loss: float
    accuracy: float
    probabilities: np.ndarray
    labels: np.ndarray


def evaluate(classifier: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], device: torch.device) -> Evaluation:
    """Runs the classifier in evaluation mode over the batches; loss without label smoothing.

    Batch norms that follow a linear map are folded into it, for every part and always: validation and test come the
    same way. The classifier itself keeps its tensors, and is left in evaluation mode.
    """
    classifier.eval()
    logits, labels = [], []
    with torch.inference_mode():
        network = folded(classifier)
        for pixels, answer in batches:
            logits.append(network(pixels.to(device)).float().cpu())
            labels.append(answer.cpu())
        all_logits, all_labels = torch.cat(logits), torch.cat(labels)
        loss = F.cross_entropy(all_logits, all_labels).item()
        accuracy = (all_logits.argmax(1) == all_labels).double().mean().item()
        probabilities = all_logits.softmax(1).numpy()
    return Evaluation(loss, accuracy, probabilities, all_labels.numpy())
