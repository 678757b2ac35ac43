"""What passes through a network in one training pass, seen by hooks on its modules, whoever wrote them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.nn.modules.batchnorm import _BatchNorm

from commongarden.train.build import Summed

Linear = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.Hardswish)
LINEAR_STEPS = ("ConvolutionBackward", "AddmmBackward", "MmBackward", "BmmBackward")  # names of autograd's nodes
TINY = 1e-30


@dataclass
class Seen:
    """One call of one module. rms: root mean square over all numbers.

    spread: the greatest departure of a number from its mean over the photos, divided by the rms; 0 says that nothing
        of the photos is left. linear_rms: of the output without the bias, for a linear layer.
    dead: share of the channels whose output is 0 at every place of every photo, behind a rectifier.
    noise: rms of what training adds to the output of evaluation, divided by the rms of that; 0 where nothing is random.
    is_cut: its input or its weights are to be trained, and no gradient can come back from its output.
    depth: linear layers on the longest way through the graph to the output.
    gradient: of the loss at the output, None until one arrives. zero_gradient: share of channels where it is 0.
    custom: a custom autograd function works in the module and in none of its parts.
    """

    name: str
    module: nn.Module
    n_photos: int
    places: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    input_rms: float
    output_rms: float
    input_spread: float
    output_spread: float
    linear_rms: float = 0.0
    dead: float = 0.0
    noise: float = 0.0
    is_cut: bool = False
    depth: int = 0
    gradient: float | None = None
    zero_gradient: float = 0.0
    inputs: tuple[Any, ...] = ()  # kept only where the gradient is to be checked
    custom: bool = False

    @property
    def gain(self) -> float:
        return self.linear_rms / max(self.input_rms, TINY)

    @property
    def is_sum(self) -> bool:
        """Shaped like a residual block, or one of our own sums."""
        return isinstance(self.module, Summed) or self.input_shape == self.output_shape


@dataclass
class Watch:
    """All calls in the order in which they ended, and the graph as far as it has been walked.

    depths: by node of autograd's graph, which is held here so that its identity lasts.
    """

    seen: list[Seen] = field(default_factory=list)
    depths: dict[Any, int] = field(default_factory=dict)


def linear_calls(watch: Watch) -> list[Seen]:
    """The calls of convolutions and dense layers."""
    return [call for call in watch.seen if isinstance(call.module, Linear)]


@contextmanager
def watched(network: nn.Module) -> Iterator[Watch]:
    """While open, every module call of a pass is noted; close it before another pass."""
    watch = Watch()
    names = {module: name for name, module in network.named_modules()}

    def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        result = first(output)
        given = first(inputs)
        if result is not None and given is not None:
            watch.seen.append(_look(watch, names[module], module, inputs, given, result))

    handles = [module.register_forward_hook(hook) for module in network.modules()]
    try:
        yield watch
    finally:
        for handle in handles:
            handle.remove()


def _look(watch: Watch, name: str, module: nn.Module, inputs: tuple[Any, ...], given: Tensor, result: Tensor) -> Seen:
    x, y = given.detach(), result.detach()
    call = Seen(
        name, module, len(y), x[0, 0].numel() if x.dim() > 1 else 1, tuple(x.shape[1:]), tuple(y.shape[1:]),
        rms(x), rms(y), spread(x), spread(y),
    )  # fmt: skip
    if isinstance(module, Linear):
        call.linear_rms = rms(_without_bias(y, module))
    if isinstance(module, RECTIFIERS):
        call.dead = _share_of_zeros(y)
    if _may_be_random(module):
        call.noise = _noise(module, inputs, x, y)
    trained = any(parameter.requires_grad for parameter in module.parameters())
    call.is_cut = (given.requires_grad or trained) and not result.requires_grad
    if result.requires_grad:
        if result.grad_fn is not None:
            custom, call.depth = walk(result.grad_fn, watch.depths)
            if custom:
                call.custom = True
                call.inputs = tuple(value.detach() if isinstance(value, Tensor) else value for value in inputs)

        def arrived(gradient: Tensor) -> None:
            per_photo = gradient.detach().flatten(1).double().norm(dim=1)
            call.gradient = (call.gradient or 0.0) + float(per_photo.mean()) * len(y)  # the loss is a mean over photos
            call.zero_gradient = _share_of_zeros(gradient.detach())

        result.register_hook(arrived)  # type: ignore[no-untyped-call]
    return call


def rms(x: Tensor) -> float:
    """Root mean square of all numbers."""
    return float(x.detach().float().square().mean().sqrt()) if x.numel() else 0.0


def spread(x: Tensor) -> float:
    """How far a number is from its mean over the batch, at most, in units of the rms."""
    if len(x) < 2 or not x.numel():
        return 0.0
    x = x.detach().float()
    return float((x - x.mean(0, keepdim=True)).abs().max()) / max(rms(x), TINY)


def tensors(value: Any) -> list[Tensor]:
    """The floating tensors in what a module takes or gives: a tensor, or a tuple, dictionary or dataclass of some.

    Without those that hold no numbers of their own to be looked at: sparse and nested ones, and those under vmap.
    """
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() and value.dim() > 0 and _is_plain(value) else []
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = vars(value)
    values = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return [tensor for item in values for tensor in tensors(item)]


def _is_plain(x: Tensor) -> bool:
    return x.layout == torch.strided and not x.is_nested and not torch._C._functorch.is_functorch_wrapped_tensor(x)


def first(value: Any) -> Tensor | None:
    """The first one of `tensors`."""
    return next(iter(tensors(value)), None)


def _without_bias(y: Tensor, module: nn.Module) -> Tensor:
    bias = module.bias
    if not isinstance(bias, Tensor):
        return y
    if isinstance(module, nn.Linear):
        return y - bias.detach()
    return y - bias.detach().view(-1, *(1,) * (y.dim() - 2))


def _channels_last(x: Tensor) -> Tensor:
    """(numbers of one channel, channels): channels are dimension 1, but in sequences of tokens the last one."""
    return (x if x.dim() == 3 else x.movedim(1, -1)).flatten(0, -2) if x.dim() > 1 else x[:, None]


def _share_of_zeros(x: Tensor) -> float:
    return float((_channels_last(x) == 0).all(0).float().mean())


def _may_be_random(module: nn.Module) -> bool:
    return (
        module.training
        and next(module.parameters(), None) is None
        and next(module.children(), None) is None
        and not type(module).__module__.startswith(("torch.nn.modules.activation", "torch.nn.modules.pooling"))
    )


def _noise(module: nn.Module, inputs: tuple[Any, ...], x: Tensor, y: Tensor) -> float:
    """The same call in evaluation, past the hooks."""
    module.training = False
    try:
        with torch.no_grad():
            still = first(module.forward(*inputs))
    finally:
        module.training = True
    if still is None or still.shape != y.shape:
        return 0.0
    return rms(y - still) / max(rms(still), TINY)


def walk(node: Any, depths: dict[Any, int]) -> tuple[bool, int]:
    """Walks the graph behind `node` as far as it is new. Gives whether a custom function is in the new part, and how
    many linear layers are on the longest way. Inner modules end before outer ones, so the innermost one finds it."""
    custom = False
    stack = [node]
    while stack:
        top = stack[-1]
        if top in depths:
            stack.pop()
            continue
        before = [parent for parent, _ in top.next_functions if parent is not None]
        new = [parent for parent in before if parent not in depths]
        if new:
            stack.extend(new)
            continue
        custom = custom or isinstance(top, BackwardCFunction)
        depths[top] = max((depths[parent] for parent in before), default=0) + top.name().startswith(LINEAR_STEPS)
        stack.pop()
    return custom, depths[node]


@contextmanager
def fresh_statistics(network: nn.Module) -> Iterator[None]:
    """While open, a training pass sets a batch norm's running statistics to those of its batch, so that evaluation
    differs from training by what is random only. Afterwards they are as before."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    kept = [(norm.momentum, [buffer.clone() for buffer in norm.buffers()]) for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    try:
        yield
    finally:
        for norm, (momentum, buffers) in zip(norms, kept, strict=True):
            norm.momentum = momentum
            for buffer, before in zip(norm.buffers(), buffers, strict=True):
                buffer.copy_(before)
