"""Why one arm is right less often than another: reasons, the likeliest first.

A reason is something that is so in one arm and not in the other. In a finished study it is claimed for the arm that is
worse only, and only where the difference is established; for two networks that nobody has trained, a short probe of
both says what may keep one of them back.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, get_args

from commongarden import arch
from commongarden.explain.sentences import figure, hundredths, said
from commongarden.explain.training import branches, is_within, observations
from commongarden.i18n.language import N_, recorded
from commongarden.records import Estimate
from commongarden.records.findings import Audit, Finding, Probe
from commongarden.records.observation import Observation
from commongarden.records.reason import Reason
from commongarden.stats import METRICS, ContrastResult, Sample, mean_difference, mean_interval, pair_seeds
from commongarden.stats.part_contributions import turned
from commongarden.store import Store

HE = math.sqrt(2)  # root mean square of weights times the root of their fan-in, He et al. 2015
WEIGHTS_APART = 2.0  # of one layer's weights in two arms, and of the farther one from He's
GAIN_APART = 3.0  # where only gains are known, which chance moves more
LAGS_APART = 3.0  # of two norms' half-lives
LAGS = 0.5  # epochs of a half-life
MOST = 0.5  # of the layers: then the whole arm's first weights are at fault, no single layer's

AccuracyKind = Literal[
    "dead layer", "dead branch", "wrong gradient", "wrong initialization", "lagging norm", "shrinking signal",
    "growing signal", "shrinking gradients", "growing gradients", "growing sum", "unused parameter",
    "train and eval apart", "dropped positions", "small batch", "dead units", "diverged", "noisy gradients", "unstable",
    "overfits", "still improving", "fits less", "commonest class",
]  # fmt: skip
RANK: tuple[str, ...] = get_args(AccuracyKind)  # causes before consequences
Sizes = Mapping[str, float]  # of first weights, by the layer's path
STILL = ("dead units", "constant output", "zero gradient", "cut gradient")  # of an audit: nothing passes
SCALE = ("small weights", "large weights", "saturated logits", "faint output")

NAMED = {
    "wrong gradient": N_("wrong gradient"),
    "growing sum": N_("growing sum"),
    "unused parameter": N_("unused parameter"),
    "train and eval apart": N_("training and evaluation differ"),
    "dropped positions": N_("dropped positions"),
    "small batch": N_("small batch for batch norm"),
    "shrinking signal": N_("vanishing signal"),
    "growing signal": N_("exploding signal"),
    "shrinking gradients": N_("vanishing gradients"),
    "growing gradients": N_("exploding gradients"),
}
SENTENCES = {
    "dead_layer": N_(
        "{arm}: no signal or no gradient passes {path}. After it all images look the same, or before it nothing "
        "is trained."
    ),
    "dead_branch": N_("{arm}: the branch {path} is dead. It passes no signal, or is not trained."),
    "wrong_initialization": N_(
        "{arm}: the initial weights of {path} have another scale: {scale} (root mean square times the square "
        "root of the fan-in), {other} in {against}; fan-in initialization gives 1.41."
    ),
    "all_weights": N_(
        "{arm}: the initial weights of {n} of {of} layers have another scale: a median of {scale} (root mean "
        "square times the square root of the fan-in), {other} in {against}; fan-in initialization gives 1.41."
    ),
    "gain": N_(
        "{arm}: the initial weights of {path} have another scale. They multiply the signal by {scale}, in "
        "{against} by {other}; fan-in initialization gives about 1.4."
    ),
    "all_gains": N_(
        "{arm}: the initial weights of {n} of {of} layers have another scale. They multiply the signal by "
        "{scale} (median), in {against} by {other}; fan-in initialization gives about 1.4."
    ),
    "weights": N_(
        "{arm}: the initial weights at {path} are too small or too large ({scale}); those of {against} are not."
    ),
    "lagging_norm": N_(
        "{arm}: the running statistics of {path} lag. Their half-life is {steps} steps ({epochs} epochs). "
        "{n} of {of} batch norms lag."
    ),
    "fits_less": N_(
        "{arm} fits its training images less well: training accuracy in the last epoch is {one} %, in "
        "{against} {two} %. The difference is not one of generalization alone."
    ),
    "audit": N_("{arm}: the audit found a problem at {path}: {what} ({value}); not in {against}."),
    "observation": N_("{arm}: {said}"),
    "observation_at": N_("{arm}, at {path}: {said}"),
}


def accuracy_reasons(names: tuple[str, str], probes: tuple[Probe, Probe]) -> tuple[Reason, ...]:
    """What may keep one of two networks behind the other, by a probe of each; empty for two that are equal.

    names: what the two are called in the sentences.
    """
    found: list[Reason] = []
    for mine, other in ((0, 1), (1, 0)):
        arm, against, one, two = names[mine], names[other], probes[mine], probes[other]
        found += _dead(arm, one, two)
        gone = [reason.path for reason in found if reason.arm == arm]
        sentences = ("wrong_initialization", "all_weights")
        scales = _first_weights(arm, against, one.weights, two.weights, WEIGHTS_APART, sentences)
        found += [reason for reason in scales if not any(is_within(reason.path, path) for path in gone)]
        found += _lagging(arm, one, two)
        found += _of_audit(arm, against, one.audit, two.audit, gone)
    return tuple(_ranked(found))


def study_reasons(store: Store, one: str, two: str, planned: Sequence[ContrastResult] = ()) -> tuple[Reason, ...]:
    """Why the worse of two arms of a finished study is worse; empty where the interval of their difference, as
    `accuracy_difference` gives it, holds 0 or cannot be given."""
    difference = accuracy_difference(store, one, two, planned)
    if difference is None or difference.low is None or difference.high is None:
        return ()
    if difference.low <= 0 <= difference.high:
        return ()
    worse, better = (one, two) if difference.value < 0 else (two, one)
    shown = observations(store, worse)
    also = {(found.kind, found.path) for found in observations(store, better)}
    found = [_of_observation(one) for one in shown if (one.kind, one.path) not in also]
    found += _fits_less(store, worse, better, abs(difference.value))
    audits = store.audits()
    if worse in audits and better in audits:
        gone = [reason.path for reason in found if reason.kind == "dead branch"]
        network = arch.read(next(run for run in store.runs() if run.arm == worse).arch)
        found += _of_stored_audit(worse, better, audits[worse], audits[better], branches(network), gone)
    return tuple(_ranked(found, abs(difference.value)))


def _fits_less(store: Store, worse: str, better: str, difference: float) -> Iterator[Reason]:
    """Where the training part is fitted less by at least half of what is missing in the test part."""
    runs = [run for run in store.runs() if run.status == "finished" and run.arm in (worse, better)]
    last = {(run.arm, run.seed): store.history(run.arm, run.seed)[-1].train_accuracy for run in runs}
    seeds = [seed for arm, seed in last if arm == worse and (better, seed) in last]
    pairs = [(last[worse, seed], last[better, seed]) for seed in seeds]
    behind = mean_interval([two - one for one, two in pairs])
    if behind.value >= 0.5 * difference and behind.low is not None and behind.low > 0:
        one, two = (hundredths(statistics.fmean(pair[side] for pair in pairs)) for side in (0, 1))
        yield _reason("fits less", worse, "", "fits_less", one=one, two=two, against=better)


def accuracy_difference(store: Store, one: str, two: str, planned: Sequence[ContrastResult] = ()) -> Estimate | None:
    """The first arm's test accuracy minus the second's over the seeds that both have finished, paired by seed and
    photo; None without any.

    planned: the study's contrasts. The interval of one of them is at Holm's level for all, so that a reason is claimed
    where the verdict sees a difference and nowhere else; of any other pair it is the 95 % interval by itself.
    """
    contrast = planned_contrast(planned, one, two)
    if contrast is not None and contrast.adjusted is not None:
        return contrast.adjusted if contrast.arm == one else turned(contrast.adjusted)
    seeds = [
        seed
        for seed in store.study().seeds
        if all(store.has(arm, seed) and store.run(arm, seed).status == "finished" for arm in (one, two))
    ]
    if not seeds:
        return None
    n_train = store.run(one, seeds[0]).n_train
    groups = {photo.path: photo.group for photo in store.manifest().photos if photo.group}
    samples = [Sample(tuple(store.predictions(arm, seed) for seed in seeds), n_train, groups) for arm in (one, two)]
    runs = {arm: dict(zip(seeds, sample.runs, strict=True)) for arm, sample in zip((one, two), samples, strict=True)}
    paired = pair_seeds(METRICS["accuracy"], runs)
    return mean_difference(METRICS["accuracy"], *samples, pair_seeds=paired).interval()


def planned_contrast(planned: Sequence[ContrastResult], one: str, two: str) -> ContrastResult | None:
    """The contrast of two arms' accuracies, whichever of them it names first; None where there is none with an
    interval."""
    for found in planned:
        if found.metric == "accuracy" and {found.arm, found.against} == {one, two} and found.adjusted is not None:
            return found
    return None


def _reason(kind: str, arm: str, path: str, sentence: str, effect: Estimate | None = None, **values: str) -> Reason:
    shown = path or arm
    return Reason("accuracy", kind, arm, path, effect, SENTENCES[sentence].format(arm=arm, path=shown, **values))


def _of_observation(found: Observation) -> Reason:
    kind, effect = str(found.kind), None
    if kind == "lagging validation":
        value = found.value
        low, high = (None if end is None else 100 * end for end in (value.low, value.high))
        kind, effect = "lagging norm", Estimate(100 * value.value, low, high, value.n, value.method)
    with recorded():
        shown = said(found)
    return _reason(kind, found.arm, found.path, "observation_at" if found.path else "observation", effect, said=shown)


def _dead(arm: str, one: Probe, two: Probe) -> Iterator[Reason]:
    """A dead layer on the way of all photos is the cause of every branch that looks dead for it."""
    still = [found for found in _alone(one.audit, two.audit) if found.kind in STILL and found.value >= _whole(found)]
    dead = [path for path in one.dead if path not in two.dead]
    trunk = [found for found in still if not any(is_within(found.path, path) for path in one.dead)]
    if trunk:
        yield _reason("dead layer", arm, trunk[0].path, "dead_layer")
    else:
        for path in dead:
            yield _reason("dead branch", arm, path, "dead_branch")


def _whole(found: Finding) -> float:
    """From which value on nothing at all passes: some dead units leave others."""
    return 1.0 if found.kind in ("dead units", "zero gradient") else 0.0


def _first_weights(
    arm: str, against: str, mine: Sizes, theirs: Sizes, apart: float, sentences: tuple[str, str]
) -> Iterator[Reason]:
    """Layers at the same place whose weights differ in size, told of the arm that is farther from He's."""
    shared = [path for path in mine if path in theirs]
    off = {}
    for path in shared:
        a, b = max(mine[path], 1e-30), max(theirs[path], 1e-30)
        if abs(math.log(a / b)) >= math.log(apart) and abs(math.log(a / HE)) > abs(math.log(b / HE)):
            off[path] = abs(math.log(a / b))
    if not off:
        return
    if len(off) > 1 and len(off) >= MOST * len(shared):
        scale, other = (statistics.median(side[path] for path in off) for side in (mine, theirs))
        yield _reason(
            "wrong initialization", arm, "", sentences[1], scale=figure(scale), other=figure(other), against=against,
            n=str(len(off)), of=str(len(shared)),
        )  # fmt: skip
        return
    for path in sorted(off, key=lambda path: -off[path]):
        yield _reason(
            "wrong initialization", arm, path, sentences[0], scale=figure(mine[path]), other=figure(theirs[path]),
            against=against,
        )  # fmt: skip


def _lagging(arm: str, one: Probe, two: Probe) -> Iterator[Reason]:
    usual = statistics.median(two.half_lives.values()) if two.half_lives else None
    lag = {}
    for path, steps in one.half_lives.items():
        other = two.half_lives.get(path, usual)
        own = min(one.half_lives.values()) if other is None else other  # beside none, its fastest norm
        if steps >= LAGS * one.steps_per_epoch and steps >= LAGS_APART * own and (other is not None or steps > 100):
            lag[path] = steps
    if lag:
        path = max(lag, key=lambda path: lag[path])  # of equals the first
        epochs = lag[path] / one.steps_per_epoch
        yield _reason(
            "lagging norm", arm, path, "lagging_norm", steps=figure(lag[path]), epochs=figure(epochs),
            n=str(len(lag)), of=str(len(one.half_lives)),
        )  # fmt: skip


def _alone(one: Audit, two: Audit, gone: Sequence[str] = ()) -> list[Finding]:
    """The findings of one network that the other has not. gone: what is dead, inside of which nothing more is told."""
    theirs = {(found.kind, found.path) for found in two.findings}
    own = [found for found in one.findings if (found.kind, found.path) not in theirs]
    return [found for found in own if not any(is_within(found.path, path) for path in gone)]


def _of_audit(arm: str, against: str, one: Audit, two: Audit, gone: Sequence[str]) -> Iterator[Reason]:
    """Other findings of one network alone. Sizes of weights have been told where both have the layer."""
    also = {found.kind for found in two.findings}
    in_both = {scale.path for scale in one.scales} & {scale.path for scale in two.scales}
    for found in _alone(one, two, gone):
        if found.kind in ("lagging statistics", *STILL) or (found.kind in SCALE and found.path in in_both):
            continue
        if found.kind in SCALE:
            if found.kind not in also:
                yield _reason(
                    "wrong initialization", arm, found.path, "weights", scale=figure(found.value), against=against
                )
        else:
            value = figure(found.value)
            yield _reason(found.kind, arm, found.path, "audit", what=NAMED[found.kind], value=value, against=against)


def _of_stored_audit(
    arm: str, against: str, one: Audit, two: Audit, inside: Sequence[str], gone: Sequence[str]
) -> Iterator[Reason]:
    for found in _alone(one, two, gone):
        if found.kind in STILL and found.value >= _whole(found):
            within = [path for path in inside if is_within(found.path, path)]
            kind = "dead branch" if within else "dead layer"
            yield _reason(kind, arm, within[-1] if within else found.path, kind.replace(" ", "_"))
        if found.kind == "lagging statistics":
            steps, layers = found.more["steps"], found.more["layers"]
            yield _reason(
                "lagging norm", arm, found.path, "lagging_norm", steps=figure(steps), epochs=figure(found.value),
                n=str(int(layers)), of=str(int(layers)),
            )  # fmt: skip
    gains = [{scale.path: scale.gain for scale in audit.scales} for audit in (one, two)]
    yield from _first_weights(arm, against, gains[0], gains[1], GAIN_APART, ("gain", "all_gains"))
    yield from _of_audit(arm, against, one, two, gone)


def _ranked(found: Iterable[Reason], difference: float = 0.0) -> list[Reason]:
    """What is known to cost at least half of the difference first, then causes before consequences; of a kind and arm
    the first, but every dead branch."""
    kept: dict[tuple[str, str, str], Reason] = {}
    for reason in found:
        kept.setdefault((reason.arm, reason.kind, reason.path if reason.kind == "dead branch" else ""), reason)

    def key(reason: Reason) -> tuple[bool, int]:
        known = reason.effect is not None and difference > 0 and reason.effect.value >= 50 * difference
        return not known, RANK.index(reason.kind) if reason.kind in RANK else len(RANK)

    return sorted(kept.values(), key=key)
