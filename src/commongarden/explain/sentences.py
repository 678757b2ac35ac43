"""What arms' runs show, in sentences, in the language in use. Reasons are recorded in English and told like records."""

from __future__ import annotations

from collections.abc import Callable

from commongarden.i18n.language import _
from commongarden.records import Estimate
from commongarden.records.observation import Observation


def said(found: Observation) -> str:
    """One observation without its arm and its place."""
    return _SENTENCES[found.kind](found)


def percent(value: Estimate) -> str:
    """A share as a percentage, with its interval where there is one.

    >>> percent(Estimate(0.12, 0.08, 0.16, 3, "")), percent(Estimate(0.12, None, None, 1, ""))
    ('12.0 % (95 % CI 8.0 to 16.0 %)', '12.0 %')
    """
    if value.low is None or value.high is None:
        return _("{value} %").format(value=hundredths(value.value))
    return _("{value} % (95 % CI {low} to {high} %)").format(**_ends(value))


def points(value: Estimate) -> str:
    """A difference of shares in points, with its interval where there is one.

    >>> points(Estimate(0.12, 0.08, 0.16, 3, ""))
    '12.0 points (95 % CI 8.0 to 16.0)'
    """
    if value.low is None or value.high is None:
        return _("{value} points").format(value=hundredths(value.value))
    return _("{value} points (95 % CI {low} to {high})").format(**_ends(value))


def hundredths(share: float) -> str:
    """
    >>> hundredths(0.1234), hundredths(-0.0001)
    ('12.3', '0.0')
    """
    text = f"{100 * share:.1f}"
    return "0.0" if text == "-0.0" else text


def figure(value: float) -> str:
    """
    >>> figure(1.41421), figure(0.00003), figure(123456.0)
    ('1.41', '3.00e-05', '1.23e+05')
    """
    return f"{value:.3g}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.2e}"


def _ends(value: Estimate) -> dict[str, str]:
    return {
        "value": hundredths(value.value),
        "low": hundredths(value.low or 0.0),
        "high": hundredths(value.high or 0.0),
    }


def _runs(found: Observation) -> str:
    return _("{n} of {of} runs").format(n=int(found.more["runs"]), of=found.n_runs)


def _commonest(found: Observation) -> str:
    if "loss" not in found.more:
        return _("{runs} never rose above the majority-class baseline.").format(runs=_runs(found))
    return _(
        "{runs} never rose above the majority-class baseline: the training loss ended at {loss}; guessing by "
        "class frequency gives {guessing}."
    ).format(runs=_runs(found), loss=f"{found.more['loss']:.3f}", guessing=f"{found.more['guessing']:.3f}")


def _diverged(found: Observation) -> str:
    return _("Diverged: the loss of {runs} became infinite or NaN, at epoch {epoch} on average.").format(
        runs=_runs(found), epoch=f"{found.more['epoch']:.0f}"
    )


def _dead_branch(found: Observation) -> str:
    return _(
        "The branch is dead: in the last epoch its layers received no gradient in any run, while other "
        "layers did. Its weights do not change."
    )


def _dead_units(found: Observation) -> str:
    return _(
        "Dead units: {share} of the channels were 0 for all recorded images in the last epoch. After "
        "{layers} of {of} ReLUs at least 70 % are dead."
    ).format(share=percent(found.value), layers=int(found.more["layers"]), of=int(found.more["of"]))


def _factor(value: Estimate) -> str:
    if value.low is None or value.high is None:
        return f"{value.value:.2f}"
    return _("{value} (95 % CI {low} to {high})").format(
        value=f"{value.value:.2f}", low=f"{value.low:.2f}", high=f"{value.high:.2f}"
    )


def _by_depth(found: Observation) -> dict[str, str]:
    return {"factor": _factor(found.value), "whole": figure(found.more["whole"])}


def _shrinking_signal(found: Observation) -> str:
    return _("Vanishing signal: it shrinks by a factor of {factor} per layer, {whole} over the depth.").format(
        **_by_depth(found)
    )


def _growing_signal(found: Observation) -> str:
    return _("Exploding signal: it grows by a factor of {factor} per layer, {whole} over the depth.").format(
        **_by_depth(found)
    )


def _shrinking_gradients(found: Observation) -> str:
    return _(
        "Vanishing gradients: they shrink by a factor of {factor} per layer in the backward pass, {whole} over "
        "the depth."
    ).format(**_by_depth(found))


def _growing_gradients(found: Observation) -> str:
    return _(
        "Exploding gradients: they grow by a factor of {factor} per layer in the backward pass, {whole} over the depth."
    ).format(**_by_depth(found))


def _lagging(found: Observation) -> str:
    return _(
        "Validation lags because of the running statistics of batch norm: recomputing them from {photos} "
        "training images raises validation accuracy from {before} % to {after} %, by {gain}. They are "
        "{distance} standard deviations from the batch statistics."
    ).format(
        photos=int(found.more["photos"]),
        before=hundredths(found.more["before"]),
        after=hundredths(found.more["after"]),
        gain=points(found.value),
        distance=figure(found.more["distance"]),
    )


def _noisy(found: Observation) -> str:
    return _(
        "Gradient noise dominates: in the first half of training, successive batches of {batch} images share "
        "{share} of the squared gradient, and the loss fell by less than half."
    ).format(share=percent(found.value), batch=int(found.more["batch_size"]))


def _unstable(found: Observation) -> str:
    return _(
        "Unstable: in the second half of training, validation accuracy jumps between epochs by {jump} more "
        "than the number of images explains (first run: between {least} and {most} %)."
    ).format(jump=points(found.value), least=hundredths(found.more["least"]), most=hundredths(found.more["most"]))


def _overfits(found: Observation) -> str:
    return _(
        "Overfitting: training accuracy ends {gap} above validation accuracy ({train} against {val} %), and "
        "the validation loss ends {rise} % above its minimum at epoch {lowest}."
    ).format(
        gap=points(found.value),
        train=hundredths(found.more["train"]),
        val=hundredths(found.more["val"]),
        rise=hundredths(found.more["rise"]),
        lowest=f"{found.more['lowest']:.0f}",
    )


def _improving(found: Observation) -> str:
    return _(
        "Still improving: in the last epoch the training loss fell by {fall}, from {before} to {last}, and "
        "the validation loss was falling too. More epochs may help."
    ).format(fall=percent(found.value), before=f"{found.more['before']:.3f}", last=f"{found.more['last']:.3f}")


_SENTENCES: dict[str, Callable[[Observation], str]] = {
    "commonest class": _commonest,
    "diverged": _diverged,
    "dead branch": _dead_branch,
    "dead units": _dead_units,
    "shrinking signal": _shrinking_signal,
    "growing signal": _growing_signal,
    "shrinking gradients": _shrinking_gradients,
    "growing gradients": _growing_gradients,
    "lagging validation": _lagging,
    "noisy gradients": _noisy,
    "unstable": _unstable,
    "overfits": _overfits,
    "still improving": _improving,
}
