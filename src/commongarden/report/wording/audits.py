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
        return _("{arm}: OK, no problems found at initialization ({photos}).").format(arm=arm, photos=photos)
    return ngettext(
        "{arm}: {n} problem found at initialization ({photos}).",
        "{arm}: {n} problems found at initialization ({photos}).",
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
    return ngettext("{n} image", "{n} images", n).format(n=whole(n))


def _layers(found: Finding) -> str:
    n = int(found.more["layers"])
    return ngettext("{n} layer", "{n} layers", n).format(n=whole(n))


def _batch_norms(found: Finding) -> str:
    n = int(found.more["layers"])
    return ngettext("{n} batch norm", "{n} batch norms", n).format(n=whole(n))


def _small_weights(found: Finding) -> str:
    return _(
        "the initial weights are too small: they multiply the signal by {factor} (root mean square {output}; "
        "fan-in initialization gives about 1.4)."
    ).format(factor=scientific(found.value), output=scientific(found.more["output"]))


def _large_weights(found: Finding) -> str:
    return _(
        "the initial weights are too large: they multiply the signal by {factor} (root mean square {output}; "
        "fan-in initialization gives about 1.4)."
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
        "vanishing signal: it is multiplied by {factor} per layer over {layers} up to this layer: root mean "
        "square {first} after the first layer, {last} after the last."
    ).format(**_by_depth(found))


def _growing_signal(found: Finding) -> str:
    return _(
        "exploding signal: it is multiplied by {factor} per layer over {layers} up to this layer: root mean "
        "square {first} after the first layer, {last} after the last."
    ).format(**_by_depth(found))


def _shrinking_gradients(found: Finding) -> str:
    return _(
        "vanishing gradients: they are multiplied by {factor} per layer over {layers} in the backward pass "
        "to this layer: norm {first} at the last layer, {last} at the first, for one image."
    ).format(**_by_depth(found))


def _growing_gradients(found: Finding) -> str:
    return _(
        "exploding gradients: they are multiplied by {factor} per layer over {layers} in the backward pass "
        "to this layer: norm {first} at the last layer, {last} at the first, for one image."
    ).format(**_by_depth(found))


def _growing_sum(found: Finding) -> str:
    return _(
        "the output is {factor} times as large as the input (root mean square {output} after {input}): with "
        "many such blocks the sum grows with depth."
    ).format(
        factor=scientific(found.value), output=scientific(found.more["output"]), input=scientific(found.more["input"])
    )


def _dead_units(found: Finding) -> str:
    return _("{share} of its {units} units are 0 for every image: they pass no signal and no gradient.").format(
        share=percent(found.value), units=whole(int(found.more["units"]))
    )


def _constant_output(found: Finding) -> str:
    return _(
        "the output is the same for every image, although the inputs differ (largest deviation from the "
        "mean: {most}): later layers cannot distinguish the images."
    ).format(most=scientific(found.value))


def _faint_output(found: Finding) -> str:
    return _(
        "logits of different images differ by at most {most}: the network starts with the same output for every image."
    ).format(most=scientific(found.value))


def _cut_gradient(found: Finding) -> str:
    if not found.value:
        return _(
            "the gradient is cut off here: earlier layers are trained through other paths only (0 parameters "
            "receive none)."
        )
    return _(
        "the gradient is cut off here: {n} parameters in {layers} receive none and keep their initial values."
    ).format(n=whole(int(found.value)), layers=_layers(found))


def _zero_gradient(found: Finding) -> str:
    return _(
        "every unit receives a gradient of exactly 0 ({layers} in all): a later layer blocks it, such as a "
        "ReLU that is 0 for every image."
    ).format(layers=_layers(found))


def _unused_parameter(found: Finding) -> str:
    return _("the parameter {name} is unused: {n} values are never trained.").format(
        name=found.what, n=whole(int(found.value))
    )


def _wrong_gradient(found: Finding) -> str:
    return _(
        "the hand-written gradient is wrong: cosine {cosine:.2f} with the numerical gradient, relative error {error}."
    ).format(cosine=found.value, error=scientific(found.more["error"]))


def _train_and_eval_apart(found: Finding) -> str:
    return _(
        "training and evaluation differ: the random noise added in training is {factor} times as large as the signal."
    ).format(factor=scientific(found.value))


def _lagging_statistics(found: Finding) -> str:
    return _(
        "the running statistics of batch norm lag, so evaluation is less accurate than training: at momentum "
        "{momentum:g} their half-life is {epochs} epochs ({steps} steps), and {residue} of the initial values remains "
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
        "{share} of the input positions are dropped: computing them is wasted, and an earlier batch norm "
        "includes them in its statistics."
    ).format(share=percent(found.value))


def _small_batch(found: Finding) -> str:
    n = int(found.value)
    return ngettext(
        "only {n} value per channel at a batch size of {batch}: the batch statistics are mostly noise "
        "({layers} in all).",
        "only {n} values per channel at a batch size of {batch}: the batch statistics are mostly noise "
        "({layers} in all).",
        n,
    ).format(n=whole(n), batch=whole(int(found.more["batch_size"])), layers=_batch_norms(found))


def _saturated_logits(found: Finding) -> str:
    loss, guessing = scientific(found.more["loss"]), scientific(found.more["guessing"])
    if found.value > 1:
        return _("logits are not finite before training (loss {loss}; guessing: {guessing}).").format(
            loss=loss, guessing=guessing
        )
    return _(
        "logits are saturated before training: the maximum probability is {share} on average, and the loss "
        "is {loss} (guessing: {guessing})."
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
