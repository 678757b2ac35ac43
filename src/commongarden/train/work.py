"""What each module of a network does in one step: multiply-adds, and the bytes that it must at least move."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.activation import MultiheadAttention
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AvgPoolNd, _MaxPoolNd
from torch.utils.flop_counter import FlopCounterMode

from commongarden.train.build import ACTIVATIONS, Concatenated, Noise, Summed, auxiliary_logits
from commongarden.train.watch import tensors

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Work:
    """Of one step, forward and backward together. shape: of the output for one photo."""

    kind: str
    shape: tuple[int, ...]
    macs: int
    n_bytes: int


def work(classifier: nn.Module, pixels: Tensor) -> dict[str, Work]:
    """By dotted name, for every module that is called. The network's mode stays.

    MACs of the forward pass are counted by torch while it works; the backward pass takes as many for the gradient of
    the weights and as many for that of the input, where each is wanted. Bytes are reckoned from shapes: what a module
    reads and writes if every number passes between processor and memory once, in the forward pass (input, weights,
    output) and in the backward pass (gradient of the output, what was kept, gradients of input and weights).
    """
    seen: dict[str, tuple[nn.Module, list[Tensor], list[Tensor]]] = {}
    handles = []
    for name, module in classifier.named_modules():

        def look(module: nn.Module, inputs: Any, outputs: Any, name: str = name) -> None:
            seen[name] = (module, tensors(list(inputs)), tensors(outputs))

        handles.append(module.register_forward_hook(look))
    try:
        with torch.enable_grad(), FlopCounterMode(display=False) as counter:
            classifier(pixels)
    finally:
        for handle in handles:
            handle.remove()
    auxiliary_logits(classifier)  # so that they are not kept
    prefix = type(classifier).__name__
    totals = {name: sum(counts.values()) // 2 for name, counts in counter.flop_counts.items()}
    inside = {name: totals.get(f"{prefix}.{name}" if name else prefix, 0) for name in seen}
    found = {}
    for name, (module, inputs, outputs) in seen.items():
        below = sum(macs for other, macs in inside.items() if other.rpartition(".")[0] == name and other != name)
        shape = tuple(outputs[0].shape[1:]) if outputs else ()
        n_bytes = 0 if _holds(module) else _bytes(module, inputs, outputs)
        own = max(inside[name] - below, 0)
        found[name] = Work(kind(module), shape, own * (1 + _gradients(module, inputs)), n_bytes)
    return found


def kind(module: nn.Module) -> str:
    """What a module counts as, in the words of `arch.difference.kind` where it has one."""
    for types, name in KINDS:
        if isinstance(module, types):
            return name
    return "block" if next(module.children(), None) is not None else type(module).__name__


KINDS: tuple[tuple[Any, str], ...] = (
    (_ConvNd, "convolution"),
    (nn.Linear, "dense layer"),
    (_BatchNorm, "batch norm"),
    ((nn.LayerNorm, nn.GroupNorm), "normalization"),
    ((*ACTIVATIONS.values(), nn.ReLU6, nn.Hardswish, nn.Softmax), "activation"),
    ((_MaxPoolNd, _AvgPoolNd, _AdaptiveAvgPoolNd), "pool"),
    (_DropoutNd, "dropout"),
    (Noise, "noise"),
    (MultiheadAttention, "attention"),
    (Concatenated, "concatenation"),
    (Summed, "sum"),
)


def _holds(module: nn.Module) -> bool:
    return next(module.children(), None) is not None and not isinstance(module, Concatenated | Summed)


def _gradients(module: nn.Module, inputs: list[Tensor]) -> int:
    """How many gradients the backward pass multiplies for: of what comes in and of the weights."""
    weighs = any(parameter.requires_grad for parameter in module.parameters(recurse=False))
    return 2 if _holds(module) else weighs + any(tensor.requires_grad for tensor in inputs)


def _bytes(module: nn.Module, inputs: list[Tensor], outputs: list[Tensor]) -> int:
    put_out = sum(tensor.numel() for tensor in outputs)
    if isinstance(module, Concatenated):
        return FLOAT_BYTES * 4 * put_out  # what is joined is read and written, and its gradient again
    if isinstance(module, Summed):
        return FLOAT_BYTES * 3 * put_out * max(1, _terms(module) - 1)  # the gradient is passed on as it is
    given = sum(tensor.numel() for tensor in inputs)
    gradient_given = sum(tensor.numel() for tensor in inputs if tensor.requires_grad)
    weights = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    forward = given + weights + put_out
    backward = put_out + (given if weights or gradient_given else 0) + gradient_given + 2 * weights
    indices = 2 * 8 * put_out if isinstance(module, _MaxPoolNd) else 0  # where the greatest was, int64
    return FLOAT_BYTES * (forward + backward) + indices


def _terms(module: Summed) -> int:
    return len(list(module.children())) + module._with_input


def intensity(macs: int, n_bytes: int) -> float:
    """Multiply-adds for each byte that must be moved."""
    return macs / n_bytes if n_bytes else math.inf
