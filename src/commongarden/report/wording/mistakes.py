"""Sentences on what the networks got wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from commongarden.i18n.language import _
from commongarden.report.wording.numbers import percent
from commongarden.report.wording.words import n_runs


def mistaken(classes: Sequence[str], shares: Sequence[Sequence[float]]) -> str:
    """The commonest confusion of one arm: shares[true][called]."""
    wrong = [
        (share, true, called)
        for true, row in enumerate(shares)
        for called, share in enumerate(row)
        if true != called and share > 0
    ]
    if not wrong:
        return _("No test image was misclassified.")
    share, true, called = max(wrong)
    return _("Most frequent confusion: {share} of {label} predicted as {called}.").format(
        share=percent(share, 0), label=classes[true], called=classes[called]
    )


def called(counts: Mapping[str, int], most: int = 2) -> str:
    """What the runs said of a photo that they missed.

    >>> called({"rose": 5, "daisy": 3, "tulip": 1})
    'predicted: rose 5, daisy 3, other 1'
    """
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    answers = [f"{label} {n}" for label, n in ordered[:most]]
    rest = sum(n for _label, n in ordered[most:])
    if rest:
        answers.append(_("other {n}").format(n=rest))
    return _("predicted: {answers}").format(answers=", ".join(answers))


def missed(n: int) -> str:
    """What the counts below the photos are out of."""
    return _(
        "Most errors first, of {runs}: the true class in bold, then the predicted classes with the number of "
        "runs. Check images that every run misclassifies: the label may be wrong."
    ).format(runs=n_runs(n))


def kept_classes(n: int, n_all: int) -> str:
    """Said where a confusion matrix cannot hold every class."""
    return _("Only the {n} of {total} classes with the most errors are shown.").format(n=n, total=n_all)


def missed_in_own_parts(n: int) -> str:
    """What the counts below the photos are out of, where each run is tested on photos of its own."""
    return _(
        "Most errors first, from {n} runs with their own test images: the true class in bold, then the "
        "predicted classes with the number of runs. Check images that every run misclassifies: the label may "
        "be wrong."
    ).format(n=n)
