"""What passes through a network in one training pass, seen by hooks on its modules, whoever wrote them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction

from commongarden.train.build import Summed
from commongarden.train.channels import Channels, by_channel
from commongarden.train.external import modes_kept
from commongarden.train.torch_private import BatchNorm, is_functorch_wrapped_tensor

Linear = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.Hardswish)
LINEAR_STEPS = ("ConvolutionBackward", "AddmmBackward", "MmBackward", "BmmBackward")  # names of autograd's nodes
TINY = 1e-30


@dataclass
class ModuleCall:
    """One call of one module. rms: root mean square over all numbers.

    spread: the greatest departure of a number from its mean over the photos, divided by the rms; 0 says that nothing
        of the photos is left. linear_rms: of the output without the bias, for a linear layer.
    dead: share of the channels whose output is 0 at every place of every photo, behind a rectifier.
    noise: rms of what training adds to the output of evaluation, divided by the rms of that; 0 where nothing is random.
    is_cut: its input or its weights are to be trained, and no gradient can come back from its output.
    depth: linear layers on the longest way through the graph to the output.
    gradient: of the loss at the output, None until one arrives. zero_gradient: share of channels where it is 0.
    custom: a custom autograd function works in the module and in none of its parts.
    channels: how many there are, 0 where it is not known which dimension they are.
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
    channels: int = 0

    @property
    def gain(self) -> float:
        return self.linear_rms / max(self.input_rms, TINY)

    @property
    def is_sum(self) -> bool:
        """Shaped like a residual block, or one of our own sums."""
        return isinstance(self.module, Summed) or self.input_shape == self.output_shape


@dataclass
class ActivationCapture:
    """All calls in the order in which they ended, and the graph as far as it has been walked.

    depths: by node of autograd's graph, which is held here so that its identity lasts.
    """

    seen: list[ModuleCall] = field(default_factory=list)
    depths: dict[Any, int] = field(default_factory=dict)
    channels: Channels = field(default_factory=Channels)
    under_way: bool = False


def linear_calls(watch: ActivationCapture) -> list[ModuleCall]:
    """The calls of convolutions and dense layers."""
    return [call for call in watch.seen if isinstance(call.module, Linear)]


@contextmanager
def watched(network: nn.Module) -> Iterator[ActivationCapture]:
    """While open, every module call of a pass is noted; close it before another pass.

    A call that cannot be looked into is left out. Modules of TorchScript take no hooks, and neither do their parts.
    """
    watch = ActivationCapture()
    names = {module: name for name, module in network.named_modules()}

    def begins(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        watch.under_way = True
        given = first((inputs, named))
        if given is not None:
            watch.channels.image(given)

    def ends(*_: Any) -> None:
        watch.under_way = False
        watch.channels.forget()

    def hook(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        result, given = first(output), first((inputs, named))
        if result is None or given is None:
            return
        if not watch.under_way:
            _again(watch, names[module], result)
            return
        with suppress(Exception):
            watch.seen.append(_look(watch, names[module], module, (inputs, named), given, result))

    with ExitStack() as hooks:
        hooks.callback(ends)
        hooks.enter_context(network.register_forward_pre_hook(begins, with_kwargs=True))
        for module in names:
            if not isinstance(module, torch.jit.ScriptModule):
                hooks.enter_context(module.register_forward_hook(hook, with_kwargs=True))
        hooks.enter_context(network.register_forward_hook(ends))
        yield watch


def _again(watch: ActivationCapture, name: str, result: Tensor) -> None:
    """A call in the backward pass repeats one of the forward pass (torch.utils.checkpoint), which may have been without
    gradients then."""
    if result.requires_grad:
        for call in watch.seen:
            if call.name == name:
                call.is_cut = False


Inputs = tuple[tuple[Any, ...], dict[str, Any]]  # by place and by name


def _look(
    watch: ActivationCapture, name: str, module: nn.Module, inputs: Inputs, given: Tensor, result: Tensor
) -> ModuleCall:
    x, y = given.detach(), result.detach()
    call = ModuleCall(
        name, module, len(y), x[0, 0].numel() if x.dim() > 1 else 1, tuple(x.shape[1:]), tuple(y.shape[1:]),
        rms(x), rms(y), spread(x), spread(y),
    )  # fmt: skip
    axis = watch.channels.ended(module, given, result)
    call.channels = 0 if axis is None else y.shape[axis]
    if isinstance(module, Linear):
        call.linear_rms = rms(_without_bias(y, module, axis))
    if isinstance(module, RECTIFIERS):
        call.dead = _share_of_zeros(y, axis)
    if _may_be_random(module):
        call.noise = _noise(module, inputs, y)
    trained = any(parameter.requires_grad for parameter in module.parameters())
    call.is_cut = (given.requires_grad or trained) and not result.requires_grad
    if result.requires_grad:
        if result.grad_fn is not None:
            custom, call.depth = walk(result.grad_fn, watch.depths)
            if custom:
                call.custom = True
                call.inputs = tuple(value.detach() if isinstance(value, Tensor) else value for value in inputs[0])

        def arrived(gradient: Tensor) -> None:
            if len(gradient) != len(y) or not gradient.numel():
                return
            per_photo = gradient.detach().reshape(len(gradient), -1).double().norm(dim=1)
            call.gradient = (call.gradient or 0.0) + float(per_photo.mean()) * len(y)  # the loss is a mean over photos
            call.zero_gradient = _share_of_zeros(gradient.detach(), axis)

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
    return x.layout == torch.strided and not x.is_nested and not is_functorch_wrapped_tensor(x)


def first(value: Any) -> Tensor | None:
    """The first one of `tensors`."""
    return next(iter(tensors(value)), None)


def _without_bias(y: Tensor, module: nn.Module, axis: int | None) -> Tensor:
    bias = module.bias
    if not isinstance(bias, Tensor) or axis is None:
        return y
    return y - bias.detach().view(-1, *(1,) * (-axis - 1))


def _share_of_zeros(x: Tensor, axis: int | None) -> float:
    """Of the channels; 0 where it is not known which dimension they are."""
    return 0.0 if axis is None else float((by_channel(x, axis) == 0).all(0).float().mean())


def _may_be_random(module: nn.Module) -> bool:
    return (
        module.training
        and next(module.parameters(), None) is None
        and next(module.children(), None) is None
        and not type(module).__module__.startswith(("torch.nn.modules.activation", "torch.nn.modules.pooling"))
    )


def _noise(module: nn.Module, inputs: Inputs, y: Tensor) -> float:
    """The same call in evaluation, past the hooks."""
    module.training = False
    try:
        with torch.no_grad():
            still = first(module.forward(*inputs[0], **inputs[1]))
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
    differs from training by what is random only. Afterwards they, and all other buffers and modes, are as before."""
    norms = [module for module in network.modules() if isinstance(module, BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    for norm in norms:
        norm.momentum = 1.0
    with modes_kept(network):
        try:
            yield
        finally:
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)
