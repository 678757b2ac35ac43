"""What each module of a network does in one step: multiply-adds, and the bytes that it must at least move."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.activation import MultiheadAttention

from commongarden.arch.trace import FLOAT_BYTES
from commongarden.train.activations import tensors
from commongarden.train.build import ACTIVATIONS, Concatenated, Noise, Summed, auxiliary_logits
from commongarden.train.counting import Macs
from commongarden.train.torch_private import AdaptiveAvgPoolNd, AvgPoolNd, BatchNorm, ConvNd, DropoutNd, MaxPoolNd


@dataclass(frozen=True)
class Work:
    """Of one step, forward and backward together. shape: of the output for one photo."""

    kind: str
    shape: tuple[int, ...]
    macs: int
    n_bytes: int


def work(classifier: nn.Module, pixels: Tensor) -> dict[str, Work]:
    """By dotted name, for every module that is called; of one called several times, all its calls together, with the
    last one's shape. The network's mode stays.

    MACs of the forward pass are counted by torch while it works; the backward pass takes as many for the gradient of
    the weights and as many for that of the input, where each is wanted. Bytes are reckoned from shapes: what a module
    reads and writes if every number passes between processor and memory once, in the forward pass (input, weights,
    output) and in the backward pass (gradient of the output, what was kept, gradients of input and weights).
    Modules of TorchScript take no hooks: their work counts for the module that holds them.
    """
    found: dict[str, Work] = {}
    open_calls: list[tuple[str, int]] = []  # the modules' names, and the multiply-adds under these names before
    counter = Macs()

    def begins(name: str) -> Any:
        def hook(module: nn.Module, given: Any) -> None:
            open_calls.append((name, counter.of(name)))
            counter.within(name)

        return hook

    def ends(module: nn.Module, given: Any, named: Any, output: Any) -> None:
        name, counted = open_calls.pop()
        own = counter.of(name) - counted
        if open_calls:
            counter.within(open_calls[-1][0])
        inputs, outputs = tensors([*given, *named.values()]), tensors(output)
        n_bytes = 0 if _holds(module) else _bytes(module, inputs, outputs)
        macs = own * (1 + _gradients(module, inputs))
        before = found.pop(name, None)
        if before is not None:
            macs, n_bytes = macs + before.macs, n_bytes + before.n_bytes
        found[name] = Work(kind(module), tuple(outputs[0].shape[1:]) if outputs else (), macs, n_bytes)

    with ExitStack() as hooks, torch.enable_grad(), counter:
        for name, module in classifier.named_modules():
            if not isinstance(module, torch.jit.ScriptModule):
                hooks.enter_context(module.register_forward_pre_hook(begins(name)))
                hooks.enter_context(module.register_forward_hook(ends, with_kwargs=True))
        classifier(pixels)
    auxiliary_logits(classifier)  # so that they are not kept
    return found


def kind(module: nn.Module) -> str:
    """What a module counts as, in the words of `arch.difference.kind` where it has one."""
    for types, name in KINDS:
        if isinstance(module, types):
            return name
    if next(module.children(), None) is not None:
        return "block"
    name = type(module).__name__
    return f"{name} (class)" if name in WORDS else name


KINDS: tuple[tuple[Any, str], ...] = (
    (ConvNd, "convolution"),
    (nn.Linear, "dense layer"),
    (BatchNorm, "batch norm"),
    ((nn.LayerNorm, nn.GroupNorm), "normalization"),
    ((*ACTIVATIONS.values(), nn.ReLU6, nn.Hardswish, nn.Softmax), "activation"),
    ((MaxPoolNd, AvgPoolNd, AdaptiveAvgPoolNd), "pool"),
    (DropoutNd, "dropout"),
    (Noise, "noise"),
    (MultiheadAttention, "attention"),
    (Concatenated, "concatenation"),
    (Summed, "sum"),
)
# words for more than layers, which are translated: a class of somebody else's of that name is none of them
WORDS = {"Add", "Parallel", "block", "branch", "data", "loss", "optimizer", "other", "shortcut"}
WORDS |= {name for _types, name in KINDS}


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
        terms = len(list(module.children())) + module._with_input
        return FLOAT_BYTES * 3 * put_out * max(1, terms - 1)  # the gradient is passed on as it is
    given = sum(tensor.numel() for tensor in inputs)
    gradient_given = sum(tensor.numel() for tensor in inputs if tensor.requires_grad)
    weights = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    forward = given + weights + put_out
    backward = put_out + (given if weights or gradient_given else 0) + gradient_given + 2 * weights
    indices = 2 * 8 * put_out if isinstance(module, MaxPoolNd) else 0  # where the greatest was, int64
    return FLOAT_BYTES * (forward + backward) + indices


def intensity(macs: int, n_bytes: int) -> float:
    """Multiply-adds for each byte that must be moved."""
    return macs / n_bytes if n_bytes else math.inf
