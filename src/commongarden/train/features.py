"""The features of photos: what the last layer of a network is given in evaluation mode."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from commongarden.train.classifier import Classifier
from commongarden.train.head import last_layer


def features(
    classifier: Classifier, batches: Iterable[tuple[Tensor, Tensor]], device: torch.device
) -> Iterable[Tensor | None]:
    """The features of each batch, float32 (n, d), on the device.

    None for a batch where the logits are not the last layer's output of one vector a photo, as where a network pools
    behind its last convolution. The classifier is left in evaluation mode.
    """
    classifier.eval()
    head = last_layer(classifier.body)
    given: list[Tensor] = []
    hook = None if head is None else head.register_forward_pre_hook(lambda _layer, values: given.append(values[0]))
    try:
        for pixels, _labels in batches:
            given.clear()
            with torch.inference_mode():
                logits = classifier(pixels.to(device))
                yield _checked(classifier, given, logits)
    finally:
        if hook is not None:
            hook.remove()


def _checked(classifier: nn.Module, given: list[Tensor], logits: Tensor) -> Tensor | None:
    if len(given) != 1 or given[0].dim() != 2:
        return None
    found = given[0].float().clone()
    same = torch.allclose(classifier(found), logits, rtol=1e-3, atol=1e-3)
    return found if same else None
