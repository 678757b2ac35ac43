"""The torch module of a network. The only place that turns nodes into modules.

The module tree follows the tree of nodes, so a parameter's name is its layer's path:
"stage_2.block_1.body.conv_3x3.weight".
"""

from __future__ import annotations

import math
import re
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from commongarden import arch
from commongarden.arch import Node, Shape
from commongarden.errors import ArchError
from commongarden.i18n.language import _
from commongarden.train import external
from commongarden.train.convolutions import overruns

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


def build(network: Node, input: Shape) -> nn.Module:
    """The module for images (n, channels, height, width) of shape `input` (height, width, channels).

    Weights are torch's own until `initialize` draws them. Raises ArchError with the layer's path.
    """
    arch.trace(network, input)  # so that a mistake anywhere is told with its full path
    return _build(network, input)


def _build(node: Node, shape: Shape) -> nn.Module:
    match node:
        case arch.Serial() | arch.Repeat():
            return _row(nn.Sequential(), node, shape)
        case arch.Auxiliary(weight=weight):
            return _row(AuxiliaryHead(weight), node, shape)
        case arch.Parallel() | arch.Add():
            width = arch.output_shape(node, shape)[-1]
            joint = Concatenated() if isinstance(node, arch.Parallel) else Summed(node.input, width, node.channels)
            _add(joint, node, [(name, _build(child, shape)) for name, child in arch.children(node)])
            return joint
        case arch.Conv():
            return _conv(node, shape)
        case arch.MaxPool() | arch.AvgPool():
            return _pool(node, shape)
        case arch.AdaptiveAvgPool(size=size):
            return nn.AdaptiveAvgPool2d(size)
        case arch.Dense(features=features, bias=bias):
            return (nn.Linear if len(shape) == 1 else FlatLinear)(math.prod(shape), features, bias)
        case arch.Dropout(rate=rate):
            return nn.Dropout(rate)
        case arch.Noise(std=std):
            return Noise(std)
        case arch.BatchNorm():
            kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
            norm = kind(shape[-1], eps=node.epsilon, momentum=node.momentum, affine=node.affine)
            if node.affine:
                nn.init.constant_(norm.weight, node.first_scale)
            return norm
        case arch.Rescale(scale=scale, shift=shift):
            return Rescale(scale, shift)
        case arch.Activation(kind=name):
            return ACTIVATIONS[name]()
        case arch.External():
            return external.make(node)


def _row(row: nn.Sequential, node: Node, shape: Shape) -> nn.Sequential:
    parts = []
    for name, child in arch.children(node):
        parts.append((name, _build(child, shape)))
        shape = arch.output_shape(child, shape)
    _add(row, node, parts)
    return row


def module_name(label: str) -> str:
    """A node's label as torch accepts it for a module: "conv 3x3 (2)" gives "conv_3x3_2"."""
    name = re.sub(r"\W+", "_", label).strip("_") or "layer"
    return f"{name}_" if hasattr(nn.Sequential(), name) else name


def _add(parent: nn.Module, node: Node, parts: list[tuple[str, nn.Module]]) -> None:
    for label, module in parts:
        name = module_name(label)
        if name in dict(parent.named_children()):
            message = _("{node}: found two modules named {name!r}; accepted: different names")
            raise ArchError(message.format(node=arch.label(node), name=name))
        parent.add_module(name, module)


class Concatenated(nn.Module):
    """Branches over one input, concatenated along the channels."""

    def forward(self, x: Tensor) -> Tensor:
        parts = [branch(x) for branch in self.children()]
        for part in parts:
            if part.requires_grad:
                part.register_hook(_packed)
        return torch.cat(parts, dim=1)


def _packed(gradient: Tensor | None) -> Tensor | None:
    """The gradient of one branch as a whole of its own, where it is a slice of the channels with channels last.

    Such a slice is a few numbers here and a few there, and what takes it as it is (the gradient of an activation does)
    needs up to twenty times as long.
    """
    if gradient is None or gradient.dim() != 4:  # autograd gives None where nothing comes back
        return None
    is_scattered = gradient.stride(1) == 1 and gradient.stride(3) > gradient.shape[1]
    return gradient.contiguous(memory_format=torch.channels_last) if is_scattered else None


class Summed(nn.Module):
    """The sum of branches over one input, narrower ones with their channels repeated up to `width`, or zeros behind."""

    def __init__(self, with_input: bool, width: int, channels: str) -> None:
        super().__init__()
        self._with_input = with_input
        self._width = width
        self._zeros = channels == "zeros"

    def forward(self, x: Tensor) -> Tensor:
        parts = [branch(x) for branch in self.children()] + ([x] if self._with_input else [])
        total = self._widened(parts[0])
        for part in parts[1:]:
            total = total + self._widened(part)
        return total

    def _widened(self, part: Tensor) -> Tensor:
        missing = self._width - part.shape[1]
        if missing and self._zeros:
            return F.pad(part, (*(0, 0) * (part.dim() - 2), 0, missing))
        return torch.cat([part] * (self._width // part.shape[1]), dim=1) if missing else part


class AuxiliaryHead(nn.Sequential):
    """Passes its input on; in training it also keeps the logits of its own layers until they are collected."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self._weight = weight
        self._logits: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            y = x
            for layer in self:
                y = layer(y)
            self._logits = y
        return x

    def collect(self) -> tuple[float, Tensor]:
        """The weight of the head's loss and the logits of the last batch, which are let go."""
        assert self._logits is not None, "an auxiliary head has logits after a training pass only"
        logits, self._logits = self._logits, None
        return self._weight, logits


def auxiliary_logits(network: nn.Module) -> list[tuple[float, Tensor]]:
    """For each auxiliary head of the network, once after each training pass: weight of its loss, logits."""
    found = [head.collect() for head in network.modules() if isinstance(head, AuxiliaryHead)]
    for part in network.modules():
        if isinstance(part, external.ExternalNetwork):
            found += part.collect()
    return found


class Rescale(nn.Module):
    """scale * x + shift per channel. Python's numbers, not a tensor's: no dtype rounds them before their time. On a
    device they are copied once, as a captured step may copy nothing from the host."""

    _there: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] | None = None

    def __init__(self, scale: tuple[float, ...], shift: tuple[float, ...]) -> None:
        super().__init__()
        self._scale = scale
        self._shift = shift

    def forward(self, x: Tensor) -> Tensor:
        sides = (1, -1, *(1,) * (x.dim() - 2))
        scale, shift = self._numbers(x)
        return x * scale.view(sides) + shift.view(sides)

    def _numbers(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.device.type == "cpu":
            return x.new_tensor(self._scale), x.new_tensor(self._shift)
        place, there = (x.device, x.dtype), self._there or {}
        if place not in there:
            with torch.inference_mode(False):  # for training too
                there[place] = x.new_tensor(self._scale), x.new_tensor(self._shift)
            self._there = there
        return there[place]


class FlatLinear(nn.Linear):
    """A dense layer over an image, channel by channel."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(1))


class PaddedConv2d(nn.Conv2d):
    """A convolution whose sides are padded (or, where negative, cropped) each by its own number of pixels."""

    def __init__(self, left_right_top_bottom: tuple[int, int, int, int], *sizes: Any) -> None:
        super().__init__(*sizes)
        self._sides = left_right_top_bottom

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self._sides))


class Noise(nn.Module):
    """Adds N(0, std) in training."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        return x + self.std * torch.randn_like(x) if self.training else x


class Padded(nn.Module):
    """Pads (or, with negative sides, crops) before a pool that cannot pad so by itself."""

    def __init__(self, left_right_top_bottom: tuple[int, int, int, int], value: float, pool: nn.Module) -> None:
        super().__init__()
        self.sides = left_right_top_bottom
        self.value = value
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.pool(F.pad(x, self.sides, value=self.value))
        return y


class WindowMean(nn.Module):
    """The mean over windows that reach over an edge: their sum divided by the number of pixels that count."""

    count: Tensor

    def __init__(self, kernel: tuple[int, int], stride: tuple[int, int], counted: Tensor) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride
        self.register_buffer("count", self._sums(counted), persistent=False)

    def _sums(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.kernel, self.stride, divisor_override=1)

    def forward(self, x: Tensor) -> Tensor:
        return self._sums(x) / self.count


def _windows(node: arch.Conv | arch.MaxPool | arch.AvgPool, shape: Shape) -> list[tuple[int, int, bool]]:
    """Along height and width: pixels before, after, and whether torch's own even padding keeps the same windows."""
    rows = []
    dilation = node.dilation if isinstance(node, arch.Conv) else (1, 1)
    ceil = not isinstance(node, arch.Conv) and node.ceil_mode
    for axis in (0, 1):
        size, kernel, stride = shape[axis], node.kernel[axis], node.stride[axis]
        before, kept = arch.window(size, kernel, stride, dilation[axis], node.padding, axis, ceil)
        reach = dilation[axis] * (kernel - 1) + 1
        after = (kept - 1) * stride + reach - size - before
        even = before >= 0 and (size + 2 * before - reach) // stride + 1 == kept
        rows.append((before, after, even))
    return rows


def _conv(node: arch.Conv, shape: Shape) -> nn.Module:
    (top, bottom, even_height), (left, right, even_width) = _windows(node, shape)
    sizes = (shape[2], node.channels, node.kernel, node.stride)
    rest = (node.dilation, node.groups, node.bias)
    unsafe = top == left == 0 and overruns((shape[0], shape[1], shape[2]), node.kernel, node.stride, node.groups)
    if even_height and even_width and not unsafe:
        return nn.Conv2d(*sizes, (top, left), *rest)
    return PaddedConv2d((left, right, top, bottom), *sizes, 0, *rest)


def _pool(node: arch.MaxPool | arch.AvgPool, shape: Shape) -> nn.Module:
    (top, bottom, even_height), (left, right, even_width) = _windows(node, shape)
    fits = 2 * top <= node.kernel[0] and 2 * left <= node.kernel[1]  # torch pads a pool by half a kernel at most
    native = even_height and even_width and fits
    if isinstance(node, arch.MaxPool):
        if native:
            return nn.MaxPool2d(node.kernel, node.stride, (top, left))
        return Padded((left, right, top, bottom), -math.inf, nn.MaxPool2d(node.kernel, node.stride))
    symmetric = isinstance(node.padding, str) or node.padding[0::2] == node.padding[1::2]
    if native and (symmetric or not node.count_padding):
        return nn.AvgPool2d(node.kernel, node.stride, (top, left), count_include_pad=node.count_padding)
    sides = (left, right, top, bottom)
    declared = sides if node.padding in ("same", "inside") else _declared(node)
    counted = F.pad(torch.ones(1, 1, shape[0], shape[1]), declared, value=float(node.count_padding))
    overhang = (0, shape[1] + left + right - counted.shape[3], 0, shape[0] + top + bottom - counted.shape[2])
    return Padded(sides, 0.0, WindowMean(node.kernel, node.stride, F.pad(counted, overhang)))


def _declared(node: arch.AvgPool) -> tuple[int, int, int, int]:
    """The padding as written (left, right, top, bottom), without what ceil_mode adds behind it, which never counts."""
    if isinstance(node.padding, str):
        return (0, 0, 0, 0)
    top, bottom, left, right = node.padding
    return (left, right, top, bottom)
