"""From what two passes show to findings.

The bounds are set so that the published forms with their usual first weights stay clear of them, which the tests ask of
them. Causes are told, not what follows from them: behind a dead or constant layer nothing else is looked for.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from commongarden.records.findings import DEAD_SHARE, FACTOR, WHOLE_FACTOR, Finding, Kind
from commongarden.train.activations import RECTIFIERS, ActivationCapture, Linear, ModuleCall, linear_calls, rms, spread
from commongarden.train.numerical import compare_gradient
from commongarden.train.torch_private import BatchNorm

GAIN_LOW, GAIN_HIGH = 0.05, 20.0  # of one layer's weights; sqrt(2) by He et al. 2015
GROUPED_GAIN_LOW = 0.005  # many networks draw grouped convolutions as if they were not, and normalize behind them
OUTSTANDING = 10.0  # of a layer's gain beside the median one
TYPICAL_FACTOR = 1.05  # of the middle one of all steps from one depth to the next
SUM_GROWS = 5.0  # of a residual block's output, over its input or 1
CONSTANT = 1e-5  # of the rms: what rounding leaves
FAINT_LOGITS = 1e-4
NOISE = 2.5  # over the signal, of one layer: a dropout of 0.86
LOGITS_APART = 10.0  # over the logits of evaluation; two dropouts of 0.5 come to 2 or 3
WRONG_COSINE, WRONG_ERROR = 0.99, 0.05
RESIDUE = 0.05  # of the first running statistics, at the end of training
HALF_LIFE_STEPS, HALF_LIFE_EPOCHS = 100, 0.5
VALUES_TO_NORMALIZE = 8
SURE = 0.85  # mean of the greatest probability
LARGE_LOGITS = 10.0  # rms about the mean over classes; sums that nothing normalizes behind come to 7


@dataclass(frozen=True)
class Plan:
    """What of a recipe and its photos an audit needs to know."""

    batch_size: int
    steps_per_epoch: int
    epochs: int
    n_classes: int
    freezes: bool = False  # everything but the last layer, so that batch norm stays in evaluation mode


@dataclass(frozen=True, eq=False)
class Passes:
    """A training pass with its gradients still in the parameters, and the logits of evaluation on the same photos."""

    network: nn.Module
    watch: ActivationCapture
    logits: Tensor
    calm: Tensor
    loss: float


def symptoms(passes: Passes, plan: Plan) -> list[Finding]:
    """All findings, by dotted module names, in the order in which the modules work."""
    watch = passes.watch
    found = [*_dead(watch), *_constant(watch)]
    silent = any(finding.kind == "constant output" or finding.value == 1 for finding in found)
    if not silent:
        trends = list(_trends(watch))
        found += trends
        found += [*_weights(watch, {finding.kind for finding in trends}), *_sums(watch)]
        found += _logits(passes, plan, found)
    norms = [call for call in watch.seen if isinstance(call.module, BatchNorm) and not plan.freezes]
    found += [
        *_gradients(passes, silent),
        *_custom(watch),
        *_apart(passes),
        *_lagging(norms, plan),
        *_few(norms, plan),
        *_dropped(watch),
    ]
    order = {call.name: i for i, call in enumerate(watch.seen)}
    return sorted(found, key=lambda finding: order.get(finding.path, -1))


def _weights(watch: ActivationCapture, trends: set[Kind]) -> Iterator[Finding]:
    """A linear layer whose weights change the scale of the signal by far more than one layer should; where the signal
    shrinks or grows everywhere, only layers that stand out from the others."""
    calls = linear_calls(watch)
    usual = statistics.median([call.gain for call in calls] or [1.0])
    for call in calls:
        low = GAIN_LOW if getattr(call.module, "groups", 1) == 1 else GROUPED_GAIN_LOW
        low = min(low, usual / OUTSTANDING) if "shrinking signal" in trends else low
        high = max(GAIN_HIGH, usual * OUTSTANDING) if "growing signal" in trends else GAIN_HIGH
        if call.input_rms > 0 and not low <= call.gain <= high:
            kind: Kind = "small weights" if call.gain < GAIN_LOW else "large weights"
            yield Finding(kind, call.name, call.gain, {"output": call.output_rms})


def _dead(watch: ActivationCapture) -> Iterator[Finding]:
    """Rectifiers that let nothing through of most channels, where something came in."""
    for call in watch.seen:
        if isinstance(call.module, RECTIFIERS) and call.input_spread > CONSTANT and call.dead >= DEAD_SHARE:
            yield Finding("dead units", call.name, call.dead, {"units": float(call.channels)})


def _constant(watch: ActivationCapture) -> Iterator[Finding]:
    """Layers with weights that put out the same for every photo, while photos that differ come in."""
    for call in linear_calls(watch):
        if call.input_spread > CONSTANT >= call.output_spread:
            yield Finding("constant output", call.name, call.output_spread)


def _sums(watch: ActivationCapture) -> Iterator[Finding]:
    """Parts of several layers, shaped like a residual block, whose output is far above their input. The innermost one
    is told; a linear layer inside with such weights has been told already."""
    told: list[str] = []
    for call in watch.seen:  # inner ones end first
        grows = call.output_rms / max(call.input_rms, 1.0)
        parts = next(call.module.children(), None) is not None
        if call.name and parts and call.is_sum and grows > SUM_GROWS and not _holds_any(call.name, told):
            told.append(call.name)
            yield Finding("growing sum", call.name, grows, {"input": call.input_rms, "output": call.output_rms})


def _holds_any(name: str, others: Iterable[str]) -> bool:
    return any(other.startswith(f"{name}.") for other in others)


def _trends(watch: ActivationCapture) -> Iterator[Finding]:
    """The signal's and the gradient's factor per layer, as a straight line through their logarithms over the depth."""
    calls = linear_calls(watch)
    trends: tuple[tuple[Kind, Kind, int, list[tuple[ModuleCall, float]]], ...] = (
        ("shrinking signal", "growing signal", 1, [(call, call.output_rms) for call in calls]),
        # as gradients go: from the loss down to the first layer
        ("shrinking gradients", "growing gradients", -1, [(call, call.gradient or 0.0) for call in calls]),
    )
    for shrinking, growing, way, values in trends:
        points = [(call, math.log(value)) for call, value in values if 0 < value < math.inf]
        depths = sorted({call.depth for call, _ in points})
        if len(depths) < 5:
            continue
        slope = way * _slope([(call.depth, value) for call, value in points])
        typical = way * _typical_step(points, depths)
        if abs(slope) * (depths[-1] - depths[0]) < math.log(WHOLE_FACTOR) or abs(slope) < math.log(FACTOR):
            continue
        if typical * slope <= 0 or abs(typical) < math.log(TYPICAL_FACTOR):
            continue  # one layer's doing, which is told as such
        factor, whole = math.exp(slope), math.exp(slope * (depths[-1] - depths[0]))
        last, _value = points[::way][-1]
        ends = [value for _call, value in values[::way]]
        more = {"layers": float(depths[-1]), "whole": whole, "first": ends[0], "last": ends[-1]}
        yield Finding(growing if slope > 0 else shrinking, last.name, factor, more)


def _typical_step(points: list[tuple[ModuleCall, float]], depths: list[int]) -> float:
    means = [statistics.fmean(value for call, value in points if call.depth == depth) for depth in depths]
    return statistics.median(after - before for before, after in itertools.pairwise(means))


def _slope(points: list[tuple[int, float]]) -> float:
    n = len(points)
    mean_x, mean_y = (sum(point[axis] for point in points) / n for axis in (0, 1))
    spread_x = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread_x


def _logits(passes: Passes, plan: Plan, found: list[Finding]) -> Iterator[Finding]:
    last = linear_calls(passes.watch)[-1:]
    name = last[0].name if last else ""
    logits = passes.logits
    if not torch.isfinite(logits).all():
        yield Finding("saturated logits", name, math.inf, {"loss": passes.loss, "guessing": math.log(plan.n_classes)})
        return
    sure = float(logits.softmax(1).amax(1).mean())
    guessing = math.log(plan.n_classes)
    if sure > SURE and rms(logits - logits.mean(1, keepdim=True)) > LARGE_LOGITS:
        yield Finding("saturated logits", name, sure, {"loss": passes.loss, "guessing": guessing})
    differing = spread(logits) * rms(logits)
    if not passes.watch.seen or passes.watch.seen[-1].input_spread <= CONSTANT:
        return  # photos that do not differ
    if spread(logits) <= CONSTANT and not found:
        yield Finding("constant output", name, differing)
    elif differing < FAINT_LOGITS:
        yield Finding("faint output", name, differing)


def _gradients(passes: Passes, silent: bool) -> Iterator[Finding]:
    """Where the gradient is cut off, parameters that take no part, and layers behind which all gradients are zero."""
    watch, network = passes.watch, passes.network
    cut = [call.name for call in watch.seen if call.is_cut]
    cut = [name for name in cut if not _holds_any(name, cut) and not (name == "" and len(cut) > 1)]
    missing = {
        name: parameter
        for name, parameter in network.named_parameters()
        if parameter.requires_grad and parameter.grad is None
    }
    owners: dict[str, list[str]] = {}
    for name in missing:
        owners.setdefault(name.rpartition(".")[0], []).append(name)
    ran = {call.name: i for i, call in enumerate(watch.seen)}
    reached = {name.rpartition(".")[0] for name, parameter in network.named_parameters() if parameter.grad is not None}
    received = {call.name for call in watch.seen if call.gradient is not None}
    severed = [name for name in owners if name in ran and name not in reached | received]
    n_severed = sum(missing[name].numel() for owner in severed for name in owners[owner])
    if not cut and severed:  # cut between modules: the last one to work is where it ends
        cut = [max(severed, key=lambda name: ran[name])]
    for name in cut:
        yield Finding("cut gradient", name, float(n_severed), {"layers": float(len(severed))})
    for owner, parameters in owners.items():
        if owner not in severed:
            for name in parameters:
                yield Finding("unused parameter", owner, float(missing[name].numel()), what=name.rpartition(".")[2])
    if not silent and not cut:
        yield from _zero(passes)


def _zero(passes: Passes) -> Iterator[Finding]:
    """The last layer all of whose units get a gradient of exactly zero, such as before a rectifier that is a function
    and no module. A normalization whose scale starts at zero has silenced its branch on purpose."""
    silenced = any(
        not parameter.any()
        for module in passes.network.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if name == "weight" and not isinstance(module, Linear)
    )
    if silenced:
        return
    dead = [call for call in linear_calls(passes.watch) if call.gradient is not None and call.zero_gradient >= 1]
    if dead:
        yield Finding("zero gradient", dead[-1].name, dead[-1].zero_gradient, {"layers": float(len(dead))})


def _custom(watch: ActivationCapture) -> Iterator[Finding]:
    """Hand-written gradients that disagree with the numerical one."""
    for call in watch.seen:
        if call.custom:
            try:
                cosine, error = compare_gradient(call.module, call.inputs)
            except Exception:
                continue  # it cannot work by itself, such as with arguments by name; or it cannot be copied
            if cosine < WRONG_COSINE or error > WRONG_ERROR:
                yield Finding("wrong gradient", call.name, cosine, {"error": error})


def _apart(passes: Passes) -> Iterator[Finding]:
    """Layers whose randomness in training drowns the signal, or else outputs that training and evaluation disagree on
    though the running statistics are those of the batch."""
    noisy = [call for call in passes.watch.seen if call.noise > NOISE]
    for call in noisy:
        yield Finding("train and eval apart", call.name, call.noise)
    apart = rms(passes.logits - passes.calm) / max(rms(passes.calm), 1e-30)
    if not noisy and apart > LOGITS_APART:
        yield Finding("train and eval apart", "", apart)


def _lagging(norms: list[ModuleCall], plan: Plan) -> Iterator[Finding]:
    """Batch norms whose running statistics lag at their momentum."""
    by_momentum: dict[float, list[ModuleCall]] = {}
    for call in norms:
        momentum: Any = call.module.momentum if call.module.track_running_stats else None
        if momentum is not None and momentum < 1:  # None averages over all steps
            by_momentum.setdefault(float(momentum), []).append(call)
    for rate, calls in by_momentum.items():
        half_life = math.log(0.5) / math.log1p(-rate)
        epochs = half_life / plan.steps_per_epoch
        residue = (1 - rate) ** (plan.steps_per_epoch * plan.epochs)
        if residue > RESIDUE or (half_life > HALF_LIFE_STEPS and epochs > HALF_LIFE_EPOCHS):
            more = {"momentum": rate, "residue": residue, "layers": float(len(calls)), "steps": half_life}
            yield Finding("lagging statistics", calls[0].name, epochs, more)


def _few(norms: list[ModuleCall], plan: Plan) -> Iterator[Finding]:
    """Batch norms with too few numbers to normalize by."""
    few = [call for call in norms if plan.batch_size * call.places < VALUES_TO_NORMALIZE]
    if few:
        values = min(plan.batch_size * call.places for call in few)
        more = {"batch_size": float(plan.batch_size), "layers": float(len(few))}
        yield Finding("small batch", few[0].name, float(values), more)


def _dropped(watch: ActivationCapture) -> Iterator[Finding]:
    """Pools of one pixel with a stride: they only drop positions, which the layers before them worked out in vain, and
    which a batch norm there took its statistics from."""
    for call in watch.seen:
        if isinstance(call.module, nn.MaxPool2d | nn.AvgPool2d):
            kernel, stride = (_pair(size) for size in (call.module.kernel_size, call.module.stride))
            if kernel == (1, 1) and stride != (1, 1):
                yield Finding("dropped positions", call.name, 1 - 1 / (stride[0] * stride[1]))


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return size if isinstance(size, tuple) else (size, size)
