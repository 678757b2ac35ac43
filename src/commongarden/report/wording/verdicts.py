"""Verdicts in sentences: what each contrast allows one to say, on what evidence, and what would settle it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from commongarden.i18n.durations import duration
from commongarden.i18n.language import _, ngettext
from commongarden.records import Estimate
from commongarden.report.wording import designs, grouped, sizes
from commongarden.report.wording.numbers import whole
from commongarden.stats import (
    METRICS,
    ContrastResult,
    Effort,
    Imbalance,
    Remedy,
    Results,
    least_p,
    least_permutation_p,
    pairs_needed,
    runs_needed,
)
from commongarden.stats.answers import WITHIN_REACH
from commongarden.stats.holm import ALPHA

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
    if not contrast.together:
        return said
    return f"{said.removesuffix('.')} {designs.words_together(contrast.together)}."


def _said(contrast: ContrastResult) -> str:
    """From the interval adjusted for all contrasts alone."""
    named = {"arm": contrast.arm, "against": contrast.against}
    difference, adjusted = contrast.difference, contrast.adjusted or contrast.difference
    if difference is None or adjusted is None:
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
    """With two seeds there is an interval and no conclusion."""
    if says_nothing(contrast.metric, difference):
        said = _("Exploratory: {arm} minus {against} is {value} with two seeds. A conclusion takes three seeds.")
    else:
        said = _(
            "Exploratory: {arm} minus {against} is {value} with two seeds (95 % CI {interval}). A conclusion takes "
            "three seeds."
        )
    value, interval = sizes.signed(contrast.metric, difference.value), sizes.span(contrast.metric, difference)
    return said.format(arm=contrast.arm, against=contrast.against, value=value, interval=interval)


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
    if float(sizes.figure(contrast.metric, abs(difference.value))) == 0:
        said = _(
            "{arm} and {against} have equal results in one run each. With one seed there is no confidence interval."
        )
    elif difference.value > 0:
        said = _("{arm} is {size} above {against} in one run each. With one seed there is no confidence interval.")
    else:
        said = _("{arm} is {size} below {against} in one run each. With one seed there is no confidence interval.")
    return said.format(**names, size=size)


def remedy(contrast: ContrastResult) -> str | None:
    """What would settle a contrast that is not resolved: seeds, or photos where seeds cannot."""
    found = contrast.remedy
    if found is None:
        return None
    said, n = [_settling(contrast, found)], contrast.difference.n if contrast.difference is not None else 0
    if found.show is not None and found.show.runs and found.show.seeds <= WITHIN_REACH * n:
        text = (
            _("{seeds} would give 80 % power for a true difference as large as observed ({size}): {runs} more.")
            if found.show.minutes is None
            else _(
                "{seeds} would give 80 % power for a true difference as large as observed ({size}): {runs} more, "
                "{time}."
            )
        )
        said.append(text.format(size=sizes.amount(contrast.metric, found.seen), **_cost(found.show)))
    return " ".join(said)


def in_full(contrast: ContrastResult) -> str:
    """The verdict, what would settle it, and the sign-flip test."""
    return " ".join(filter(None, (verdict(contrast), remedy(contrast), signflip(contrast))))


def _settling(contrast: ContrastResult, found: Remedy) -> str:
    size = sizes.margin(contrast.metric, found.margin)
    if found.settle is None and found.n_groups:
        return grouped.more_groups(found, size, rounded(found.groups or 0), counted_seeds(found.photos_seeds or 0))
    if found.settle is None:
        named = {"margin": size, "photos": counted_photos(found.n_photos)}
        if found.photos is None or found.photos_seeds is None or found.photos > WITHIN_REACH * found.n_photos:
            return _("With {photos}, more seeds alone cannot resolve a difference of {margin}.").format(**named)
        said = _(
            "With {photos}, more seeds alone cannot resolve a difference of {margin}; about {needed} and "
            "{seeds} would give 80 % power."
        )
        needed, seeds = counted_photos(rounded(found.photos)), counted_seeds(found.photos_seeds)
        return said.format(**named, needed=needed, seeds=seeds)
    n = contrast.difference.n if contrast.difference is not None else 0
    if found.settle.runs and found.settle.seeds > WITHIN_REACH * n:
        return _("A difference of {margin} is out of reach on this data.").format(margin=size)
    if not found.settle.runs:
        said = _("{seeds} give 80 % power for a true difference of {margin}; more would narrow the interval further.")
    elif found.settle.minutes is None:
        said = _("{seeds} would give 80 % power for a true difference of {margin}: {runs} more.")
    else:
        said = _("{seeds} would give 80 % power for a true difference of {margin}: {runs} more, {time}.")
    return said.format(margin=size, **_cost(found.settle))


def _cost(effort: Effort) -> dict[str, str]:
    return {
        "seeds": counted_seeds(effort.seeds),
        "runs": ngettext("{n} run", "{n} runs", effort.runs).format(n=whole(effort.runs)),
        "time": duration(60 * (effort.minutes or 0.0)),
    }


def rounded(n: int) -> int:
    """Two significant figures, upwards.

    >>> rounded(4731), rounded(98)
    (4800, 98)
    """
    step = int(10 ** max(len(str(n)) - 2, 0))
    return math.ceil(n / step) * step


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


def signflip_limit(n_pairs: int) -> str | None:
    """Said where the pairs are too few for a sign-flip test to go under 0.05."""
    if n_pairs < 2 or least_p(n_pairs) < 0.05:
        return None
    return _(
        "With {n} pairs a two-sided sign-flip test cannot reach p < {least}; from {needed} seeds on it can "
        "reach p < 0.05."
    ).format(n=n_pairs, least=probability(least_p(n_pairs)), needed=pairs_needed())


def permutation_limit(n_runs: int) -> str | None:
    """Said where the runs are too few for a permutation test to go under 0.05."""
    if n_runs < 2 or least_permutation_p(n_runs) < 0.05:
        return None
    return _(
        "With {n} runs of each model a two-sided permutation test cannot reach p < {least}; from {needed} seeds on it "
        "can reach p < 0.05."
    ).format(n=n_runs, least=probability(least_permutation_p(n_runs)), needed=runs_needed())


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


def intervals(results: Results) -> str:
    """What the intervals cover, and what they do not."""
    if max((arm.n_finished for arm in results.arms), default=0) < 2:
        return _(
            "With one seed there is no confidence interval; a second seed shows how much of a difference is "
            "seed variation."
        )
    pairs = max((contrast.difference.n for contrast in results.contrasts if contrast.difference), default=0)
    limit = (signflip_limit if results.pair_seeds else permutation_limit)(pairs)
    return " ".join(filter(None, (*_carried(results), limit, earlier_rules(results))))


def earlier_rules(results: Results) -> str | None:
    """Said of a study with runs from before the present rules, of which there may be a report by the earlier ones."""
    if not results.has_earlier_rules:
        return None
    return _(
        "This study has runs from before December 2026. A report written then can have other conclusions: seeds were "
        "always paired, two seeds could give a conclusion, and equivalence was not adjusted for several comparisons."
    )


def _carried(results: Results) -> Iterator[str]:
    if results.folds:
        yield _(
            "95 % confidence intervals. Each fold has its own test images, so the intervals account for seed "
            "and test-set variation together (corrected for the overlap of training sets, Nadeau & Bengio "
            "2003); differences are paired by fold."
        )
    elif results.design == "resampled":
        yield _(
            "95 % confidence intervals. Each seed has its own test images, so the intervals account for seed "
            "and test-set variation together (corrected for the overlap of splits, Nadeau & Bengio 2003); "
            "differences are paired by seed."
        )
    elif results.n_test_groups:
        yield grouped.intervals(results)
    else:
        yield _(
            "95 % confidence intervals. They account for seed variation ({sources}) and test-set variation "
            "({photos}); {pairing}."
        ).format(pairing=_pairing(results), sources=designs.varied(results.vary), photos=counted_photos(results.n_test))
    if results.n_groups and results.design == "resampled":
        yield grouped.splits()
    if METRICS[results.metric].by_photo is None and results.design == "crossed":
        yield _("Intervals of the calibration error account for seed variation only.")
    n = sum(contrast.level is not None for contrast in results.contrasts)
    if n > 1 and results.reference:
        yield _(
            "Conclusions use intervals adjusted for all {n} comparisons with {reference} (Dunnett), which controls the "
            "overall type I error rate at 5 %."
        ).format(n=n, reference=results.reference)
    elif n > 1:
        yield _(
            "Conclusions use intervals adjusted for all {n} comparisons (Holm), which controls the overall "
            "type I error rate at 5 %."
        ).format(n=n)


def _pairing(results: Results) -> str:
    """A clause on what is paired in the differences of a study whose seeds share their test images."""
    if results.pair_seeds:
        return _("differences are paired by seed and image")
    return _(
        "differences are paired by image; runs with the same seed are not paired, because no effect of the seed common "
        "to all models was found"
    )


def imbalance(found: Imbalance | None, metric: str) -> str | None:
    """Said where classes differ so much in size that accuracy is mostly that of the commonest."""
    if found is None:
        return None
    sizes = vars(found) | {"n_commonest": whole(found.n_commonest), "n_rarest": whole(found.n_rarest)}
    if metric == "balanced_accuracy":
        return _(
            "Classes are imbalanced ({commonest} {n_commonest} test images, {rarest} {n_rarest}): models are "
            "compared by balanced accuracy, which weighs all classes equally; accuracy is dominated by the "
            "large classes."
        ).format(**sizes)
    return _(
        "Classes are imbalanced ({commonest} {n_commonest} test images, {rarest} {n_rarest}), so accuracy "
        "is dominated by the large classes: see balanced accuracy and the recall of each class (metric = "
        '"balanced_accuracy" in [study] compares the models by it).'
    ).format(**sizes)


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
