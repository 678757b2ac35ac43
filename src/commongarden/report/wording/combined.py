"""What several data sets say together, in sentences: the answer, each comparison, what to be careful about."""

from __future__ import annotations

from collections.abc import Iterator

from commongarden.i18n.language import _, ngettext
from commongarden.records import Estimate
from commongarden.report.wording import numbers, sizes
from commongarden.report.wording.verdicts import is_wide
from commongarden.stats import METRICS
from commongarden.stats.data_sets import AcrossContrast, Combined
from commongarden.stats.data_sets.combined import ENOUGH, FEWEST_DATA_SETS


def headline(found: Combined) -> str:
    """The best model in one sentence."""
    first = found.order[0]
    values = {"arm": found.arms[first], "n": len(found.data_sets), "figure": _reached(found, found.means[first])}
    if found.best_on_new is None:
        return _("Best on average over {n} data sets: {arm}, {figure}. With two data sets this may be chance.").format(
            **values
        )
    chance = likely(found.best_on_new[first])
    text = _("Best on average over {n} data sets: {arm}, {figure}, {chance} likely to be the best on a new data set.")
    return text.format(chance=chance, **values)


def comparison(one: AcrossContrast, found: Combined) -> str:
    """What a comparison allows one to say."""
    n, higher = len(found.data_sets), METRICS[found.metric].higher_is_better
    ahead = one.n_ahead(higher)
    values = {"arm": one.arm, "against": one.against, "n": n}
    if one.outcome == "equivalent":
        text = _("{arm} and {against} are equivalent within {size}, on average over {n} data sets.")
        return text.format(size=sizes.margin(found.metric, found.margin), **values)
    if one.outcome in ("better", "worse"):
        winner, loser = (one.arm, one.against) if one.outcome == "better" else (one.against, one.arm)
        interval = one.adjusted or one.difference
        low, high = sorted((abs(interval.low or 0.0), abs(interval.high or 0.0)))
        text = _(
            "Significant over {n} data sets: {winner} is better than {loser} by {size} on average (95 % CI {low} to "
            "{high}), and ahead on {ahead} of {n}."
        )
        return text.format(
            n=n,
            winner=winner,
            loser=loser,
            size=sizes.amount(found.metric, abs(one.difference.value)),
            low=sizes.figure(found.metric, low),
            high=sizes.figure(found.metric, high),
            ahead=ahead if one.outcome == "better" else _n_behind(one, higher),
        )
    difference = _with_interval(found.metric, one.adjusted or one.difference)
    text = _(
        "Not significant over {n} data sets: {arm} compared with {against}, {difference} on average, ahead on {ahead} "
        "of {n}."
    )
    if n < FEWEST_DATA_SETS:
        difference = sizes.signed(found.metric, one.difference.value)
        text = _(
            "Exploratory, with {n} data sets: {arm} compared with {against}, {difference} on average, ahead on "
            "{ahead} of {n}."
        )
    return text.format(difference=difference, ahead=ahead, **values)


def beside(one: AcrossContrast, found: Combined) -> str:
    """A new data set, and where the difference is significant by itself."""
    parts = []
    if one.better_on_new is not None:
        chance = likely(one.better_on_new)
        reach = one.prediction
        if reach is not None and not is_wide(reach, METRICS[found.metric].spread_bounds):
            text = _(
                "On a new data set: {arm} is better with probability {chance}; 95 % prediction interval {interval}."
            )
            parts.append(text.format(arm=one.arm, chance=chance, interval=_signed_span(found.metric, reach)))
        else:
            text = _("On a new data set: {arm} is better with probability {chance}; too few data sets for an interval.")
            parts.append(text.format(arm=one.arm, chance=chance))
    for arm, names in ((one.arm, one.better_on), (one.against, one.worse_on)):
        if names:
            text = ngettext(
                "{arm} is significantly better on {n} data set by itself: {names}.",
                "{arm} is significantly better on {n} data sets by themselves: {names}.",
                len(names),
            )
            parts.append(text.format(arm=arm, n=len(names), names=numbers.listed(names)))
    if not one.better_on and not one.worse_on:
        parts.append(_("On no data set by itself is the difference significant."))
    return " ".join(parts)


def cautions(found: Combined) -> Iterator[str]:
    """What must be said beside the answer."""
    n = len(found.data_sets)
    if n < ENOUGH:
        text = _(
            "{n} data sets are few: with fewer than {enough}, little is known about others, and another choice of "
            "data sets "
            "may change the ranking."
        )
        yield text.format(n=n, enough=ENOUGH)
    else:
        text = _("Conclusions are about data sets like these {n}; another choice of data sets may change the ranking.")
        yield text.format(n=n)
    firsts: dict[str, list[str]] = {}
    for name, arm in found.without_first:
        firsts.setdefault(arm, []).append(name)
    for arm, names in firsts.items():
        text = ngettext(
            "Without {data_sets}, {arm} has the best mean.",
            "Without any one of {data_sets}, {arm} has the best mean.",
            len(names),
        )
        yield text.format(data_sets=numbers.listed(names), arm=arm)
    for i, arm in enumerate(found.arms):
        yield from _not_learned(found, i, arm)
    if found.left_out:
        text = _("Not compared, because a study lacks them: {models}.")
        yield text.format(models=numbers.listed(found.left_out))


def _not_learned(found: Combined, i: int, arm: str) -> Iterator[str]:
    """Where the arm with this place did not learn in some or all runs."""
    never = [one.name for one in found.data_sets if one.never[i]]
    if never:
        text = _("{arm} learned in no run on {data_sets}; its mean and differences there are those of all runs.")
        yield text.format(arm=arm, data_sets=numbers.listed(never))
    some = [
        ngettext("{n} run on {data_set}", "{n} runs on {data_set}", n).format(n=n, data_set=one.name)
        for one in found.data_sets
        if (n := one.n_not_learned[i]) and not one.never[i]
    ]
    if some:
        text = _("{arm} did not learn in {runs}; its mean there is that of the runs that learned.")
        yield text.format(arm=arm, runs=numbers.listed(some))


def robustness(found: Combined) -> str:
    """What leaving out a data set changes; "" where there are too few to leave one out."""
    if len(found.data_sets) <= FEWEST_DATA_SETS:
        return ""
    changed = {
        f"{one.arm} − {one.against}": [each.data_set for each in one.without if each.outcome != one.outcome]
        for one in found.contrasts
    }
    changed = {pair: names for pair, names in changed.items() if names}
    if not changed and not found.without_first:
        return _("The best mean and all conclusions stay the same, whichever data set is left out.")
    if not changed:
        return _("All conclusions stay the same, whichever data set is left out.")
    text = ngettext(
        "{n} conclusion changes if one data set is left out: {which}.",
        "{n} conclusions change if one data set is left out: {which}.",
        len(changed),
    )
    without = [
        _("{pair} (without {data_sets})").format(pair=pair, data_sets=_(" or ").join(names))
        for pair, names in changed.items()
    ]
    return text.format(n=len(changed), which="; ".join(without))


def ranked(found: Combined) -> str:
    """What the ranks say."""
    if found.ranks.p is None:
        return _("With two models, ranks say no more than on how many data sets each is ahead.")
    p = numbers.two_figures(found.ranks.p)
    text = _("Friedman's test of equal ranks: p = {p}. Critical difference of mean ranks (Nemenyi, 5 %): {critical}.")
    if found.ranks.critical > len(found.arms) - 1:
        text = _(
            "Friedman's test of equal ranks: p = {p}. The critical difference of mean ranks (Nemenyi, 5 %) is "
            "{critical}: "
            "with so few data sets, no two models can differ significantly by ranks alone."
        )
    return text.format(p=p, critical=f"{found.ranks.critical:.2f}")


def methods(found: Combined) -> Iterator[tuple[str, str]]:
    """(what, how) of each method, with its reference."""
    yield (
        _("differences"),
        _(
            "On each data set, the difference and its standard error are those of its own study: paired by image, "
            "seeds crossed "
            "with test images, over the seeds in which both models learned, or over all seeds where these are fewer "
            "than two; a model that never learned is compared as it is."
        ),
    )
    yield (
        _("mean over data sets"),
        _(
            "Random effects: data sets are a sample. Standard deviation between data sets by Paule and Mandel (1982), "
            "interval by "
            "Hartung and Knapp (2001) and Sidik and Jonkman (2002) with n - 1 degrees of freedom, never narrower than "
            "without "
            "their factor. All comparisons are adjusted by Holm's method (1979)."
        ),
    )
    yield (
        _("new data set"),
        _(
            "Prediction interval with n - 2 degrees of freedom (Higgins, Thompson and Spiegelhalter 2009). The "
            "probability to be "
            "the best of all models assumes one variance between data sets for all models, and that two models "
            "usually differ by 3 "
            "points."
        ),
    )
    yield (
        _("ranks"),
        _(
            "Mean ranks over data sets, Friedman's test (1937) and Nemenyi's critical difference (1963), as in Demsar "
            "(2006). "
            "Ranks ignore how large differences are."
        ),
    )
    yield (
        _("worse, equivalent, better"),
        _(
            "Bayesian signed-rank test with the equivalence margin as region of practical equivalence (Benavoli et "
            "al. 2017)."
        ),
    )
    yield (
        _("data sets by themselves"),
        _(
            "The tests of the single studies, adjusted by Holm's method over data sets: with 95 % confidence the model "
            "is better on at least so many (partial conjunction; Benjamini and Heller 2008, Dror et al. 2017)."
        ),
    )
    yield (
        _("choice of data sets"),
        _(
            "Results hold for data sets like those that were chosen. In published benchmarks, another choice often "
            "changed the "
            "ranking (Dehghani et al. 2021)."
        ),
    )


def likely(share: float) -> str:
    """A probability in whole per cent, never 0 or 100."""
    return numbers.percent(min(max(share, 0.01), 0.99), 0)


def _n_behind(one: AcrossContrast, higher: bool) -> int:
    return sum((each.value < 0) == higher and each.value != 0 for each in one.by_data_set)


def _reached(found: Combined, value: float) -> str:
    shares = METRICS[found.metric].unit == "points"
    return numbers.percent(value) if shares else sizes.amount(found.metric, value)


def _with_interval(metric: str, found: Estimate) -> str:
    value = sizes.signed(metric, found.value)
    if found.low is None or found.high is None or is_wide(found, METRICS[metric].spread_bounds):
        return value
    return _("{value} (95 % CI {interval})").format(value=value, interval=_signed_span(metric, found))


def _signed_span(metric: str, found: Estimate) -> str:
    ends = {"low": sizes.plus(metric, found.low or 0.0), "high": sizes.plus(metric, found.high or 0.0)}
    return _("{low} to {high}").format(**ends)
