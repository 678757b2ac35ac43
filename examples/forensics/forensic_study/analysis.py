"""All that a study of the flower experiment's defects found, gathered from its store as plain data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from commongarden import arch
from commongarden.arch import Activation, Add, Node, Serial
from commongarden.records import Epoch, Estimate, Run
from commongarden.stats.estimates import geometric_mean_interval, mean_interval
from commongarden.stats.means import Mean
from commongarden.stats.results import Results
from commongarden.stats.summary import predictions_by_arm, summarize
from commongarden.store import Store
from commongarden.study import Study
from forensic_study.combined import Tested, combined, shared_seeds
from forensic_study.defects import POOL, Defective, Effect, adjusted, defective, effects
from forensic_study.published import (
    Departure,
    Ending,
    PublishedLogs,
    Shape,
    at_epochs,
    beyond,
    departure_epoch,
    published_logs,
    shape,
)

LEAST_SEEDS = 3

Histories = Mapping[str, Mapping[int, Sequence[Epoch]]]


@dataclass(frozen=True)
class Comeback:
    """What a network with its defects reached, beside the one figure that was published of it. Shares.

    on_line: the published run stayed on the line of the commonest class, and so do some of these. Its figure is then
    that class's share of a test part, which another split has otherwise.
    """

    network: str
    arm: str
    published: float
    reached: Mapping[int, float]  # by seed
    mean: Estimate
    on_line: bool = False

    @property
    def told(self) -> bool:
        """Whether there are seeds enough to speak of their range."""
        return len(self.reached) >= LEAST_SEEDS

    @property
    def inside(self) -> bool:
        """Whether the published figure lies in the range of the seeds, or says the same as one of them."""
        return self.on_line or min(self.reached.values()) <= self.published <= max(self.reached.values())

    @property
    def distance(self) -> float:
        """The mean minus the published figure."""
        return self.mean.value - self.published


@dataclass(frozen=True)
class Behaviour:
    """Validation beside training in one network: as published, and by seed with all defects, without the slow running
    statistics alone, and without any. more_lag, more_jump: with all minus without any, paired by seed."""

    network: str
    published: Shape
    defective: Mapping[int, Shape]
    without_lag: Mapping[int, Shape]
    right: Mapping[int, Shape]
    more_lag: Estimate | None
    more_jump: Estimate | None


@dataclass(frozen=True)
class Gap:
    """How far a residual or plain network lies above an Inception network, in accuracy: as published, with the defects
    of each, without any, and by how much the defects widen it."""

    network: str
    inception: str
    published: float | None
    defective: Mean | None
    right: Effect | None
    widened: Mean | None


@dataclass(frozen=True)
class Seconds:
    """Whole runs of two arms, timed as they came. seconds: by arm and seed. ratios: `arm` over `against`, by seed.
    least, most: of the ratio of any run of the one to any run of the other. mean: of the ratios by seed."""

    arm: str
    against: str
    seconds: Mapping[str, Mapping[int, float]]
    ratios: Mapping[int, float]
    least: float
    most: float
    mean: Estimate


@dataclass(frozen=True)
class Forensics:
    """The findings, in the order in which they are told. reads_sum: networks in which a rectifier stands right before a
    sum, so that a sum formed in place would spoil its gradient. line: the share of the commonest class in training."""

    networks: tuple[Defective, ...]
    effects: tuple[Effect, ...]
    together: Mapping[str, Mean]
    comebacks: tuple[Comeback, ...]
    endings: tuple[Ending, ...]
    behaviours: tuple[Behaviour, ...]
    departures: Mapping[str, tuple[Departure, ...]]
    gaps: tuple[Gap, ...]
    seconds: tuple[Seconds, ...]
    reads_sum: tuple[str, ...]
    logs: PublishedLogs
    line: float

    def effect(self, network: str, kind: str, defect: str = "") -> Effect | None:
        """One of them; None where its runs are missing."""
        wanted = (network, kind, defect)
        return next((one for one in self.effects if (one.network, one.kind, one.defect) == wanted), None)

    def network(self, name: str) -> Defective:
        """The network of this name without defects."""
        return next(one for one in self.networks if one.right == name)


def forensics(store: Store, results: Results | None = None) -> Forensics:
    """What the store's runs say of the defects, as far as they are there."""
    results = results or summarize(store)
    study, runs = store.study(), [run for run in store.runs() if run.status == "finished"]
    tested = predictions_by_arm(store, study, runs)
    networks = defective(study)
    histories = {arm: {seed: store.history(arm, seed) for seed in by_seed} for arm, by_seed in tested.items()}
    logs = published_logs()
    label = {photo.path: photo.label for photo in store.manifest().photos}
    train = store.split().train
    line = sum(label[path] == results.commonest.label for path in train) / len(train)
    n_classes = len(results.classes)
    departures = _departures(networks, runs, tested, histories, line, len(train))
    stayed = {
        one.published
        for one in networks
        if (log := logs.logs.get(one.right)) and max(log.train_accuracy) <= beyond(line, len(train))
        if any(not row.epoch for row in departures.get(one.published, ()))
    }
    return Forensics(
        networks,
        effects(tested, networks),
        _together(tested, networks),
        tuple(_comebacks(study, networks, runs, results, stayed)),
        tuple(_endings(networks, histories, logs)),
        tuple(_behaviours(networks, histories, logs)),
        departures,
        _gaps(study, tested, networks),
        tuple(_seconds(networks, histories)),
        tuple(one.right for one in networks if reads_sum(study.arms[one.right].network(n_classes))),
        logs,
        line,
    )


def reads_sum(tree: Node) -> bool:
    """Whether the first branch of some sum ends in a rectifier: its gradient reads its output, which a sum formed in
    place overwrites. Behind a batch norm the sum overwrites that one's output, which no gradient reads."""
    body = tree.branches[0] if isinstance(tree, Add) and tree.branches else None
    ends = isinstance(body, Serial) and bool(body.layers) and isinstance(body.layers[-1], Activation)
    return ends or any(reads_sum(child) for _, child in arch.children(tree))


def _together(tested: Tested, networks: Sequence[Defective]) -> dict[str, Mean]:
    """What the scrambled pool and the other defects together take away more than each would by itself, where the four
    arms are there."""
    found = {}
    for one in networks:
        arms = (one.right, one.arm(POOL), one.without(POOL), one.published)
        if len(one.defects) < 2 or POOL not in one.defects or None in arms:
            continue
        weights = dict(zip([str(arm) for arm in arms], (1.0, -1.0, -1.0, 1.0), strict=True))
        mean = combined(tested, weights)
        if mean is not None:
            found[one.right] = mean
    return found


def _comebacks(
    study: Study, networks: Sequence[Defective], runs: Sequence[Run], results: Results, stayed: set[str]
) -> list[Comeback]:
    reached: dict[str, dict[int, float]] = {}
    for run in runs:
        if run.test_accuracy is not None:
            reached.setdefault(run.arm, {})[run.seed] = run.test_accuracy
    means = {arm.arm: arm.test_accuracy for arm in results.arms}
    found = []
    for one in networks:
        mean, figure = means[one.published], study.published.get(one.published)
        if mean is not None and figure is not None:
            arm = one.published
            found.append(Comeback(one.right, arm, figure.test_accuracy, reached[arm], mean, arm in stayed))
    return found


def _endings(networks: Sequence[Defective], histories: Histories, logs: PublishedLogs) -> list[Ending]:
    found = []
    for one in networks:
        log = logs.logs.get(one.right)
        if log is None:
            continue
        last = {
            seed: epoch
            for seed, history in histories.get(one.published, {}).items()
            for epoch in history
            if epoch.epoch == log.epochs[-1]
        }
        if last:
            found.append(
                Ending(
                    one.right,
                    one.published,
                    log.train_accuracy[-1],
                    log.train_loss[-1],
                    {seed: epoch.train_accuracy for seed, epoch in last.items()},
                    {seed: epoch.train_loss for seed, epoch in last.items()},
                )
            )
    return found


def _behaviours(networks: Sequence[Defective], histories: Histories, logs: PublishedLogs) -> list[Behaviour]:
    found = []
    for one in networks:
        log = logs.logs.get(one.right)
        if log is None or "slow_statistics" not in one.defects:
            continue
        by_arm = {
            arm: {
                seed: at for seed, history in histories.get(arm, {}).items() if (at := at_epochs(history, log.epochs))
            }
            for arm in (one.right, one.published, one.without("slow_statistics") or "")
        }
        bad, right = by_arm[one.published], by_arm[one.right]
        if not bad:
            continue
        shared = sorted(bad.keys() & right.keys())
        more = [
            mean_interval([getattr(bad[seed], name) - getattr(right[seed], name) for seed in shared])
            if shared
            else None
            for name in ("lag", "jump")
        ]
        published = shape(log.train_accuracy, log.val_accuracy)
        without = by_arm[one.without("slow_statistics") or ""]
        found.append(Behaviour(one.right, published, bad, without, right, more[0], more[1]))
    return found


def _departures(
    networks: Sequence[Defective],
    runs: Sequence[Run],
    tested: Tested,
    histories: Histories,
    line: float,
    n_train: int,
) -> dict[str, tuple[Departure, ...]]:
    """Of the networks without batch norm, with and without defects."""
    arms = [arm for one in networks if "B" not in one.order for arm in (one.right, one.published)]
    found: dict[str, list[Departure]] = {arm: [] for arm in arms}
    for run in runs:
        if run.arm not in found or run.test_accuracy is None:
            continue
        history, said = histories[run.arm][run.seed], tested[run.arm][run.seed].probabilities
        losses = [epoch.train_loss for epoch in history[:2]]
        found[run.arm].append(
            Departure(
                run.arm,
                run.seed,
                departure_epoch(history, line, n_train),
                math.fsum(losses) / len(losses),
                run.test_accuracy,
                len(set(said.argmax(axis=1).tolist())),
                float(np.std(said, axis=0).max()),
            )
        )
    return {arm: tuple(rows) for arm, rows in found.items() if rows}


def _gaps(study: Study, tested: Tested, networks: Sequence[Defective]) -> tuple[Gap, ...]:
    inceptions = [one for one in networks if one.family == "inception_flower"]
    others = [one for one in networks if one.family != "inception_flower"]
    pairs = [(other, inception) for inception in inceptions for other in others]
    right: dict[int, Effect] = {}
    for i, (other, inception) in enumerate(pairs):
        mean = combined(tested, {other.right: 1.0, inception.right: -1.0})
        if mean is not None:
            seeds = shared_seeds(tested, other.right, inception.right)
            right[i] = Effect(other.right, "all", "", other.right, inception.right, seeds, mean)
    right = dict(zip(right, adjusted(list(right.values())), strict=True))
    found = []
    for i, (other, inception) in enumerate(pairs):
        weights = {other.published: 1.0, inception.published: -1.0}
        figures = [study.published.get(arm) for arm in weights]
        published = None
        if figures[0] is not None and figures[1] is not None:
            published = figures[0].test_accuracy - figures[1].test_accuracy
        widened = combined(tested, {**weights, other.right: -1.0, inception.right: 1.0})
        found.append(Gap(other.right, inception.right, published, combined(tested, weights), right.get(i), widened))
    return tuple(found)


def _seconds(networks: Sequence[Defective], histories: Histories) -> list[Seconds]:
    """Of pairs of networks without defects that differ in the order of their layers alone. With the defects one of
    them works at positions that the other does not, as it was not in the original."""
    found = []
    for against, one in itertools.permutations(networks, 2):
        alike = (one.family, one.resolution) == (against.family, against.resolution)
        if not alike or len(one.order) <= len(against.order):
            continue
        taken = {
            arm: {seed: math.fsum(epoch.seconds for epoch in history) for seed, history in histories[arm].items()}
            for arm in (one.right, against.right)
        }
        mine, others = taken.values()
        ratios = {seed: mine[seed] / others[seed] for seed in sorted(mine.keys() & others.keys())}
        if ratios:
            least, most = min(mine.values()) / max(others.values()), max(mine.values()) / min(others.values())
            mean = geometric_mean_interval(list(ratios.values()))
            found.append(Seconds(one.right, against.right, taken, ratios, least, most, mean))
    return found
