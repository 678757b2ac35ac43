"""The features of photos: what the last layer of a network is given in evaluation mode.

`features` gives them where the last layer can be trained on them alone; `pooled_features` gives one vector a photo for
every network, to compare networks by.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from commongarden.errors import ArchError
from commongarden.i18n.language import _
from commongarden.train.classifier import Classifier
from commongarden.train.external import ExternalNetwork
from commongarden.train.folding import folded
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


def pooled_features(
    classifier: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], device: torch.device
) -> tuple[Tensor, Tensor]:
    """The features of every image, float32 (n, width), and the labels, int64 (n,), both on the CPU.

    They are the input of the last layer in evaluation mode. Where that layer is applied at every position (of a feature
    map, of a sequence), they are the mean over the positions. The classifier is left in evaluation mode.

    batches: pixels as the classifier takes them, and labels. Raises ArchError where the network has no last layer that
    gives one number per class, or does not call it.
    """
    classifier.eval()
    network = folded(classifier)
    layer = last_layer(network)
    if layer is None:
        raise ArchError(_without_head(classifier))
    caught: list[Tensor] = []

    def catch(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
        caught.append(_pooled(arguments[0], layer))

    rows, labels = [], []
    handle = layer.register_forward_pre_hook(catch)
    try:
        with torch.inference_mode():
            for pixels, answer in batches:
                caught.clear()
                network(pixels.to(device))
                if not caught:
                    raise ArchError(_without_head(classifier))
                rows.append(caught[-1].float().cpu())
                labels.append(answer.cpu())
    finally:
        handle.remove()
    return torch.cat(rows), torch.cat(labels)


def _pooled(x: Tensor, layer: nn.Module) -> Tensor:
    """What a layer is given, one row an image: the mean over positions where it is applied at each."""
    if x.dim() == 2:
        return x
    if isinstance(layer, nn.Linear):
        return x.flatten(1) if x[0].numel() == layer.in_features else x.flatten(1, -2).mean(1)
    return x.flatten(2).mean(2)


def _without_head(classifier: nn.Module) -> str:
    external = next((part for part in classifier.modules() if isinstance(part, ExternalNetwork)), None)
    name = type(classifier).__name__ if external is None else external.node.source
    text = _("{arch}: found no last layer that gives one number per class; accepted: a network that ends in one")
    return text.format(arch=name)
