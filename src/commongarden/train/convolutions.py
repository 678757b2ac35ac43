"""Convolutions whose gradients the library behind torch gets wrong, and the check of those of a network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from commongarden.i18n.language import N_

UNSAFE_BELOW = 16  # input channels: a vector of AVX-512
TOLERANCE = 1e-3  # of a gradient's norm; float32 sums stay well within
IMAGES = 2
Pair = tuple[int, int]


def overruns(shape: tuple[int, int, int], kernel: Pair, stride: Pair, groups: int) -> bool:
    """Whether oneDNN writes past its memory in the gradient of the weights, where tensors are channels-last: a 1x1
    convolution of few channels, without padding, with a stride that divides both sides of the image.

    shape: (height, width, channels) of the input. It crashes, gives wrong gradients, or damages other memory
    (https://github.com/uxlfoundation/oneDNN/issues/6035). An input cropped to the pixels that are used is safe.
    """
    height, width, channels = shape
    return (
        tuple(kernel) == (1, 1)
        and tuple(stride) != (1, 1)
        and groups == 1
        and channels < UNSAFE_BELOW
        and height % stride[0] == 0
        and width % stride[1] == 0
    )


@dataclass(frozen=True)
class Convolution:
    """One call. input: (channels, height, width); weight: its shape; last: whether input or weight is channels-last."""

    input: tuple[int, ...]
    weight: tuple[int, ...]
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int
    last: bool

    @property
    def is_unsafe(self) -> bool:
        """See `overruns`."""
        channels, height, width = self.input
        no_padding = self.padding == (0, 0)
        kernel = (self.weight[2], self.weight[3])
        return self.last and no_padding and overruns((height, width, channels), kernel, self.stride, self.groups)

    def __str__(self) -> str:
        out, _channels, height, width = self.weight
        size = "x".join(map(str, self.input[1:]))
        return N_("{height}x{width}, stride {stride}, {before} to {after} channels at {size}").format(
            height=height, width=width, stride=self.stride[0], before=self.input[0], after=out, size=size
        )


class Convolutions(TorchFunctionMode):
    """Collects the two-dimensional convolutions that are called while it is active, each once."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[Convolution, None] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = tuple(args)
        if func in (torch.conv2d, F.conv2d) and len(given) >= 2:
            self._note(given, dict(kwargs or {}))
        return func(*given, **(kwargs or {}))

    def _note(self, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
        call = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **dict(zip(names, given, strict=False)), **named}
        x, weight = call["input"], call["weight"]
        if isinstance(call["padding"], str) or x.dim() != 4 or not x.is_floating_point():
            return
        stride, padding, dilation = (_pair(call[name]) for name in ("stride", "padding", "dilation"))
        last = _is_last(x) or _is_last(weight)
        shapes = tuple(x.shape[1:]), tuple(weight.shape)
        self.found[Convolution(*shapes, stride, padding, dilation, int(call["groups"]), last)] = None


def _pair(value: Any) -> Pair:
    values = tuple(value) if isinstance(value, tuple | list) else (value, value)
    return (int(values[0]), int(values[-1]))


def _is_last(x: Tensor) -> bool:
    """Whether torch takes a tensor's memory for channels-last: by its strides, also where there is one pixel."""
    return x.stride(1) == 1 and x.stride(3) == x.shape[1]


def convolutions(module: nn.Module, pixels: Tensor) -> tuple[Convolution, ...]:
    """Those that the module calls in training on a batch of pixels."""
    module.train()
    with torch.no_grad(), Convolutions() as mode:
        module(pixels)
    return tuple(mode.found)


def wrong(found: Iterable[Convolution], seconds: float) -> tuple[list[Convolution], list[Convolution]]:
    """Those whose output or gradients differ from a reference, and those that are checked and right, in so much time.

    The reference is torch's own convolution in float64 and torch's own memory layout, which does not go through oneDNN.
    """
    until = time.monotonic() + seconds
    bad: list[Convolution] = []
    good: list[Convolution] = []
    for one in sorted(found, key=lambda each: each.input):
        if time.monotonic() > until:
            break
        (bad if one.is_unsafe or not _agrees(one) else good).append(one)
    return bad, good


def _agrees(one: Convolution) -> bool:
    generator = torch.Generator().manual_seed(0)
    shapes = (IMAGES, *one.input), one.weight
    x, weight = (torch.randn(shape, generator=generator, dtype=torch.float32) for shape in shapes)
    layout = torch.channels_last if one.last else torch.contiguous_format
    results = []
    for kind, memory in ((torch.float32, layout), (torch.float64, torch.contiguous_format)):
        given = [part.to(kind).contiguous(memory_format=memory).requires_grad_() for part in (x, weight)]
        y = F.conv2d(given[0], given[1], None, one.stride, one.padding, one.dilation, one.groups)
        seed = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y)
        gradients = torch.autograd.grad(y, given, seed)
        results.append([y.detach(), *gradients])
    pairs = zip(*results, strict=True)
    return all(float((mine.double() - theirs).norm()) <= TOLERANCE * float(theirs.norm()) for mine, theirs in pairs)
