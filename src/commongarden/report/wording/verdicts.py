"""Verdicts in sentences: what each contrast allows one to say, on what evidence, and what would settle it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from commongarden.i18n.language import _, ngettext
from commongarden.records import Estimate
from commongarden.report.wording import designs, sizes
from commongarden.report.wording.numbers import whole
from commongarden.stats import (
    METRICS,
    ContrastResult,
    Results,
)
from commongarden.stats.holm import ALPHA
from commongarden.stats.means import FEWEST_SEEDS

ESTABLISHED = ("better", "worse")


def verdict(contrast: ContrastResult) -> str:
    """Says in words what a planned difference between two arms allows one to conclude.

    Args:
        contrast: one of `Results.contrasts`.

    Returns:
        A few sentences: the verdict, its evidence, and what was declared to differ besides the networks. The verdict
        comes from an interval at the level that Holm's method gives (Holm 1979), or Dunnett's (1955) where the study
        has a reference; equivalence from two one-sided tests
        (Schuirmann 1987).
    """
    said = _said(contrast)
    if contrast.together:
        said = f"{said.removesuffix('.')} {designs.words_together(contrast.together)}."
    return " ".join((said, *_learning(contrast)))


def _learning(contrast: ContrastResult) -> Iterator[str]:
    """How often either arm learned, if any run did not, and what was compared then."""
    found = contrast.learning
    if found is None:
        return
    if said := compared_in(contrast):
        yield said
    yield _("{arm} learned in {one}, {against} in {two} of the runs (Fisher's exact test p = {p}).").format(
        arm=contrast.arm, against=contrast.against, one=_share(found.arm), two=_share(found.against),
        p=probability(found.p),
    )  # fmt: skip


def compared_in(contrast: ContrastResult) -> str:
    """In which of the seeds two models are compared, where that is not all of them; else ""."""
    found = contrast.learning
    if found is None or contrast.all_runs is None or contrast.difference is None:
        return ""
    text = _("Compared in the {n} of {seeds} in which both learned; over all, the difference is {value}.")
    learners = [arm for arm, share in ((contrast.arm, found.arm), (contrast.against, found.against)) if share.value]
    if len(learners) == 1:
        text = _("Compared in the {n} of {seeds} in which {arm} learned; over all, the difference is {value}.")
    return text.format(
        n=contrast.difference.n,
        seeds=designs.repeats(contrast.all_runs.n, contrast.folds),
        arm=learners[0] if learners else "",
        value=sizes.signed(contrast.metric, contrast.all_runs.value),
    )


def _share(found: Estimate) -> str:
    return _("{k} of {n}").format(k=round(found.value * found.n), n=found.n)


def _said(contrast: ContrastResult) -> str:
    """From the interval adjusted for all contrasts alone."""
    named = {"arm": contrast.arm, "against": contrast.against}
    difference, adjusted = contrast.difference, contrast.adjusted or contrast.difference
    if difference is None or adjusted is None:
        if contrast.learning is not None and contrast.all_runs is not None:
            return _("{arm} and {against} cannot be compared yet: in no seed have both learned.").format(**named)
        return _("{arm} and {against} cannot be compared yet: they have no finished seed in common.").format(**named)
    if adjusted.low is None or adjusted.high is None:
        return _without_interval(contrast, difference)
    named["value"] = sizes.signed(contrast.metric, difference.value)
    named["seeds"] = designs.repeats(difference.n, contrast.folds)
    margin = sizes.margin(contrast.metric, contrast.margin)
    if contrast.outcome == "equivalent":
        said = _("{arm} and {against} are equivalent within {margin}: {value} ({level} CI {interval}, {seeds}).")
        interval = sizes.span(contrast.metric, contrast.equivalence or difference)
        return said.format(**named, margin=margin, level=confidence(contrast.equivalence_level), interval=interval)
    if contrast.outcome == "two seeds":
        return _exploratory(contrast, difference)
    if contrast.outcome == "not resolved" and says_nothing(contrast.metric, adjusted):
        said = _("No significant difference between {arm} and {against}: {value} ({seeds}), with too little data for a "
                 "useful interval.")  # fmt: skip
        return said.format(**named)
    if contrast.outcome == "not resolved":
        said = _("No significant difference between {arm} and {against}: {value} ({interval}, {seeds}).")
        return said.format(**named, interval=_interval(contrast, adjusted.low, adjusted.high))
    # an interval that ends beside zero must not read as ending on it
    near, far = sorted((abs(adjusted.low), abs(adjusted.high)))
    decimals = 1 if near >= 0.0005 else 2
    named["size"] = sizes.amount(contrast.metric, abs(difference.value), decimals)
    named["interval"] = _interval(contrast, near, far, decimals)
    if contrast.outcome == "better":
        said = _("{arm} is significantly better than {against}, by {size} ({interval}, {seeds}).").format(**named)
    else:
        said = _("{arm} is significantly worse than {against}, by {size} ({interval}, {seeds}).").format(**named)
    if contrast.within_margin:
        said += " " + _("This is within the study's margin of {margin}, so it counts as no difference.").format(
            margin=margin
        )
    return said


def confidence(one_sided: float | None) -> str:
    """Of the interval that two one-sided tests at this level make.

    >>> confidence(0.05), confidence(0.05 / 3)
    ('90 %', '96.7 %')
    """
    return f"{100 * (1 - 2 * (ALPHA if one_sided is None else one_sided)):.3g} %"


def _exploratory(contrast: ContrastResult, difference: Estimate) -> str:
    """With two seeds there is an interval and no conclusion, with one neither."""
    if difference.low is None or says_nothing(contrast.metric, difference):
        said = _("Exploratory: {arm} minus {against} is {value} ({seeds}). A conclusion takes {needed}.")
        interval = ""
    else:
        said = _(
            "Exploratory: {arm} minus {against} is {value} (95 % CI {interval}, {seeds}). A conclusion takes {needed}."
        )
        interval = sizes.span(contrast.metric, difference)
    return said.format(
        arm=contrast.arm,
        against=contrast.against,
        value=sizes.signed(contrast.metric, difference.value),
        interval=interval,
        seeds=designs.repeats(difference.n, contrast.folds),
        needed=designs.repeats(FEWEST_SEEDS, contrast.folds),
    )


def says_nothing(metric: str, found: Estimate) -> bool:
    """Whether an interval spans half of all that is possible, or more."""
    return is_wide(found, METRICS[metric].spread_bounds)


def is_wide(found: Estimate, bounds: tuple[float, float]) -> bool:
    """Whether the interval, if there is one, spans half of what the bounds allow, or more."""
    low, high = bounds
    if found.low is None or found.high is None or math.isinf(high):
        return False
    return found.high - found.low >= (high - low) / 2


def _without_interval(contrast: ContrastResult, difference: Estimate) -> str:
    names = {"arm": contrast.arm, "against": contrast.against}
    if contrast.outcome == "one photo":
        return _("{arm} and {against} were tested on one image: there is no confidence interval.").format(**names)
    if contrast.outcome == "one group":
        return _("{arm} and {against} were tested on one group of images: there is no confidence interval.").format(
            **names
        )
    size = sizes.amount(contrast.metric, abs(difference.value))
    if contrast.all_runs is not None:
        return _exploratory(contrast, difference)
    if float(sizes.figure(contrast.metric, abs(difference.value))) == 0:
        said = _(
            "{arm} and {against} have equal results in one run each. With one seed there is no confidence interval."
        )
    elif difference.value > 0:
        said = _("{arm} is {size} above {against} in one run each. With one seed there is no confidence interval.")
    else:
        said = _("{arm} is {size} below {against} in one run each. With one seed there is no confidence interval.")
    return said.format(**names, size=size)


def signflip(contrast: ContrastResult) -> str | None:
    """The exact test over the seeds, which stands beside the verdict and decides nothing."""
    if contrast.p_permutation is not None and contrast.p_least is not None and contrast.difference is not None:
        if contrast.p_permutation > contrast.p_least * 1.001:
            said = _("Exact permutation test over the seeds: p = {p}.")
        else:
            said = _("Exact permutation test over the seeds: p = {p}, the minimum for {n} runs each.")
        return said.format(p=probability(contrast.p_permutation), n=contrast.difference.n)
    if contrast.p_signflip is None or contrast.p_least is None or contrast.difference is None:
        return None
    if contrast.p_signflip > contrast.p_least * 1.001:
        said = _("Sign-flip test over the seeds: p = {p}.")
    else:
        said = _("Sign-flip test over the seeds: p = {p}, the minimum for {n} pairs.")
    return said.format(p=probability(contrast.p_signflip), n=contrast.difference.n)


def probability(p: float) -> str:
    """A p value as it is printed.

    >>> probability(0.0625), probability(0.2), probability(1.0), probability(0.00001)
    ('0.0625', '0.200', '1.000', '< 0.0001')
    """
    if p < 0.0001:
        return "< 0.0001"
    return f"{p:.4f}" if p < 0.1 else f"{p:.3f}"


def verdicts(results: Results) -> list[ContrastResult]:
    """The contrasts, most telling first: established differences by size, then the rest in the order planned."""
    ranks = (
        ("better", "worse"),
        ("equivalent",),
        ("not resolved",),
        ("two seeds", "one seed", "one photo", "one group"),
        ("no pairs",),
    )
    rank = {outcome: place for place, outcomes in enumerate(ranks) for outcome in outcomes}

    def key(contrast: ContrastResult) -> tuple[int, float]:
        established = contrast.outcome in ESTABLISHED and contrast.difference is not None
        return rank[contrast.outcome], -abs(contrast.difference.value) if established and contrast.difference else 0.0

    return sorted(results.contrasts, key=key)


def counted_seeds(n: int) -> str:
    return ngettext("{n} seed", "{n} seeds", n).format(n=whole(n))


def counted_photos(n: int) -> str:
    return ngettext("{n} test image", "{n} test images", n).format(n=whole(n))


def beside(contrast: ContrastResult) -> str:
    """The difference and the interval that its verdict comes from, in the space of a label."""
    found = contrast.adjusted or contrast.difference
    if found is None:
        return ""
    value, span = sizes.plus(contrast.metric, found.value), sizes.span(contrast.metric, found)
    return f"{value} ({span})" if span and not says_nothing(contrast.metric, found) else value


def _interval(contrast: ContrastResult, low: float, high: float, decimals: int = 1) -> str:
    ends = {"low": sizes.figure(contrast.metric, low, decimals), "high": sizes.figure(contrast.metric, high, decimals)}
    if contrast.family > 1:
        return _("95 % CI {low} to {high}, adjusted for {n} comparisons").format(**ends, n=contrast.family)
    return _("95 % CI {low} to {high}").format(**ends)
