"""What a trained network looks at: maps of evidence, the kernels of its first layer, the features before its head.

It sees modules, not nodes, so it works for networks that somebody else wrote. Maps are Grad-CAM (Selvaraju et al. 2017)
by captum.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from commongarden.train.activations import tensors
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
    outputs: dict[str, Tensor] = {}

    def note(name: str) -> Any:
        def hook(module: nn.Module, given: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                done.append((name, module, tuple(output.shape)))
                if torch.is_grad_enabled():
                    outputs[name] = output

        return hook

    with ExitStack() as hooks, torch.enable_grad():
        for name, module in classifier.body.named_modules():
            if name and not isinstance(module, torch.jit.ScriptModule):  # which takes no hooks
                hooks.enter_context(module.register_forward_hook(note(name)))
        reached = _reached(classifier(photo), outputs)
    linear = [module for _name, module, _shape in done if isinstance(module, nn.Linear)]
    head = linear[-1] if linear else None
    convolutions = [(module, shape) for _name, module, shape in done if isinstance(module, nn.Conv2d)]
    if not convolutions:
        return Anatomy(None, head, None)
    first, size = convolutions[0][0], convolutions[-1][1][2:]
    times = [name for name, _module, _shape in done]
    fits = [
        (name, module)
        for name, module, shape in done
        if len(shape) == 4 and shape[2:] == size and max(size, default=0) > 1 and times.count(name) == 1
        if name in reached
    ]
    return Anatomy(fits[-1] if fits else None, head, first if first.in_channels == 3 else None)


def _reached(logits: Tensor, outputs: dict[str, Tensor]) -> set[str]:
    """The modules whose output the logits can be traced back to. What was done without gradients, or belongs to a view
    that was changed, cannot; nothing is known of what is frozen."""
    asked = {name: output for name, output in outputs.items() if output.requires_grad}
    if not asked or not logits.requires_grad:
        return set(outputs)
    try:
        gradients = torch.autograd.grad(logits.sum(), list(asked.values()), allow_unused=True)
    except Exception:  # others' code may forbid it (torch.utils.checkpoint in its older form), and captum asks so too
        return set()
    cut = {name for name, gradient in zip(asked, gradients, strict=True) if gradient is None}
    return set(outputs) - cut


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
    """What the head is given for each photo, (n, features) float32, at its last call; the logits where there is no
    head, or it is given something else than a row for each photo. And the class that each photo is called, (n,)
    int64."""
    rows: list[Tensor | None] = []
    logits: list[Tensor] = []
    given: list[Tensor] = []

    def keep(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        given[:] = tensors([*args, *named.values()])[:1]

    classifier.eval()
    with ExitStack() as hooks, torch.inference_mode():
        if head is not None:
            hooks.enter_context(head.register_forward_pre_hook(keep, with_kwargs=True))
        for pixels, _labels in batches:
            given.clear()
            logits.append(classifier(pixels.to(device)).float().cpu())
            fits = bool(given) and len(given[0]) == len(pixels)
            rows.append(given[0].detach().float().flatten(1).cpu() if fits else None)
    called = torch.cat([part.argmax(1) for part in logits]).numpy()
    kept = [row for row in rows if row is not None]
    alike = len(kept) == len(logits) and len({row.shape[1:] for row in kept}) == 1
    return torch.cat(kept if alike else logits).numpy(), called


def kernels(first: nn.Conv2d) -> np.ndarray:
    """(n, height, width, 3) in 0..255: each kernel by its own greatest weight, grey where a weight is 0."""
    weights = first.weight.detach().float().cpu()
    most = weights.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
    return (127.5 * (1 + weights / most)).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
