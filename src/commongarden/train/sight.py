"""What a trained network looks at: maps of evidence, the kernels of its first layer, the features before its head.

It sees modules, not nodes, so it works for networks that somebody else wrote. Maps are Grad-CAM (Selvaraju et al. 2017)
by captum.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from commongarden.train.classifier import Classifier


@dataclass(frozen=True)
class Anatomy:
    """Where one looks. mapped: the last module that puts out a map as large as the last convolution's; head: the last
    linear layer; first: the first convolution, if it sees colours. None where the network has no such thing."""

    mapped: tuple[str, nn.Module] | None
    head: nn.Module | None
    first: nn.Conv2d | None


def anatomy(classifier: Classifier, photo: Tensor) -> Anatomy:
    """From one pass of one photo (1, 3, height, width), uint8, in evaluation mode."""
    done: list[tuple[str, nn.Module, tuple[int, ...]]] = []  # in the order in which modules end

    def note(name: str) -> Any:
        def hook(module: nn.Module, given: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                done.append((name, module, tuple(output.shape)))

        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in classifier.body.named_modules() if name]
    try:
        with torch.inference_mode():
            classifier(photo)
    finally:
        for hook in hooks:
            hook.remove()
    convolutions = [(module, shape) for _name, module, shape in done if isinstance(module, nn.Conv2d)]
    linear = [module for _name, module, _shape in done if isinstance(module, nn.Linear)]
    first = convolutions[0][0] if convolutions else None
    colours = isinstance(first, nn.Conv2d) and first.in_channels == 3
    mapped = None
    if convolutions:
        size = convolutions[-1][1][2:]
        times = [name for name, _module, _shape in done]
        fits = [
            (name, module)
            for name, module, shape in done
            if len(shape) == 4 and shape[2:] == size and max(size) > 1 and times.count(name) == 1
        ]
        mapped = fits[-1] if fits else None
    return Anatomy(mapped, linear[-1] if linear else None, first if colours and isinstance(first, nn.Conv2d) else None)


def evidence(classifier: Classifier, layer: nn.Module, photos: Tensor, targets: Tensor) -> np.ndarray:
    """(n, height, width) in 0..1: where the layer's maps speak for each photo's target class, each photo by its own
    greatest value; 0 everywhere where nothing does.

    What is explained is the class's logit above the mean of all: a constant added to every logit changes no
    probability, but it could leave the called class without any evidence.
    """
    from captum.attr import LayerGradCam  # takes a second, which only this needs

    def above_mean(pixels: Tensor) -> Tensor:
        logits: Tensor = classifier(pixels)
        return logits - logits.mean(1, keepdim=True)

    classifier.eval()
    with _separate(classifier), torch.enable_grad():
        found = LayerGradCam(above_mean, layer).attribute(photos, target=targets, relu_attributions=True)
    maps = found.detach().float().cpu().numpy()[:, 0]
    most = maps.max(axis=(1, 2), keepdims=True)
    scaled: np.ndarray = np.divide(maps, most, out=np.zeros_like(maps), where=most > 0)
    return scaled


@contextmanager
def _separate(classifier: nn.Module) -> Iterator[None]:
    """No module writes over its input, which the layer before it is looked at by."""
    changed = [module for module in classifier.modules() if getattr(module, "inplace", False)]
    for module in changed:
        module.inplace = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for module in changed:
            module.inplace = True  # type: ignore[assignment]


def features(
    classifier: Classifier, head: nn.Module | None, batches: Iterable[tuple[Tensor, Tensor]], device: torch.device
) -> tuple[np.ndarray, np.ndarray]:
    """What the head is given for each photo, (n, features) float32, or the logits where there is no head; and the
    class that each photo is called, (n,) int64."""
    rows: list[Tensor] = []
    called: list[Tensor] = []

    def keep(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        rows.append(given[0].detach().float().flatten(1).cpu())

    classifier.eval()
    hook = None if head is None else head.register_forward_pre_hook(keep)
    try:
        with torch.inference_mode():
            for pixels, _labels in batches:
                logits = classifier(pixels.to(device)).float().cpu()
                called.append(logits.argmax(1))
                if head is None:
                    rows.append(logits)
    finally:
        if hook is not None:
            hook.remove()
    return torch.cat(rows).numpy(), torch.cat(called).numpy()


def kernels(first: nn.Conv2d) -> np.ndarray:
    """(n, height, width, 3) in 0..255: each kernel by its own greatest weight, grey where a weight is 0."""
    weights = first.weight.detach().float().cpu()
    most = weights.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
    return (127.5 * (1 + weights / most)).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
