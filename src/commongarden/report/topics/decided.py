"""The models that a person dropped while the study ran, and what follows for the results."""

from __future__ import annotations

import datetime

from commongarden.i18n.language import _
from commongarden.store import Store


def lines(store: Store) -> list[str]:
    """A sentence or two for each model; nothing where none was dropped."""
    text = _(
        "{arm}: a person dropped this model on {date} after {n} of {total} runs, not by a rule set before the study. "
        "If its accuracy so far was the reason, that accuracy is likely too low, and the error rate of its comparisons "
        "is not controlled."
    )
    arms = store.study().arms
    return [
        text.format(arm=arm, date=_date(one.time), n=one.n_runs, total=one.n_planned)
        for arm, one in store.dropped().items()
        if arm in arms
    ]


def _date(time: float) -> str:
    return datetime.datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M")
