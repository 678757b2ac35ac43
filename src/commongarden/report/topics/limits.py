"""How far the results of a study reach."""

from __future__ import annotations

from commongarden.i18n.language import _
from commongarden.report.wording import words
from commongarden.report.wording.sweeps import some
from commongarden.stats import Results
from commongarden.stats.foremost import MOST_TOLD
from commongarden.study import Study


def lines(study: Study, results: Results) -> tuple[str, ...]:
    """One sentence or more for each limit."""
    found = words.limits(results, {study.recipe_of(arm).select for arm in study.arms})
    if arms := given_weights(study):
        text = _(
            "{arms} started from given weights. The images these were trained on are not known to commongarden: some "
            "test images may be among them, above all if both come from the web, and the accuracy is then too high. "
            "To test on images of your own: commongarden evaluate STUDY OWN_PHOTOS."
        )
        found.append(text.format(arms=some(arms, MOST_TOLD)))
    return tuple(found)


def given_weights(study: Study) -> list[str]:
    """The arms that start from published weights or a file of weights."""
    return [name for name, arm in study.arms.items() if arm.wants_weights]
