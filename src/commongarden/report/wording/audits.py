"""Findings of an audit as sentences: what is so, its number, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from commongarden.i18n.language import _, ngettext
from commongarden.records.findings import Audit, Finding
from commongarden.report.wording.numbers import percent, scientific, whole
from commongarden.report.wording.words import more

MOST_TOLD = 5  # findings before a study begins; the report and audit.json hold all of them


def finding(found: Finding) -> str:
    """One finding, the layer's path first."""
    return f"{found.path}: {says(found)}"


def says(found: Finding) -> str:
    """One finding without its place."""
    return _SENTENCES[found.kind](found)


def summary(arm: str, audit: Audit) -> str:
    """How an arm's audit ended, in one line."""
    n, photos = len(audit.findings), _photos(audit.n_photos)
    if not n:
        return _("{arm}: nothing found at the first weights, with {photos}.").format(arm=arm, photos=photos)
    return ngettext(
        "{arm}: {n} finding at the first weights, with {photos}.",
        "{arm}: {n} findings at the first weights, with {photos}.",
        n,
    ).format(arm=arm, n=n, photos=photos)


def lines(arm: str, audit: Audit) -> list[str]:
    """The summary, and each finding in a line of its own."""
    return [summary(arm, audit), *(finding(found) for found in audit.findings)]


def warning(arm: str, audit: Audit) -> str:
    """What is told of an arm with findings before it is trained."""
    told = [f"\n  {finding(found)}" for found in audit.findings[:MOST_TOLD]]
    rest = len(audit.findings) - len(told)
    return _("warning: {said}").format(said=summary(arm, audit)) + "".join(told) + (f"\n  {more(rest)}" if rest else "")


def to_json(arm: str, audit: Audit) -> str:
    """The audit with the sentence of each finding."""
    table: dict[str, Any] = {"arch": arm, **msgspec.to_builtins(audit)}
    for found, row in zip(audit.findings, table["findings"], strict=True):
        row["says"] = says(found)
    return msgspec.json.format(msgspec.json.encode(table), indent=1).decode()


def _photos(n: int) -> str:
    return ngettext("{n} photo", "{n} photos", n).format(n=whole(n))


def _layers(found: Finding) -> str:
    n = int(found.more["layers"])
    return ngettext("{n} layer", "{n} layers", n).format(n=whole(n))


def _batch_norms(found: Finding) -> str:
    n = int(found.more["layers"])
    return ngettext("{n} batch norm", "{n} batch norms", n).format(n=whole(n))


def _small_weights(found: Finding) -> str:
    return _(
        "the weights are too small: the signal behind them is {factor} times the one before them (root mean square "
        "{output}; weights drawn by their fan-in give about 1.4)."
    ).format(factor=scientific(found.value), output=scientific(found.more["output"]))


def _large_weights(found: Finding) -> str:
    return _(
        "the weights are too large: the signal behind them is {factor} times the one before them (root mean square "
        "{output}; weights drawn by their fan-in give about 1.4)."
    ).format(factor=scientific(found.value), output=scientific(found.more["output"]))


def _by_depth(found: Finding) -> dict[str, str]:
    return {
        "factor": scientific(found.value),
        "layers": _layers(found),
        "first": scientific(found.more["first"]),
        "last": scientific(found.more["last"]),
    }


def _shrinking_signal(found: Finding) -> str:
    return _(
        "the signal shrinks by a factor of {factor} per layer over a depth of {layers} up to here: root mean square "
        "{first} behind the first layer, {last} behind the last."
    ).format(**_by_depth(found))


def _growing_signal(found: Finding) -> str:
    return _(
        "the signal grows by a factor of {factor} per layer over a depth of {layers} up to here: root mean square "
        "{first} behind the first layer, {last} behind the last."
    ).format(**_by_depth(found))


def _shrinking_gradients(found: Finding) -> str:
    return _(
        "gradients shrink by a factor of {factor} per layer on their way back through a depth of {layers} to here: "
        "norm {first} at the last layer, {last} at the first, for one photo."
    ).format(**_by_depth(found))


def _growing_gradients(found: Finding) -> str:
    return _(
        "gradients grow by a factor of {factor} per layer on their way back through a depth of {layers} to here: "
        "norm {first} at the last layer, {last} at the first, for one photo."
    ).format(**_by_depth(found))


def _growing_sum(found: Finding) -> str:
    return _(
        "the output is {factor} times as large as what comes in (root mean square {output} after {input}): with many "
        "such blocks the sum grows with the depth."
    ).format(
        factor=scientific(found.value), output=scientific(found.more["output"]), input=scientific(found.more["input"])
    )


def _dead_units(found: Finding) -> str:
    return _("{share} of its {units} units are 0 for every photo: they pass on no signal and no gradient.").format(
        share=percent(found.value), units=whole(int(found.more["units"]))
    )


def _constant_output(found: Finding) -> str:
    return _(
        "the output is the same for every photo, though photos that differ come in (greatest departure from the mean "
        "{most}): nothing behind it can tell them apart."
    ).format(most=scientific(found.value))


def _faint_output(found: Finding) -> str:
    return _("logits of different photos differ by {most} at most: every photo starts as the same.").format(
        most=scientific(found.value)
    )


def _cut_gradient(found: Finding) -> str:
    if not found.value:
        return _("the gradient is cut off here: what lies before it learns by other ways only (0 parameters get none).")
    return _(
        "the gradient is cut off here: {n} parameters in {layers} get none and stay at their first values."
    ).format(n=whole(int(found.value)), layers=_layers(found))


def _zero_gradient(found: Finding) -> str:
    return _(
        "every unit gets a gradient of exactly 0, and {layers} in all: what follows passes none back, such as a "
        "rectifier that is off for every photo."
    ).format(layers=_layers(found))


def _unused_parameter(found: Finding) -> str:
    return _("the parameter {name} takes no part: {n} numbers that are never trained.").format(
        name=found.what, n=whole(int(found.value))
    )


def _wrong_gradient(found: Finding) -> str:
    return _(
        "the hand-written gradient is not that of the function: cosine {cosine:.2f} with the numerical one, relative "
        "error {error}."
    ).format(cosine=found.value, error=scientific(found.more["error"]))


def _train_and_eval_apart(found: Finding) -> str:
    return _(
        "training and evaluation are far apart: what training adds at random is {factor} times as large as the signal."
    ).format(factor=scientific(found.value))


def _lagging_statistics(found: Finding) -> str:
    return _(
        "batch norm's running statistics lag, so evaluation is less accurate than training: at momentum {momentum:g} "
        "they need {epochs} epochs ({steps} steps) to come half way, and {residue} of their initial values is left "
        "after the last epoch, in {layers}. More epochs or a higher momentum help."
    ).format(
        momentum=found.more["momentum"],
        epochs=scientific(found.value),
        steps=scientific(found.more["steps"]),
        residue=percent(found.more["residue"]),
        layers=_batch_norms(found),
    )


def _dropped_positions(found: Finding) -> str:
    return _(
        "{share} of the positions that come in are dropped: they were worked out in vain, and a batch norm before this "
        "took its statistics from them too."
    ).format(share=percent(found.value))


def _small_batch(found: Finding) -> str:
    n = int(found.value)
    return ngettext(
        "{n} number a channel to normalize by, at a batch of {batch}: its mean and deviation are mostly chance; so "
        "with {layers}.",
        "{n} numbers a channel to normalize by, at a batch of {batch}: its mean and deviation are mostly chance; so "
        "with {layers}.",
        n,
    ).format(n=whole(n), batch=whole(int(found.more["batch_size"])), layers=_batch_norms(found))


def _saturated_logits(found: Finding) -> str:
    loss, guessing = scientific(found.more["loss"]), scientific(found.more["guessing"])
    if found.value > 1:
        return _("logits are not finite before any training (loss {loss}; guessing has {guessing}).").format(
            loss=loss, guessing=guessing
        )
    return _(
        "logits are saturated before any training: the greatest probability is {share} on average, the loss {loss} "
        "where guessing has {guessing}."
    ).format(share=percent(found.value), loss=loss, guessing=guessing)


_SENTENCES: dict[str, Callable[[Finding], str]] = {
    "small weights": _small_weights,
    "large weights": _large_weights,
    "shrinking signal": _shrinking_signal,
    "growing signal": _growing_signal,
    "shrinking gradients": _shrinking_gradients,
    "growing gradients": _growing_gradients,
    "growing sum": _growing_sum,
    "dead units": _dead_units,
    "constant output": _constant_output,
    "faint output": _faint_output,
    "cut gradient": _cut_gradient,
    "zero gradient": _zero_gradient,
    "unused parameter": _unused_parameter,
    "wrong gradient": _wrong_gradient,
    "train and eval apart": _train_and_eval_apart,
    "lagging statistics": _lagging_statistics,
    "dropped positions": _dropped_positions,
    "small batch": _small_batch,
    "saturated logits": _saturated_logits,
}
