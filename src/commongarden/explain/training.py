"""From an arm's stored runs to what they show. The bounds are argued in docs/reasons.md."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import stats as distributions

from commongarden import arch
from commongarden.arch import Add, Node, Parallel, children, label
from commongarden.explain.histories import FEWEST_EPOCHS, Trained, of_histories, surely_above
from commongarden.i18n.coded import Coded
from commongarden.records import Run
from commongarden.records.findings import DEAD_SHARE, FACTOR, WHOLE_FACTOR
from commongarden.records.observation import Observation, ObservationKind
from commongarden.records.signals import Signal, Signals
from commongarden.stats import (
    at_commonest,
    commonest_class,
    geometric_mean_interval,
    mean_interval,
    rounding_spread,
)
from commongarden.store import Store
from commongarden.study.recipe import Recipe

FEWEST_DEPTHS = 5
SHARED, MOST_SHARED = 0.05, 0.10  # of the squared gradient: the mean, and the end of its interval
LAG = 0.05  # of the validation photos, that come right by statistics taken anew
SHARE, POINTS = (0.0, 1.0), (-1.0, 1.0)  # what a share, and a difference of shares, can be
SURE = 0.01  # p of the sign test over photos


def observations(store: Store, arm: str) -> tuple[Observation, ...]:
    """All that the arm's runs show, causes before consequences. Empty where nothing stands out."""
    runs = [run for run in store.runs() if run.arm == arm]
    done = [
        Trained(run, store.history(arm, run.seed), store.signals(arm, run.seed))
        for run in runs
        if run.status == "finished"
    ]
    found = [*_diverged(arm, runs)]
    if done:
        found += [*_commonest(store, arm, done), *_of_signals(arm, done), *of_histories(arm, done)]
    return tuple(found)


def notes(store: Store, arm: str) -> tuple[Coded, ...]:
    """Where signals were recorded for a part of the training only: the reasons, each once, in English."""
    runs = [run for run in store.runs() if run.arm == arm]
    found = [store.signals(arm, run.seed) for run in runs]
    return tuple(dict.fromkeys(note for signals in found if signals is not None for note in signals.notes))


def every_observation(store: Store) -> dict[str, tuple[Observation, ...]]:
    """By arm, in the study's order."""
    return {arm: observations(store, arm) for arm in store.study().arms}


def _diverged(arm: str, runs: Sequence[Run]) -> Iterator[Observation]:
    gone = [run for run in runs if run.failure is not None and run.failure.cause == "diverged"]
    if gone:
        epoch = statistics.fmean(run.failure.epoch for run in gone if run.failure)
        share = mean_interval([float(run in gone) for run in runs], bounds=SHARE)
        yield Observation("diverged", arm, "", share, len(runs), {"runs": float(len(gone)), "epoch": epoch})


def _commonest(store: Store, arm: str, done: Sequence[Trained]) -> Iterator[Observation]:
    manifest = store.manifest()
    labels = {photo.path: photo.label for photo in manifest.photos}
    stuck = []
    for grown in done:
        split = store.split(grown.run.seed)
        line = commonest_class([labels[path] for path in split.train], [labels[path] for path in split.test])
        stuck.append(at_commonest(grown.run, store.predictions(grown.run.arm, grown.run.seed), line.accuracy))
    if any(stuck):
        losses = [grown.history[-1].train_loss for grown, is_stuck in zip(done, stuck, strict=True) if is_stuck]
        share = mean_interval([float(one) for one in stuck], bounds=SHARE)
        more = {"runs": float(sum(stuck))}
        if all(_is_plain_loss(grown.run.recipe) for grown in done):
            more |= {"loss": statistics.fmean(losses), "guessing": line.loss}
        yield Observation("commonest class", arm, "", share, len(done), more)


def _is_plain_loss(recipe: Recipe) -> bool:
    """Whether the training loss is the cross-entropy of the labels, which guessing can be compared with."""
    return not (recipe.label_smoothing or recipe.mixup or recipe.cutmix) and recipe.class_weight == "none"


# What passed through the layers


def _of_signals(arm: str, done: Sequence[Trained]) -> Iterator[Observation]:
    recorded = [grown for grown in done if grown.signals is not None and len(grown.signals.epochs)]
    signals = [grown.signals for grown in recorded if grown.signals is not None]
    if not signals:
        return
    dead = list(_dead_branches(arm, arch.read(recorded[0].run.arch), signals))
    yield from dead
    yield from _dead_units(arm, signals, [one.path for one in dead])
    yield from _trends(arm, signals)
    yield from _lagging(arm, signals)
    yield from _noisy(arm, recorded)


def branches(network: Node) -> list[str]:
    """The path of every branch of a module or a sum, outer ones first."""
    found: list[str] = []

    def walk(node: Node, path: tuple[str, ...]) -> None:
        for name, child in children(node):
            if isinstance(node, Parallel | Add):
                found.append(" / ".join((*path, name)))
            walk(child, (*path, name))

    walk(network, (label(network),))
    return sorted(found, key=lambda path: path.count(" / "))


def is_within(path: str, outer: str) -> bool:
    """Whether a layer is the outer one or inside of it."""
    return path == outer or path.startswith(f"{outer} / ")


def _dead_branches(arm: str, network: Node, signals: Sequence[Signals]) -> Iterator[Observation]:
    """A branch all of whose layers got a gradient of nothing in every run's last epoch, while others got one."""
    told: list[str] = []
    for branch in branches(network):
        if any(is_within(branch, outer) for outer in told):
            continue
        shares = [_gradient_within(one, branch) for one in signals]
        if shares and all(share is not None and share <= 1e-9 for share in shares):
            told.append(branch)
            value = mean_interval([share or 0.0 for share in shares], bounds=(0.0, math.inf))
            yield Observation("dead branch", arm, branch, value, len(signals))


def _gradient_within(signals: Signals, branch: str) -> float | None:
    """The largest gradient at the branch's layers over the middle one of all others, in the last epoch."""
    linear = np.array([layer.kind == "linear" for layer in signals.layers])
    inside = np.array([is_within(layer.path, branch) for layer in signals.layers])
    last = np.nan_to_num(signals.gradient[-1].astype(float))
    own, others = last[linear & inside], last[linear & ~inside]
    if not len(own) or not len(others) or np.median(others) <= 0:
        return None
    return float(own.max() / np.median(others))


def _dead_units(arm: str, signals: Sequence[Signals], told: Sequence[str]) -> Iterator[Observation]:
    last = [_last(one, "dead") for one in signals]
    by_path = {path: [one[path] for one in last] for path in last[0] if all(path in one for one in last)}
    dead = {
        path: mean_interval(values, bounds=SHARE)
        for path, values in by_path.items()
        if statistics.fmean(values) >= DEAD_SHARE and not any(is_within(path, one) for one in told)
    }
    if dead:
        worst = max(dead, key=lambda path: dead[path].value)
        more = {"layers": float(len(dead)), "of": float(len(by_path))}
        yield Observation("dead units", arm, worst, dead[worst], len(signals), more)


def _last(signals: Signals, signal: Signal) -> dict[str, float]:
    """The last epoch's figures by path, without layers that have none: a call that not every pass makes."""
    layers, values = signals.of(signal)
    return {layer.path: float(value) for layer, value in zip(layers, values[-1], strict=True) if not math.isnan(value)}


def _trends(arm: str, signals: Sequence[Signals]) -> Iterator[Observation]:
    """The factor per layer as a line through the logarithms over the depth, of the middle epoch."""
    kinds: dict[str, tuple[ObservationKind, ObservationKind]] = {
        "signal": ("shrinking signal", "growing signal"), "gradients": ("shrinking gradients", "growing gradients"),
    }  # fmt: skip
    for what, (shrinking, growing) in kinds.items():
        slopes = [_slope(one, what) for one in signals]
        known = [slope for slope in slopes if slope is not None]
        if len(known) < len(signals):
            continue
        factors = [math.exp(abs(slope)) for slope, _ in known]
        mean = statistics.fmean(slope for slope, _ in known)
        span = known[0][1]
        same_way = all(slope * mean > 0 for slope, _ in known)
        if not same_way or abs(mean) < math.log(FACTOR) or abs(mean) * span < math.log(WHOLE_FACTOR):
            continue
        linear = [layer for layer in signals[0].layers if layer.kind == "linear"]
        path = (linear[-1] if what == "signal" else linear[0]).path
        more = {"layers": span + 1, "whole": math.exp(abs(mean) * span)}
        kind = growing if mean > 0 else shrinking
        yield Observation(kind, arm, path, geometric_mean_interval(factors), len(signals), more)


def _slope(signals: Signals, what: str) -> tuple[float, float] | None:
    """The slope in the middle epoch, as the signal goes or as gradients go, and how many layers deep it was taken."""
    layers, values = signals.of("activation" if what == "signal" else "gradient")
    depths = np.array([layer.depth for layer in layers], float)
    if len(set(depths)) < FEWEST_DEPTHS:
        return None
    slopes = []
    for row in values.astype(float):
        there = np.isfinite(row) & (row > 0)
        if len(set(depths[there])) >= FEWEST_DEPTHS:
            slopes.append(float(np.polyfit(depths[there], np.log(row[there]), 1)[0]))
    if not slopes:
        return None
    middle = statistics.median(slopes)
    return (middle if what == "signal" else -middle), float(depths.max() - depths.min())


def _lagging(arm: str, signals: Sequence[Signals]) -> Iterator[Observation]:
    """Validation photos that come right once running statistics are taken anew."""
    anew = [one.reestimated for one in signals if one.reestimated is not None]
    if len(anew) < len(signals):
        return
    gained, lost = sum(one.gained for one in anew), sum(one.lost for one in anew)
    least_spread = rounding_spread(statistics.fmean(one.n_val for one in anew))
    value = mean_interval([one.accuracy_anew - one.accuracy for one in anew], least_spread=least_spread, bounds=POINTS)
    if not surely_above(value, LAG) or distributions.binomtest(gained, gained + lost).pvalue > SURE:
        return
    distances = _last(signals[0], "distance")
    path = max(distances, key=lambda path: distances[path], default="")
    more = {
        "before": statistics.fmean(one.accuracy for one in anew),
        "after": statistics.fmean(one.accuracy_anew for one in anew),
        "distance": distances[path] if distances else 0.0,
        "photos": float(anew[0].n_photos),
    }
    yield Observation("lagging validation", arm, path, value, len(signals), more)


def shared_gradient(signals: Signals, epochs: slice = slice(None)) -> list[float]:
    """What part of the squared gradient of a batch its neighbour shares, epoch by epoch."""
    square, product = signals.square[epochs], signals.product[epochs]
    there = np.isfinite(square) & np.isfinite(product) & (square > 0)
    return [float(value) for value in product[there] / square[there]]


def _noisy(arm: str, recorded: Sequence[Trained]) -> Iterator[Observation]:
    """Nearly nothing of a batch's gradient is the next one's, though the loss has not come down: in the first half."""
    shares: list[float] = []
    for grown in recorded:
        half = -(-len(grown.history) // 2)
        if grown.signals is None or grown.history[half - 1].train_loss < 0.5 * grown.history[0].train_loss:
            return
        shares += shared_gradient(grown.signals, slice(0, half))
    if len(shares) < FEWEST_EPOCHS:
        return
    value = mean_interval(shares, bounds=SHARE)
    if value.value < SHARED and value.high is not None and value.high < MOST_SHARED:
        batch = float(recorded[0].run.recipe.batch_size)
        more = {"batch_size": batch, "epochs": float(len(shares))}
        yield Observation("noisy gradients", arm, "", value, len(recorded), more)


# The course of training
