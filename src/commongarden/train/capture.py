"""Figures of a network's layers while it is trained, from hooks that are active on a few steps of an epoch only.

Nothing here draws a random number or changes a tensor of the network, so that training gives the same bits with and
without it. It may raise: `recording.Recorder` stands between it and the training.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from commongarden.i18n.coded import Coded
from commongarden.records.signals import SIGNALS, LayerKind, Reestimated, Signals, WatchedLayer
from commongarden.train.activations import RECTIFIERS, TINY, Linear, first, walk
from commongarden.train.channels import Channels
from commongarden.train.torch_private import BatchNorm

STEPS_A_LOOK = 50  # of an epoch's steps, the layers are looked at in one for so many
MOST_LOOKS = 4
MOST_PAIRS = 8  # of neighbouring steps whose gradients are held against each other, which costs little
PHOTOS = 8  # of a batch, for the scales; dead channels are looked for in all


Hook = Callable[..., None]
Later = Callable[[], float]  # a figure that is read at the end of the epoch: on a device, to read it is to wait


class Capture:
    """Takes the figures of one network over its training; see `recording.Recorder` for what is called when.

    A module that is called several times in a pass has a layer for each call: "relu", "relu (2)". path: what a module's
    dotted name is shown as. guarded: wraps each hook.
    """

    def __init__(
        self, network: nn.Module, path: Callable[[str], str], steps_per_epoch: int, guarded: Callable[[Hook], Hook]
    ) -> None:
        self.network = network
        self.layers: dict[str, WatchedLayer] = {}
        self.rows: list[dict[str, Any]] = []
        self._parameters = list(network.parameters())
        self._path, self._guarded = path, guarded
        looks = max(1, min(MOST_LOOKS, steps_per_epoch // STEPS_A_LOOK))
        pairs = max(1, min(MOST_PAIRS, steps_per_epoch // 3))
        self._looks = _spread_out(looks, steps_per_epoch)
        firsts = _spread_out(pairs, steps_per_epoch - 1)
        self._seconds = {first + 1 for first in firsts if first < steps_per_epoch}
        self._firsts = {second - 1 for second in self._seconds}
        self._step = 0
        self._handles: list[RemovableHandle] = []
        self._graph: dict[Any, int] | None = None  # in the first pass that is watched, in which layers get their depth
        self._calls: dict[str, int] | None = None  # by name, in the pass that is under way
        self._channels = Channels()
        self._scale = 1.0
        self._gradient: Tensor | None = None  # of the step before, of all weights in a row
        self._weights: dict[str, Tensor] = {}
        self._forget()

    def _forget(self) -> None:
        """Makes ready for an epoch."""
        self._sums: dict[str, dict[str, list[Later]]] = {name: defaultdict(list) for name in SIGNALS}
        self._alive: dict[str, Tensor | None] = {}  # None where the number of channels changes from step to step
        self._apart: dict[str, list[Tensor]] = defaultdict(list)
        self._pairs: list[tuple[Tensor, Tensor, Tensor]] = []  # norms, dot product; on a device, read at the end

    # What the loop calls

    def begin(self, step: int, scale: float = 1.0) -> bool:
        """Before the forward pass of this step of the epoch, from 1. Whether its layers are looked at. scale: what the
        loss, and so every gradient on the way back, is multiplied by."""
        self._step, self._scale = step, scale
        if step in self._looks:
            self._graph = {} if not self.layers else None
            self._hook(self.network.register_forward_pre_hook, self._begins, with_kwargs=True)
            for name, module in self.network.named_modules():
                if isinstance(module, torch.jit.ScriptModule):
                    continue  # it takes no hooks
                if isinstance(module, BatchNorm) and _moves(module):
                    self._norm_hooks(name, module)
                else:
                    self._hook(module.register_forward_hook, self._ended_hook(name), with_kwargs=True)
            self._hook(self.network.register_forward_hook, self._ends)
        return step in self._looks

    def watches(self, step: int) -> bool:
        """Whether the layers are looked at in this step of an epoch."""
        return step in self._looks

    def wants_gradient(self) -> bool:
        """Whether the gradient of this step is compared with its neighbour's."""
        return self._step in self._firsts or self._step in self._seconds

    def learned(self) -> None:
        """Behind the backward pass, before the optimizer moves the weights."""
        if self._step in self._looks:
            self.let_go()
            self._weights = {name: weight.clone() for name, weight in self._linear_weights()}
        if self.wants_gradient():
            before, now = self._gradient, self._gradient_now()
            if self._step in self._seconds and before is not None and 0 < len(before) == len(now):
                norms = _norm(before), _norm(now)
                self._pairs.append((*norms, before.dot(now)))
            self._gradient = now if self._step in self._firsts else None

    def moved(self) -> None:
        """Behind the optimizer's step."""
        if self._step in self._looks:
            for name, weight in self._linear_weights():
                before = self._weights[name]
                self._sums["update"][name].append(_share((weight - before).norm(), before.norm()))
            self._weights = {}

    def end_epoch(self, epoch: int) -> None:
        """Takes up the epoch's figures."""
        found: dict[str, dict[str, list[float]]] = {
            signal: {name: [later() for later in figures] for name, figures in by_layer.items()}
            for signal, by_layer in self._sums.items()
        }
        for name, weight in self._linear_weights():
            if name in self.layers:
                found["weight"].setdefault(name, []).append(float(weight.norm()))
        for name, alive in self._alive.items():
            if alive is not None:
                found["dead"].setdefault(name, []).append(1 - float(alive.float().mean()))
        for name, apart in self._apart.items():
            mean = torch.stack(apart).double().mean(0)  # signed, so that chance between batches falls out
            found["distance"].setdefault(name, []).append(float(mean.square().sum(0).mean().sqrt()))
        values = {
            signal: {name: sum(figures) / len(figures) for name, figures in by_layer.items() if figures}
            for signal, by_layer in found.items()
        }
        squares = [(float(one) ** 2 + float(two) ** 2) / 2 for one, two, _product in self._pairs]
        products, n = [float(product) for *_norms, product in self._pairs], len(self._pairs)
        square, product = (sum(found) / n if n else math.nan for found in (squares, products))
        self.rows.append({"epoch": epoch, "values": values, "square": square, "product": product})
        self._forget()

    def let_go(self) -> None:
        """Takes all hooks off."""
        handles, self._handles = self._handles, []
        for handle in handles:
            handle.remove()
        self._ends()

    # What it is asked for

    def state(self) -> dict[str, Any]:
        """Everything that a checkpoint must hold."""
        layers = [[name, layer.path, layer.kind, layer.depth] for name, layer in self.layers.items()]
        return {"layers": layers, "rows": self.rows}

    def load(self, state: Mapping[str, Any]) -> None:
        """Continues from there."""
        self.layers = {name: WatchedLayer(path, kind, depth) for name, path, kind, depth in state["layers"]}
        self.rows = list(state["rows"])

    def signals(self, reestimated: Reestimated | None, notes: tuple[Coded, ...]) -> Signals:
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
            notes=notes,
            **{signal: table(signal) for signal in SIGNALS},
        )

    # Hooks

    def _hook(self, register: Callable[..., RemovableHandle], hook: Hook, **how: bool) -> None:
        self._handles.append(register(self._guarded(hook), **how))

    def _begins(self, module: nn.Module, given: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        self._calls = defaultdict(int)
        x = first((given, dict(named)))
        if x is not None:
            self._channels.image(x)

    def _ends(self, *_: Any) -> None:
        """The pass is over: calls in the backward pass are repetitions (torch.utils.checkpoint)."""
        self._calls, self._graph = None, None
        self._channels.forget()

    def _ended_hook(self, name: str) -> Hook:
        def hook(module: nn.Module, given: tuple[Any, ...], named: Mapping[str, Any], output: Any) -> None:
            result = first(output)
            if self._calls is None or result is None:
                return
            if isinstance(module, Linear) and module.training:
                self._linear(self._known(name, "linear", result), result)
            x = first((given, dict(named)))
            axis = self._channels.ended(module, x, result)
            if isinstance(module, RECTIFIERS) and result.dim() >= 2:
                self._rectifier(self._known(name, "rectifier", result), module, result, axis)

        return hook

    def _linear(self, name: str, result: Tensor) -> None:
        some = result.detach()[:PHOTOS]
        norm, size = _norm(some), math.sqrt(max(some.numel(), 1))
        self._sums["activation"][name].append(lambda: float(norm) / size)
        if result.requires_grad:
            n = len(result)

            def arrived(gradient: Tensor) -> None:
                some = gradient.detach()[:PHOTOS]
                norm, scale, size = _norm(some), self._scale, math.sqrt(len(some))
                if scale == 1.0 or math.isfinite(float(norm) / scale):  # else a scaled step that will be left out
                    self._sums["gradient"][name].append(lambda: n * (float(norm) / scale) / size)

            result.register_hook(self._guarded(arrived))  # type: ignore[no-untyped-call]

    def _rectifier(self, name: str, module: nn.Module, result: Tensor, axis: int | None) -> None:
        if axis is None:
            return
        y = result.detach() if isinstance(module, nn.ReLU | nn.ReLU6) else result.detach().abs()
        channels = y.dim() + axis
        alive = y.amax([each for each in range(y.dim()) if each != channels]) > 0
        before = self._alive.get(name, alive)
        self._alive[name] = None if before is None or before.shape != alive.shape else before | alive

    def _norm_hooks(self, name: str, module: BatchNorm) -> None:
        """The batch's statistics follow from how far the running ones move, which costs nothing."""
        kept: list[tuple[Tensor, Tensor]] = []

        def before(module: nn.Module, given: tuple[Any, ...]) -> None:
            assert isinstance(module, BatchNorm)
            if self._calls is not None:
                kept[:] = [_statistics(module)]

        def after(module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
            assert isinstance(module, BatchNorm)
            assert module.momentum is not None
            result = first(output)
            if self._calls is None or result is None:
                return
            old_mean, old_var = kept.pop()
            mean, var = _statistics(module)
            batch_mean = old_mean + (mean - old_mean) / module.momentum
            batch_var = (old_var + (var - old_var) / module.momentum).clamp_min(0) + module.eps
            shift = (batch_mean - mean) / batch_var.sqrt()
            stretch = 0.5 * (batch_var.log() - (var + module.eps).log())
            self._channels.ended(module, None, result)
            self._apart[self._known(name, "norm", result)].append(torch.stack([shift, stretch]))

        self._hook(module.register_forward_pre_hook, before)
        self._hook(module.register_forward_hook, after)

    def _known(self, name: str, kind: LayerKind, result: Tensor) -> str:
        """What this call of the pass is kept under."""
        assert self._calls is not None, "between passes nothing is kept"
        self._calls[name] += 1
        number = self._calls[name]
        key = name if number == 1 else f"{name} ({number})"
        if key not in self.layers:
            depth = 0
            if self._graph is not None and result.grad_fn is not None:
                depth = walk(result.grad_fn, self._graph)[1]
            path = self._path(name)
            self.layers[key] = WatchedLayer(path if number == 1 else f"{path} ({number})", kind, depth)
        return key

    def _gradient_now(self) -> Tensor:
        """A copy of the gradients of all weights in a row, (n,), each in the order in which its memory lies."""
        found = [part.grad for part in self._parameters if part.grad is not None]
        found = [torch.view_as_real(part) if part.is_complex() else part for part in found]
        rows = [part.as_strided((part.numel(),), (1,)) if _dense(part) else part.flatten() for part in found]
        return torch.cat(rows) if rows else torch.empty(0)

    def _linear_weights(self) -> list[tuple[str, Tensor]]:
        """Of layers whose weight is a parameter: one that is worked out from others (spectral and weight norms) would
        be worked out once more, which may change it."""
        return [
            (name, weight.detach())
            for name, module in self.network.named_modules()
            if isinstance(module, Linear) and (weight := module._parameters.get("weight")) is not None
        ]


def _spread_out(n: int, steps: int) -> set[int]:
    """n of the steps from 1 to `steps`, each in the middle of its share."""
    return {1 + (2 * i + 1) * max(steps - 1, 0) // (2 * n) for i in range(n)}


def _moves(norm: BatchNorm) -> bool:
    return norm.training and norm.track_running_stats and bool(norm.momentum)


def _statistics(norm: BatchNorm) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, var = (found.detach().clone().cpu().double() for found in (norm.running_mean, norm.running_var))
    return mean, var


def _dense(x: Tensor) -> bool:
    """Whether its values lie side by side, whatever their order."""
    return x.is_contiguous() or (x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last))


def _norm(x: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(x.float())
    return norm


def _share(change: Tensor, size: Tensor) -> Later:
    return lambda: float(change) / max(float(size), TINY)
