"""What a study may spend: run seconds or runs; and the seeds that it then has to choose from."""

from __future__ import annotations

import dataclasses
import itertools
import re
from dataclasses import dataclass

from commongarden.errors import StudyError
from commongarden.i18n.language import _
from commongarden.study import Study

MOST_SEEDS = 20  # for an arm, where nobody says another maximum
UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Budget:
    """text: as it was given. Seconds are those of the runs, added up: two at a time use a budget up twice as fast."""

    text: str
    seconds: float | None = None
    runs: int | None = None


@dataclass(frozen=True)
class Spending:
    """How a study is raced. most: seeds that an arm gets at the most."""

    most: int
    budget: Budget | None = None


def parse(text: str) -> Budget:
    """From "30m", "90s", "2h", "1h30m" or "40runs". Raises StudyError.

    >>> parse("1h30m").seconds
    5400.0
    >>> parse("40runs").runs
    40
    """
    compact = text.replace(" ", "").lower()
    if found := re.fullmatch(r"(\d+)runs?", compact):
        n = int(found[1])
        if n:
            return Budget(compact, runs=n)
    elif re.fullmatch(r"(\d+(\.\d+)?[smh])+", compact):
        parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", compact)
        seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
        if seconds:
            return Budget(compact, seconds=seconds)
    message = _("--budget: found {text!r}, accepted: a time (90s, 30m, 2h, 1h30m) or a number of runs (40runs)")
    raise StudyError(message.format(text=text))


def spending(until: str | None, budget: str | None, most: int) -> Spending | None:
    """How to race, None where neither a budget nor an end is asked for. Raises StudyError."""
    if until not in (None, "resolved"):
        raise StudyError(_("until: found {until!r}, accepted: 'resolved'").format(until=until))
    if until is None and budget is None:
        return None
    return Spending(most, None if budget is None else parse(budget))


def with_seeds(study: Study, most: int) -> Study:
    """The study with as many seeds, in rising order: its own, then higher ones. Raises StudyError where it cannot be
    raced."""
    if study.splits_vary:
        text = _(
            "racing needs the same test set for all seeds, but here it differs by seed; accepted: vary "
            "without split and no folds, or no --until and --budget"
        )
        raise StudyError(text)
    if study.metric != "accuracy":
        text = _(
            "racing uses accuracy, but the metric of this study is {metric}; accepted: metric = "
            '"accuracy", or no --until and --budget'
        )
        raise StudyError(text.format(metric=study.metric))
    if study.reference:
        text = _(
            "racing uses Holm's procedure, but this study compares all models with {reference} by Dunnett's; "
            "accepted: no reference, or no --until and --budget"
        )
        raise StudyError(text.format(reference=study.reference))
    if len(study.planned_contrasts()) == 0:
        raise StudyError(_("racing needs contrasts, but this study has none; accepted: two or more models"))
    own = tuple(sorted(study.seeds))
    seeds = (*own[:most], *itertools.islice(itertools.count(own[-1] + 1), max(most - len(own), 0)))
    return dataclasses.replace(study, seeds=seeds)
