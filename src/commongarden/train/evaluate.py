"""A network on photos it does not learn from."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from commongarden.train.external import ExternalNetwork
from commongarden.train.folding import folded


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Mean cross-entropy in nats, share of right answers, probabilities (n, classes) float32, labels (n,) int64."""

    loss: float
    accuracy: float
    probabilities: np.ndarray
    labels: np.ndarray


def without_gradient(module: nn.Module) -> AbstractContextManager[Any]:
    """torch's inference mode; for networks of other people's code `no_grad`, since tensors that these keep from one
    pass (caches of positions, masks) must be of use in a later training step."""
    external = any(isinstance(part, ExternalNetwork) for part in module.modules())
    return torch.no_grad() if external else torch.inference_mode()


def evaluate(classifier: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], device: torch.device) -> Evaluation:
    """Runs the classifier in evaluation mode over the batches; loss without label smoothing.

    Batch norms that follow a linear map are folded into it, for every part and always: validation and test come the
    same way. The classifier itself keeps its tensors, and is left in evaluation mode.
    """
    classifier.eval()
    logits, labels = [], []
    with without_gradient(classifier):
        network = folded(classifier)
        for pixels, answer in batches:
            logits.append(network(pixels.to(device)).float().cpu())
            labels.append(answer.cpu())
        all_logits, all_labels = torch.cat(logits), torch.cat(labels)
        loss = F.cross_entropy(all_logits, all_labels).item()
        accuracy = (all_logits.argmax(1) == all_labels).double().mean().item()
        probabilities = all_logits.softmax(1).numpy()
    return Evaluation(loss, accuracy, probabilities, all_labels.numpy())
