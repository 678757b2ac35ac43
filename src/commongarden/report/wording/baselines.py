"""Sentences on the simple methods that a trained network has to beat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from commongarden.i18n.language import _, ngettext
from commongarden.records import Baseline
from commongarden.report.wording.numbers import hundredths, percent, whole
from commongarden.stats import BesideBaseline

WIDEST = 0.5  # of an interval of a difference of shares; a wider one says only that nothing is known


def name(baseline: Baseline) -> str:
    """What a baseline is called in tables and charts."""
    if baseline.kind == "colours":
        return _("logistic regression on colours")
    if baseline.setting is None:
        return _("nearest neighbours")
    return ngettext("nearest neighbour", "{k} nearest neighbours", int(baseline.setting)).format(
        k=int(baseline.setting)
    )


def beside(found: BesideBaseline) -> str | None:
    """Said of an arm that is not shown to be better than the best baseline; nothing of one that is."""
    line = {"arm": found.arm, "baseline": name(found.baseline), "accuracy": percent(found.baseline.test_accuracy)}
    difference = found.difference
    if difference.low is None or difference.high is None:
        if difference.value > 0:
            return None
        return _("{arm} is no better than {baseline} ({accuracy}) in its one run.").format(**line)
    size, low, high = difference.value, difference.low, difference.high
    if found.beside == "below":
        size, low, high = -size, -high, -low
    line |= {"size": hundredths(size), "low": hundredths(low), "high": hundredths(high)}
    if found.beside == "below":
        said = _(
            "{arm} is below {baseline} ({accuracy}) by {size} points (95 % CI {low} to {high}, exploratory: not "
            "adjusted for multiple comparisons)."
        )
        blind = _("That baseline uses colours only, no shapes.") if found.baseline.kind == "colours" else ""
        return f"{said.format(**line)} {blind}".strip()
    if found.beside == "not shown" and high - low >= WIDEST:
        return _(
            "{arm} is not significantly better than {baseline} ({accuracy}): the difference is {size} points, with "
            "too little data for a useful interval."
        ).format(**line)
    if found.beside == "not shown":
        return _(
            "{arm} is not significantly better than {baseline} ({accuracy}): the difference is {size} points "
            "(95 % CI {low} to {high})."
        ).format(**line)
    return None


def caption(found: Sequence[Baseline], n_train: int) -> str:
    """What the baselines are, and what must be said of how they were fitted; "" where there are none."""
    return " ".join(_caption(found, n_train)) if found else ""


def _caption(found: Sequence[Baseline], n_train: int) -> Iterator[str]:
    yield _(
        "Hollow: simple baselines on the same training images, logistic regression on 512-colour "
        "histograms and nearest neighbours on 16 × 16 pixels. Dotted line: the better of them on the "
        "validation set."
    )
    fewest = min(item.n_train for item in found)
    if fewest < n_train:
        yield _("They were fitted on {n} images of the training set.").format(n=whole(fewest))
    if not all(item.converged for item in found):
        yield _("The logistic regression did not converge within its limit, so it might do better.")
