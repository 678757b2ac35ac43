"""Signals of a network while it is trained, from hooks that are active on a few steps of an epoch only.

Nothing here draws a random number or changes a tensor of the network, so that training gives the same bits with and
without it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle

from commongarden.signals import SIGNALS, LayerKind, Reestimated, Signals, WatchedLayer
from commongarden.train.watch import RECTIFIERS, TINY, Linear, tensors, walk

STEPS_A_LOOK = 50  # of an epoch's steps, the layers are looked at in one for so many
MOST_LOOKS = 4
MOST_PAIRS = 8  # of neighbouring steps whose gradients are held against each other, which costs little
PHOTOS = 8  # of a batch, for the scales; dead channels are looked for in all


class Recorder:
    """Watches one network over its training. The loop tells it where a step is: `begin`, `learned` behind the backward
    pass, `moved` behind the optimizer, and `end_epoch`.

    paths: what a module's dotted name is told as, as in an audit.
    """

    def __init__(self, network: nn.Module, paths: Mapping[str, str], steps_per_epoch: int) -> None:
        self.network = network
        self.layers: dict[str, WatchedLayer] = {}
        self.rows: list[dict[str, Any]] = []
        self._parameters = list(network.parameters())
        self._paths = paths
        looks = max(1, min(MOST_LOOKS, steps_per_epoch // STEPS_A_LOOK))
        pairs = max(1, min(MOST_PAIRS, steps_per_epoch // 3))
        self._looks = _spread_out(looks, steps_per_epoch)
        firsts = _spread_out(pairs, steps_per_epoch - 1)
        self._seconds = {first + 1 for first in firsts if first < steps_per_epoch}
        self._firsts = {second - 1 for second in self._seconds}
        self._step = 0
        self._handles: list[RemovableHandle] = []
        self._graph: dict[Any, int] | None = None
        self._gradient: Tensor | None = None  # of the step before, of all weights in a row
        self._weights: dict[str, Tensor] = {}
        self._forget()

    def _forget(self) -> None:
        """Makes ready for an epoch."""
        self._sums: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in SIGNALS}
        self._alive: dict[str, Tensor] = {}
        self._apart: dict[str, list[Tensor]] = defaultdict(list)
        self._squares: list[float] = []
        self._products: list[float] = []

    # What the loop calls

    def begin(self, step: int) -> bool:
        """Before the forward pass of this step of the epoch, from 1. Whether its layers are looked at."""
        self._step = step
        if step in self._looks:
            self._graph = {} if not self.layers else None
            for name, module in self.network.named_modules():
                if isinstance(module, Linear):
                    self._handles.append(module.register_forward_hook(self._linear_hook(name)))
                elif isinstance(module, RECTIFIERS):
                    self._handles.append(module.register_forward_hook(self._rectifier_hook(name)))
                elif isinstance(module, _BatchNorm) and _moves(module):
                    self._norm_hooks(name, module)
        return step in self._looks

    def learned(self) -> None:
        """Behind the backward pass, before the optimizer moves the weights."""
        if self._step in self._looks:
            for handle in self._handles:
                handle.remove()
            self._handles, self._graph = [], None
            self._weights = {name: weight.clone() for name, weight in self._linear_weights()}
        if self._step in self._firsts or self._step in self._seconds:
            before, now = self._gradient, self._gradient_now()
            if self._step in self._seconds and before is not None and 0 < len(before) == len(now):
                self._squares.append((_norm(before) ** 2 + _norm(now) ** 2) / 2)
                self._products.append(float(before.dot(now)))
            self._gradient = now if self._step in self._firsts else None

    def moved(self) -> None:
        """Behind the optimizer's step."""
        if self._step in self._looks:
            for name, weight in self._linear_weights():
                before = self._weights[name]
                change, size = float((weight - before).norm()), float(before.norm())
                self._sums["update"][name].append(change / max(size, TINY))
            self._weights = {}

    def end_epoch(self, epoch: int) -> None:
        """Takes up the epoch's figures."""
        for name, weight in self._linear_weights():
            if name in self.layers:
                self._sums["weight"][name].append(float(weight.norm()))
        for name, alive in self._alive.items():
            self._sums["dead"][name].append(1 - float(alive.float().mean()))
        for name, apart in self._apart.items():
            mean = torch.stack(apart).double().mean(0)  # signed, so that chance between batches falls out
            self._sums["distance"][name].append(float(mean.square().sum(0).mean().sqrt()))
        values = {
            signal: {name: sum(found) / len(found) for name, found in by_layer.items()}
            for signal, by_layer in self._sums.items()
        }
        n = len(self._squares)
        square, product = (sum(found) / n if n else math.nan for found in (self._squares, self._products))
        self.rows.append({"epoch": epoch, "values": values, "square": square, "product": product})
        self._forget()

    # What it is asked for

    def state(self) -> dict[str, Any]:
        """Everything that a checkpoint must hold."""
        layers = [[name, layer.path, layer.kind, layer.depth] for name, layer in self.layers.items()]
        return {"layers": layers, "rows": self.rows}

    def load(self, state: Mapping[str, Any]) -> None:
        """Goes on from there."""
        self.layers = {name: WatchedLayer(path, kind, depth) for name, path, kind, depth in state["layers"]}
        self.rows = list(state["rows"])

    def signals(self, reestimated: Reestimated | None = None) -> Signals:
        """All epochs so far."""
        names = list(self.layers)

        def table(signal: str) -> np.ndarray:
            rows = [[row["values"][signal].get(name, math.nan) for name in names] for row in self.rows]
            return np.array(rows, np.float32).reshape(len(rows), len(names))

        return Signals(
            layers=tuple(self.layers.values()),
            epochs=np.array([row["epoch"] for row in self.rows], np.int32),
            square=np.array([row["square"] for row in self.rows], np.float64),
            product=np.array([row["product"] for row in self.rows], np.float64),
            reestimated=reestimated,
            **{signal: table(signal) for signal in SIGNALS},
        )

    # Hooks

    def _linear_hook(self, name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            result = next(iter(tensors(output)), None)
            if result is None or not module.training:
                return
            depth = walk(result.grad_fn, self._graph)[1] if self._graph is not None and result.grad_fn else 0
            self._know(name, "linear", depth)
            y = result.detach()
            some = y[:PHOTOS]
            self._sums["activation"][name].append(_norm(some) / math.sqrt(max(some.numel(), 1)))
            if result.requires_grad:
                n = len(y)

                def arrived(gradient: Tensor) -> None:
                    some = gradient.detach()[:PHOTOS]
                    self._sums["gradient"][name].append(n * _norm(some) / math.sqrt(len(some)))

                result.register_hook(arrived)  # type: ignore[no-untyped-call]

        return hook

    def _rectifier_hook(self, name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            result = next(iter(tensors(output)), None)
            if result is None or result.dim() < 2:
                return
            depth = walk(result.grad_fn, self._graph)[1] if self._graph is not None and result.grad_fn else 0
            self._know(name, "rectifier", depth)
            y = result.detach() if isinstance(module, nn.ReLU | nn.ReLU6) else result.detach().abs()
            channels = 1 if y.dim() != 3 else 2  # sequences of tokens have them last
            alive = y.amax([axis for axis in range(y.dim()) if axis != channels]) > 0
            self._alive[name] = self._alive[name] | alive if name in self._alive else alive

        return hook

    def _norm_hooks(self, name: str, module: _BatchNorm) -> None:
        """The batch's statistics follow from how far the running ones move, which costs nothing."""
        kept: list[tuple[Tensor, Tensor]] = []

        def before(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            assert isinstance(module, _BatchNorm)
            kept.append(_statistics(module))

        def after(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            assert isinstance(module, _BatchNorm)
            assert module.momentum is not None
            old_mean, old_var = kept.pop()
            mean, var = _statistics(module)
            batch_mean = old_mean + (mean - old_mean) / module.momentum
            batch_var = (old_var + (var - old_var) / module.momentum).clamp_min(0) + module.eps
            shift = (batch_mean - mean) / batch_var.sqrt()
            stretch = 0.5 * (batch_var.log() - (var + module.eps).log())
            result = next(iter(tensors(output)), None)
            node = None if result is None else result.grad_fn
            depth = walk(node, self._graph)[1] if self._graph is not None and node else 0
            self._know(name, "norm", depth)
            self._apart[name].append(torch.stack([shift, stretch]))

        self._handles.append(module.register_forward_pre_hook(before))
        self._handles.append(module.register_forward_hook(after))

    def _know(self, name: str, kind: LayerKind, depth: int) -> None:
        if name not in self.layers:
            self.layers[name] = WatchedLayer(path_of(name, self._paths), kind, depth)

    def _gradient_now(self) -> Tensor:
        """A copy of the gradients of all weights in a row, (n,), each in the order in which its memory lies."""
        found = [part.grad for part in self._parameters if part.grad is not None]
        rows = [part.as_strided((part.numel(),), (1,)) if _dense(part) else part.flatten() for part in found]
        return torch.cat(rows) if rows else torch.empty(0)

    def _linear_weights(self) -> list[tuple[str, Tensor]]:
        return [
            (name, module.weight.detach())
            for name, module in self.network.named_modules()
            if isinstance(module, Linear) and isinstance(module.weight, Tensor)
        ]


def path_of(name: str, paths: Mapping[str, str]) -> str:
    """The tree's path of a module; what stands inside of a layer's module, of which the tree knows nothing, is added
    by its dotted name."""
    known, rest = name, ""
    while known and known not in paths:
        known, _, last = known.rpartition(".")
        rest = f"{last}.{rest}" if rest else last
    return " / ".join(part for part in (paths.get(known, ""), rest) if part)


def _spread_out(n: int, steps: int) -> set[int]:
    """n of the steps from 1 to `steps`, each in the middle of its share."""
    return {1 + (2 * i + 1) * max(steps - 1, 0) // (2 * n) for i in range(n)}


def _moves(norm: _BatchNorm) -> bool:
    return norm.training and norm.track_running_stats and bool(norm.momentum)


def _statistics(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, var = (found.detach().clone().cpu().double() for found in (norm.running_mean, norm.running_var))
    return mean, var


def _dense(x: Tensor) -> bool:
    """Whether its values lie side by side, whatever their order."""
    return x.is_contiguous() or (x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last))


def _norm(x: Tensor) -> float:
    return float(torch.linalg.vector_norm(x.float()))
