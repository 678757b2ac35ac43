"""What it would take to settle a comparison, in sentences."""

from __future__ import annotations

import math

from commongarden.i18n.durations import duration
from commongarden.i18n.language import _, ngettext
from commongarden.report.wording import grouped, sizes
from commongarden.report.wording.numbers import whole
from commongarden.report.wording.verdicts import counted_photos, counted_seeds, signflip, verdict
from commongarden.stats import ContrastResult, Effort, Remedy
from commongarden.stats.answers import WITHIN_REACH


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
