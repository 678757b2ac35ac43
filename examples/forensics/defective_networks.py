"""The defects of the teaching framework behind the flower experiment, each one a switch of the layer that had it.

For finding out what they did to its figures, and for nothing else. An arm names it like anybody's own code, by the name
that it had when it was part of the package:

    [arms.LAB]
    arch = "commongarden.forensics:network"
    family = "inception_flower"
    order = "LAB"
    side = 96
    resolution = 96
    scrambled_pool = true
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from commongarden import arch
from commongarden.arch import Activation, BatchNorm, Conv, MaxPool, Node, Repeat, Serial
from commongarden.arch.families import FAMILIES
from commongarden.errors import ArchError, unknown
from commongarden.i18n.language import N_, _
from commongarden.train.build import Padded, Summed, WindowMean, build

SLOW = 0.001  # of the way a step, where torch's running statistics move 0.1


def network(
    n_classes: int,
    *,
    family: str = "inception_flower",
    order: str = "LAB",
    side: int = 64,
    scrambled_pool: bool = False,
    constant_statistics: bool = False,
    slow_statistics: bool = False,
    overwritten_sum: bool = False,
    all_positions: bool = False,
) -> nn.Module:
    """An architecture with some defects of that framework. side: pixels of the photos it is built for, which the
    recipe's resolution must be.

    scrambled_pool: the gradient of average pools whose windows overlap is scrambled over images and positions.
    constant_statistics: the gradient of batch norm takes the batch's mean and deviation for constants.
    slow_statistics: running statistics move 0.1 % of the way a step.
    overwritten_sum: a sum is formed in place over the output of its last rectifier, whose gradient then reads the sum.
    all_positions: a strided layer with batch norm computes and normalizes every position, then keeps one in `stride`.

    Raises ArchError for a family that is not known, and for a defect that the network has no layer for.
    """
    if family not in FAMILIES:
        raise ArchError(unknown("architecture", family, FAMILIES))
    tree: Node = FAMILIES[family].make(n_classes, order=order)
    if all_positions:
        kept = tree
        tree = normalize_all(tree)
        _changed("all_positions", tree != kept, N_("strided layer with batch norm"))
    module = build(tree, (side, side, 3))
    swaps: list[tuple[str, bool, Callable[[nn.Module], nn.Module | None], str]] = [
        ("scrambled_pool", scrambled_pool, _scrambled, N_("average pool whose windows overlap")),
        ("constant_statistics", constant_statistics, _constant, N_("batch norm")),
        ("slow_statistics", slow_statistics, _slow, N_("batch norm")),
        ("overwritten_sum", overwritten_sum, _overwritten, N_("sum that ends in a rectifier")),
    ]
    for name, wanted, swap, what in swaps:
        if wanted:
            _changed(name, _swapped(module, swap) > 0, what)
    return module


def _changed(name: str, has: bool, what: str) -> None:
    if not has:
        raise ArchError(
            _("{name}: the network has no {what}, so this defect cannot be in it").format(name=name, what=_(what))
        )


def _swapped(module: nn.Module, swap: Callable[[nn.Module], nn.Module | None]) -> int:
    """Puts what `swap` gives in the place of each part; how many parts it gave something for."""
    n = 0
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            other = swap(child)
            if other is not None:
                setattr(parent, name, other)
                n += 1
    return n


# Average pool


class _ScrambledMean(torch.autograd.Function):
    """The mean over windows with "same" padding; its gradient as the framework computed it.

    With g (images, channels, h, w) divided by the pixels under its window, and put back on the full grid, the framework
    repeats all of g k * k times along the images and reads (images, channels, h, w, k, k), where each number of g
    should stand k * k times side by side; then it adds the windows back at their places.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: int, stride: int) -> Tensor:
        pad, first = (kernel - 1) // 2, (stride - 1) // 2
        count = F.avg_pool2d(x.new_ones(1, 1, *x.shape[2:]), kernel, 1, pad, divisor_override=1)
        ctx.save_for_backward(count)
        ctx.sizes = kernel, stride, pad, first
        sums = F.avg_pool2d(x, kernel, 1, pad, divisor_override=1)
        return (sums / count)[:, :, first::stride, first::stride].contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (g,) = gradients
        (count,) = ctx.saved_tensors
        kernel, stride, pad, first = ctx.sizes
        full = g.new_zeros(*g.shape[:2], *count.shape[2:])
        full[:, :, first::stride, first::stride] = g
        return scrambled(full / count, kernel, pad), None, None


def scrambled(g: Tensor, kernel: int, pad: int) -> Tensor:
    """The framework's gradient of the input: g (images, channels, h, w) is that of the output, each number divided by
    the pixels under its window."""
    n, channels, height, width = g.shape
    read = g.contiguous().repeat(kernel * kernel, 1, 1, 1).reshape(n, channels, height, width, kernel, kernel)
    windows = read.permute(0, 1, 4, 5, 2, 3).reshape(n, channels * kernel * kernel, height * width)
    return F.fold(windows, (height, width), kernel, padding=pad)


class ScrambledPool(nn.Module):
    """An average pool over windows that overlap: forward right, gradient scrambled."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _ScrambledMean.apply(x, self.kernel, self.stride)
        return y


def _scrambled(part: nn.Module) -> nn.Module | None:
    pool = part.pool if isinstance(part, Padded) else part
    if not isinstance(pool, nn.AvgPool2d | WindowMean):
        return None
    kernel, stride = (
        size if isinstance(size, tuple) else (size, size) for size in (_size(pool, "kernel"), pool.stride)
    )
    if kernel == stride:
        return None  # its gradient was right
    return ScrambledPool(kernel[0], stride[0])


def _size(pool: nn.AvgPool2d | WindowMean, name: str) -> Any:
    return getattr(pool, f"{name}_size") if isinstance(pool, nn.AvgPool2d) else getattr(pool, name)


# Batch norm


class _NormalizedByConstants(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        ctx.save_for_backward(std)
        return (x - mean) / std

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (std,) = ctx.saved_tensors
        return gradients[0] / std, None, None


class ConstantNorm(nn.BatchNorm2d):
    """Batch norm without scale and shift whose gradient takes mean and deviation for constants."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        with torch.no_grad():
            super().forward(x)  # moves the running statistics
            std = (x.var((0, 2, 3), unbiased=False, keepdim=True) + self.eps).sqrt()
            mean = x.mean((0, 2, 3), keepdim=True)
        y: Tensor = _NormalizedByConstants.apply(x, mean, std)
        return y


def _constant(part: nn.Module) -> nn.Module | None:
    if type(part) is not nn.BatchNorm2d or part.affine:
        return None
    return ConstantNorm(part.num_features, part.eps, part.momentum, affine=False)


def _slow(part: nn.Module) -> nn.Module | None:
    if not isinstance(part, nn.BatchNorm2d):
        return None
    part.momentum = SLOW
    return part


def normalize_all(node: Node) -> Node:
    """The tree with each strided layer that holds a batch norm made to work at every position, and to keep one in
    `stride` behind it. A pool of one pixel keeps the same positions as a strided layer."""
    if isinstance(node, Serial):
        return dataclasses.replace(node, layers=tuple(_row([normalize_all(layer) for layer in node.layers])))
    if isinstance(node, Repeat):
        return dataclasses.replace(node, body=normalize_all(node.body))
    if isinstance(node, arch.Parallel | arch.Add):
        return dataclasses.replace(node, branches=tuple(normalize_all(branch) for branch in node.branches))
    return node


def _row(parts: list[Node]) -> list[Node]:
    row: list[Node] = []
    i = 0
    while i < len(parts):
        layer = [parts[i]]
        while isinstance(layer[0], Conv) and i + len(layer) < len(parts):
            following = parts[i + len(layer)]
            if not isinstance(following, Activation | BatchNorm):
                break
            layer.append(following)
        i += len(layer)
        first = layer[0]
        if isinstance(first, Conv) and first.stride != (1, 1) and any(isinstance(part, BatchNorm) for part in layer):
            everywhere = dataclasses.replace(first, stride=(1, 1))
            layer = [everywhere, *layer[1:], MaxPool(kernel=(1, 1), stride=first.stride, padding="same")]
        row += layer
    return row


# Sum


class _OverwrittenSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rest: Tensor) -> Tensor:
        total = x.relu() + rest
        ctx.save_for_backward(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (g,) = gradients
        (total,) = ctx.saved_tensors
        return g * (total > 0), g


class OverwrittenSum(nn.Module):
    """A sum over a body that ends in a rectifier, whose gradient reads the sum in place of the rectifier's output."""

    def __init__(self, plain: Summed, body: str) -> None:
        super().__init__()
        row = getattr(plain, body)
        self.body = row[:-1]
        delattr(plain, body)
        self.rest = plain

    def forward(self, x: Tensor) -> Tensor:
        before = self.body(x)
        y: Tensor = _OverwrittenSum.apply(before, self.rest(x))
        return y


def _overwritten(part: nn.Module) -> nn.Module | None:
    if not isinstance(part, Summed):
        return None
    name, body = next(part.named_children())
    if not isinstance(body, nn.Sequential) or not isinstance(body[-1], nn.ReLU):
        return None
    return OverwrittenSum(part, name)
