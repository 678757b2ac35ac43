"""Findings of an audit as sentences: what is so, its number, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from commongarden.findings import Audit, Finding
from commongarden.report.numbers import counted, number, percent, whole
from commongarden.report.words import more

INFINITE = 1e300  # JSON has no infinity, an audit has the largest number instead
MOST_TOLD = 5  # findings before a study begins; the report and audit.json hold all of them


def finding(found: Finding) -> str:
    """One finding, the layer's path first."""
    return f"{found.path}: {says(found)}"


def says(found: Finding) -> str:
    """One finding without its place."""
    return _SENTENCES[found.kind](found)


def summary(arm: str, audit: Audit) -> str:
    """How an arm's audit ended, in one line."""
    if not audit.findings:
        return f"{arm}: nothing found at the first weights, with {counted(audit.n_photos, 'photo', 'photos')}."
    n = counted(len(audit.findings), "finding", "findings")
    return f"{arm}: {n} at the first weights, with {counted(audit.n_photos, 'photo', 'photos')}."


def lines(arm: str, audit: Audit) -> list[str]:
    """The summary, and each finding in a line of its own."""
    return [summary(arm, audit), *(finding(found) for found in audit.findings)]


def warning(arm: str, audit: Audit) -> str:
    """What is told of an arm with findings before it is trained."""
    told = [f"\n  {finding(found)}" for found in audit.findings[:MOST_TOLD]]
    rest = len(audit.findings) - len(told)
    return f"warning: {summary(arm, audit)}" + "".join(told) + (f"\n  {more(rest)}" if rest else "")


def to_json(arm: str, audit: Audit) -> str:
    """The audit with the sentence of each finding."""
    table: dict[str, Any] = {"arch": arm, **msgspec.to_builtins(audit)}
    for found, row in zip(audit.findings, table["findings"], strict=True):
        row["says"] = says(found)
    return msgspec.json.format(msgspec.json.encode(table), indent=1).decode()


def figure(value: float) -> str:
    """Three significant figures however small or large.

    >>> figure(0.59), figure(0.00044512), figure(1563.28), figure(3.1e-9), figure(2.5e7)
    ('0.590', '4.45e-04', '1,563', '3.10e-09', '2.50e+07')
    """
    if abs(value) > INFINITE:
        return "without bound"
    if value == 0 or (1e-3 <= abs(value) < 1e6):
        return number(value)
    return f"{value:.2e}"


def _layers(found: Finding, what: str = "layer") -> str:
    return counted(int(found.more["layers"]), what, f"{what}s")


def _small_weights(found: Finding) -> str:
    return (
        f"the weights are too small: the signal behind them is {figure(found.value)} times the one before them "
        f"(root mean square {figure(found.more['output'])}; weights drawn by their fan-in give about 1.4)."
    )


def _large_weights(found: Finding) -> str:
    return (
        f"the weights are too large: the signal behind them is {figure(found.value)} times the one before them "
        f"(root mean square {figure(found.more['output'])}; weights drawn by their fan-in give about 1.4)."
    )


def _signal(verb: str) -> Callable[[Finding], str]:
    def sentence(found: Finding) -> str:
        return (
            f"the signal {verb} by a factor of {figure(found.value)} per layer over a depth of {_layers(found)} up to "
            f"here: root mean square {figure(found.more['first'])} behind the first layer, "
            f"{figure(found.more['last'])} behind the last."
        )

    return sentence


def _gradients(verb: str) -> Callable[[Finding], str]:
    def sentence(found: Finding) -> str:
        return (
            f"gradients {verb} by a factor of {figure(found.value)} per layer on their way back through a depth of "
            f"{_layers(found)} to here: norm {figure(found.more['first'])} at the last layer, "
            f"{figure(found.more['last'])} at the first, for one photo."
        )

    return sentence


def _growing_sum(found: Finding) -> str:
    return (
        f"the output is {figure(found.value)} times as large as what comes in (root mean square "
        f"{figure(found.more['output'])} after {figure(found.more['input'])}): with many such blocks the sum grows "
        "with the depth."
    )


def _dead_units(found: Finding) -> str:
    units = whole(int(found.more["units"]))
    return f"{percent(found.value)} of its {units} units are 0 for every photo: they pass on no signal and no gradient."


def _constant_output(found: Finding) -> str:
    return (
        "the output is the same for every photo, though photos that differ come in (greatest departure from the mean "
        f"{figure(found.value)}): nothing behind it can tell them apart."
    )


def _faint_output(found: Finding) -> str:
    return f"logits of different photos differ by {figure(found.value)} at most: every photo starts as the same."


def _cut_gradient(found: Finding) -> str:
    if not found.value:
        return "the gradient is cut off here: what lies before it learns by other ways only (0 parameters get none)."
    return (
        f"the gradient is cut off here: {whole(int(found.value))} parameters in {_layers(found)} get none and stay at "
        "their first values."
    )


def _zero_gradient(found: Finding) -> str:
    return (
        f"every unit gets a gradient of exactly 0, and {_layers(found)} in all: what follows passes none back, such as "
        "a rectifier that is off for every photo."
    )


def _unused_parameter(found: Finding) -> str:
    return f"the parameter {found.what} takes no part: {whole(int(found.value))} numbers that are never trained."


def _wrong_gradient(found: Finding) -> str:
    return (
        f"the hand-written gradient is not that of the function: cosine {found.value:.2f} with the numerical one, "
        f"relative error {figure(found.more['error'])}."
    )


def _train_and_eval_apart(found: Finding) -> str:
    return (
        f"training and evaluation are far apart: what training adds at random is {figure(found.value)} times as large "
        "as the signal."
    )


def _lagging_statistics(found: Finding) -> str:
    return (
        f"running statistics lag: at momentum {found.more['momentum']:g} they come half way in "
        f"{figure(found.value)} epochs ({figure(found.more['steps'])} steps), and {percent(found.more['residue'])} of "
        f"their first values is left after the last epoch; so with {_layers(found, 'batch norm')}."
    )


def _dropped_positions(found: Finding) -> str:
    return (
        f"{percent(found.value)} of the positions that come in are dropped: they were worked out in vain, and a batch "
        "norm before this took its statistics from them too."
    )


def _small_batch(found: Finding) -> str:
    return (
        f"{counted(int(found.value), 'number', 'numbers')} a channel to normalize by, at a batch of "
        f"{whole(int(found.more['batch_size']))}: its mean and deviation are mostly chance; so with "
        f"{_layers(found, 'batch norm')}."
    )


def _saturated_logits(found: Finding) -> str:
    loss, guessing = figure(found.more["loss"]), figure(found.more["guessing"])
    if found.value > 1:
        return f"logits are not finite before any training (loss {loss}; guessing has {guessing})."
    return (
        f"logits are saturated before any training: the greatest probability is {percent(found.value)} on average, the "
        f"loss {loss} where guessing has {guessing}."
    )


_SENTENCES: dict[str, Callable[[Finding], str]] = {
    "small weights": _small_weights,
    "large weights": _large_weights,
    "shrinking signal": _signal("shrinks"),
    "growing signal": _signal("grows"),
    "shrinking gradients": _gradients("shrink"),
    "growing gradients": _gradients("grow"),
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
