"""Names and figures of the forensic study in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from commongarden.i18n.language import N_, _, ngettext
from commongarden.records import Estimate
from commongarden.report.wording.numbers import hundredths, listed, percent, signed_points, whole
from commongarden.stats import Mean
from forensic_study.defects import Effect
from forensic_study.published import Departure

NAMES = {
    "scrambled_pool": N_("scrambled pool gradient"),
    "constant_statistics": N_("statistics treated as constants"),
    "slow_statistics": N_("slow running statistics"),
    "all_positions": N_("normalization of dropped positions"),
    "overwritten_sum": N_("in-place sum"),
}
WHAT = {
    "scrambled_pool": N_(
        "The gradient of an average pool with overlapping windows is scattered over images and positions; "
        "its output is correct."
    ),
    "constant_statistics": N_(
        "The gradient of batch norm treats the batch's mean and standard deviation as constants, which they are not."
    ),
    "slow_statistics": N_(
        "The running mean and variance, used in validation and test, are updated by 0.1 % per step: their "
        "half-life is two epochs."
    ),
    "all_positions": N_(
        "A strided layer with batch norm normalizes over all positions and then drops all but one per stride."
    ),
    "overwritten_sum": N_(
        "A sum is computed in place over the output of the previous layer; a ReLU there computes its "
        "gradient from the overwritten values."
    ),
}


def defect(name: str) -> str:
    """What a defect is called."""
    return _(NAMES[name])


def seeds(n: int) -> str:
    return ngettext("{n} seed", "{n} seeds", n).format(n=whole(n))


def span(low: float, high: float) -> str:
    return _("{low} to {high}").format(low=hundredths(low), high=hundredths(high))


def short(estimate: Estimate) -> str:
    """A difference in points and its interval, for a label or a cell.

    >>> short(Estimate(0.123, 0.05, 0.2, 5, ""))
    '+12.3 (5.0 to 20.0)'
    """
    if estimate.low is None or estimate.high is None:
        return signed_points(estimate.value)
    return f"{signed_points(estimate.value)} ({span(estimate.low, estimate.high)})"


def points(estimate: Estimate, *, signed: bool = True) -> str:
    """A difference in points with its evidence, for a sentence. signed: with a plus; a cost has none.

    >>> points(Estimate(0.123, 0.05, 0.2, 5, ""))
    '+12.3 points (95 % interval 5.0 to 20.0, 5 seeds)'
    """
    value = signed_points(estimate.value) if signed else hundredths(estimate.value)
    if estimate.low is None or estimate.high is None:
        return _("{value} points (one seed, no interval)").format(value=value)
    return _("{value} points (95 % interval {low} to {high}, {seeds})").format(
        value=value,
        low=hundredths(estimate.low),
        high=hundredths(estimate.high),
        seeds=seeds(estimate.n),
    )


def mean(estimate: Estimate) -> str:
    """An accuracy with its evidence.

    >>> mean(Estimate(0.5, None, None, 1, "")), mean(Estimate(0.5, 0.4, 0.6, 3, ""))
    ('50.0 % (one seed)', '50.0 % (95 % interval 40.0 to 60.0, 3 seeds)')
    """
    if estimate.low is None or estimate.high is None:
        return _("{accuracy} (one seed)").format(accuracy=percent(estimate.value))
    return _("{accuracy} (95 % interval {low} to {high}, {seeds})").format(
        accuracy=percent(estimate.value),
        low=hundredths(estimate.low),
        high=hundredths(estimate.high),
        seeds=seeds(estimate.n),
    )


def ratio(estimate: Estimate) -> str:
    """A ratio of times with its evidence.

    >>> ratio(Estimate(1.13, 1.1, 1.171, 106, ""))
    '1.13 (95 % interval 1.10 to 1.17)'
    """
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return _("{value} (95 % interval {low} to {high})").format(
        value=f"{estimate.value:.2f}", low=f"{estimate.low:.2f}", high=f"{estimate.high:.2f}"
    )


def effect_label(effect: Effect) -> str:
    """What is taken away in a comparison, as a row of a table or a picture."""
    return _("{network}: {what}").format(network=effect.network, what=effect_name(effect))


def effect_name(effect: Effect) -> str:
    """The same without the network."""
    if effect.kind == "all":
        return _("all defects removed")
    if effect.kind == "others":
        return _("batch-norm defects removed, correct pool gradient")
    if effect.kind == "alone":
        return _("{defect} removed, no other present").format(defect=defect(effect.defect))
    return _("{defect} removed, all others present").format(defect=defect(effect.defect))


def by_seed(values: Sequence[float]) -> str:
    """Accuracies of the seeds in their order."""
    return ", ".join(hundredths(value) for value in values)


def departures(arm: str, rows: Sequence[Departure]) -> str:
    """How many seeds of an arm stay on the line, and when the others leave it."""
    left = sorted((row.epoch, row.seed) for row in rows if row.epoch)
    said = ngettext(
        "{arm} stays at the majority-class baseline for all epochs in {stay} of {n} seed",
        "{arm} stays at the majority-class baseline for all epochs in {stay} of {n} seeds",
        len(rows),
    ).format(arm=arm, stay=len(rows) - len(left), n=len(rows))
    if not left:
        return said
    when = listed([_("seed {seed} in epoch {epoch}").format(seed=seed, epoch=epoch) for epoch, seed in left])
    return ngettext("{said}; {when} leaves it", "{said}; {when} leave it", len(left)).format(said=said, when=when)


def established(effect: Effect) -> str:
    """Whether an effect holds among all that were tested with it."""
    if effect.level is None:
        return "–"
    return yes_or_no(effect.established)


def yes_or_no(so: bool) -> str:
    return _("yes") if so else _("no")


def with_range(values: Sequence[float]) -> str:
    """The mean of shares and their range, in hundredths.

    >>> with_range([0.5, 0.7]), with_range([0.5])
    ('60.0 (50.0 to 70.0)', '50.0')
    """
    mean = hundredths(math.fsum(values) / len(values))
    return mean if len(values) == 1 else f"{mean} ({span(min(values), max(values))})"


def losses(values: Sequence[float]) -> str:
    """The mean of losses and their range, in nats.

    >>> losses([1.5, 1.7])
    '1.600 (1.500 to 1.700)'
    """
    mean = f"{math.fsum(values) / len(values):.3f}"
    if len(values) == 1:
        return mean
    return f"{mean} ({_('{low} to {high}').format(low=f'{min(values):.3f}', high=f'{max(values):.3f}')})"


def interval_holds_zero(found: Mean | Estimate | None) -> bool:
    """Whether a difference may as well be none; also where it has no interval."""
    estimate = found.interval() if isinstance(found, Mean) else found
    if estimate is None or estimate.low is None or estimate.high is None:
        return True
    return estimate.low <= 0 <= estimate.high


def short_mean(estimate: Estimate) -> str:
    """An accuracy and its interval in hundredths, for a cell.

    >>> short_mean(Estimate(0.5, 0.4, 0.6, 3, ""))
    '50.0 (40.0 to 60.0)'
    """
    if estimate.low is None or estimate.high is None:
        return hundredths(estimate.value)
    return f"{hundredths(estimate.value)} ({span(estimate.low, estimate.high)})"
