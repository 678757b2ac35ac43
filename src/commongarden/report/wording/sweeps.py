"""What is said of a study with too many models to tell of each: which may be the best, and the others counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from commongarden.i18n.language import _, ngettext
from commongarden.report.wording import baselines
from commongarden.report.wording.numbers import listed, percent, whole
from commongarden.stats import ContrastResult, Results
from commongarden.stats.foremost import N_FOREMOST, foremost, is_sweep, others

MOST_NAMED = 10


def may_be_best(results: Results) -> str | None:
    """Which models may be the best; None where that was not computed."""
    kept, n = results.can_be_best, whole(len(results.arms))
    if kept is None:
        return None
    if len(kept) == 1:
        return _("{arm} is the best of the {n} models (95 % confidence).").format(arm=kept[0], n=n)
    if len(kept) == len(results.arms):
        return _("Each of the {n} models may be the best (95 % confidence).").format(n=n)
    said = _("{k} of {n} models may be the best (95 % confidence): {arms}.")
    return said.format(k=whole(len(kept)), n=n, arms=some(kept))


def some(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """The names, those beyond `most` counted."""
    if len(names) <= most:
        return listed(names)
    rest = len(names) - most
    return listed([*names[:most], _("{n} more").format(n=whole(rest))])


def comparisons(results: Results) -> str | None:
    """The comparisons that are not told one by one, by their outcome; None where all are."""
    _arms, left = others(results)
    return counted(left) if is_sweep(results) and left else None


def counted(found: Sequence[ContrastResult], *, other: bool = True) -> str:
    """How many comparisons came out how. other: whether some are told one by one."""
    n = Counter(one.outcome for one in found)
    parts = [
        (n["better"] + n["worse"], _("{n} significant")),
        (n["equivalent"], _("{n} equivalent")),
        (n["not resolved"], _("{n} not significant")),
        (n.total() - n["better"] - n["worse"] - n["equivalent"] - n["not resolved"], _("{n} not tested yet")),
    ]
    said = listed([text.format(n=whole(count)) for count, text in parts if count])
    of = (
        ngettext("{n} other comparison", "{n} other comparisons", len(found))
        if other
        else ngettext("{n} comparison", "{n} comparisons", len(found))
    )
    return _("{comparisons}: {counts}.").format(comparisons=of.format(n=whole(len(found))), counts=said)


def models(results: Results) -> str | None:
    """Which models a table tells of, and where the others are; None where it tells of all."""
    if not is_sweep(results):
        return None
    told = foremost(results)
    left = len(results.arms) - len(told.arms)
    of = ngettext("{n} other model is in results.csv.", "{n} other models are in results.csv.", left)
    best = _("The best {n} models, best first.").format(n=whole(len(told.arms)))
    if beside := [arm.arm for arm in told.arms[N_FOREMOST:]]:
        said = _("The best {n} models, best first, and what they are compared with ({arms}).")
        best = said.format(n=whole(N_FOREMOST), arms=listed(beside))
    return f"{best} {of.format(n=whole(left))}"


def failures(results: Results) -> str | None:
    """How many of the models that are not told of one by one have failed runs; None where none has."""
    left, _contrasts = others(results)
    failed = [arm.arm for arm in left if arm.n_failed]
    if not is_sweep(results) or not failed:
        return None
    text = ngettext("Runs of {n} other model failed: {arms}.", "Runs of {n} other models failed: {arms}.", len(failed))
    return text.format(n=whole(len(failed)), arms=some(failed))


def no_better(results: Results) -> Iterator[str]:
    """How many models are not shown to be better than the majority class, and than the best of the simple methods."""
    n_all = whole(len(results.arms))
    low = [arm.arm for arm in results.arms if arm.test_accuracy is not None and not arm.beats_commonest]
    if low:
        said = _("{n} of {all} models are not significantly better than the majority-class baseline: {arms}.")
        yield said.format(n=whole(len(low)), all=n_all, arms=some(low))
    below = [found for found in results.beside_baselines if found.beside != "above"]
    if below:
        line = below[0].baseline
        said = _("{n} of {all} models are not significantly better than {baseline} ({accuracy}): {arms}.")
        yield said.format(
            n=whole(len(below)),
            all=n_all,
            baseline=baselines.name(line),
            accuracy=percent(line.test_accuracy),
            arms=some([found.arm for found in below]),
        )
