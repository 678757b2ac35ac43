"""What it would take to settle a comparison, in sentences."""

from __future__ import annotations

import math

from commongarden.i18n.durations import duration
from commongarden.i18n.language import _, ngettext
from commongarden.report.wording import designs, grouped, sizes
from commongarden.report.wording.numbers import whole
from commongarden.report.wording.verdicts import counted_seeds, signflip, verdict
from commongarden.stats import ContrastResult, Effort, Results
from commongarden.stats.answers import MOST_ADVISED


def remedy(contrast: ContrastResult) -> str | None:
    """What would settle a contrast that is not resolved: a range of seeds, where one can be planned; else why not."""
    found = contrast.remedy
    if found is None:
        return None
    size = (sizes.margin if found.wanted == found.margin else sizes.amount)(contrast.metric, found.wanted)
    if found.settle is not None and not found.settle.runs:
        said = _("{seeds} give 80 % power for a true difference of {margin}; more would narrow the interval further.")
        return said.format(seeds=counted_seeds(found.settle.seeds), margin=sizes.margin(contrast.metric, found.margin))
    if found.likely is not None and found.likely[1].seeds <= MOST_ADVISED:
        high = found.likely[1]
        if high.minutes is None:
            said = _("{seeds} would give 80 % power for a true difference of {size}: up to {runs} more.")
        else:
            said = _("{seeds} would give 80 % power for a true difference of {size}: up to {runs} more, {time}.")
        return said.format(size=size, **_cost(high) | {"seeds": seed_range(found.likely[0].seeds, high.seeds)})
    if found.only_photos:
        photos = grouped.counted(found.n_photos, found.n_groups)
        if found.n_groups:
            said = _("With {photos}, more seeds alone cannot resolve a difference of {margin}; more groups can.")
        else:
            said = _("With {photos}, more seeds alone cannot resolve a difference of {margin}; more test images can.")
        return said.format(photos=photos, margin=size)
    return _("A true difference of {size} could take more than {n} seeds.").format(size=size, n=MOST_ADVISED)


def seed_range(low: int, high: int) -> str:
    """The two ends of a range of seeds."""
    return counted_seeds(high) if low == high else _("{low} to {high} seeds").format(low=low, high=high)


def detectable(results: Results) -> str | None:
    """The smallest difference that the study as it is finds, if a comparison is open; its median where several are."""
    open_ones = [one for one in results.contrasts if one.remedy is not None and one.difference is not None]
    found = sorted(one.remedy.detectable for one in open_ones if one.remedy is not None)
    if not found or not 0 < found[len(found) // 2] < math.inf:
        return None
    n = min(one.difference.n for one in open_ones if one.difference is not None)
    return _("With {seeds} and {photos}, this study finds a true difference of about {size} with 80 % power.").format(
        seeds=designs.repeats(n, results.folds),
        photos=grouped.counted(results.n_test, results.n_test_groups),
        size=sizes.amount(results.metric, found[len(found) // 2]),
    )


def in_full(contrast: ContrastResult) -> str:
    """The verdict, what would settle it, and the sign-flip test."""
    return " ".join(filter(None, (verdict(contrast), remedy(contrast), signflip(contrast))))


def _cost(effort: Effort) -> dict[str, str]:
    return {
        "seeds": counted_seeds(effort.seeds),
        "runs": ngettext("{n} run", "{n} runs", effort.runs).format(n=whole(effort.runs)),
        "time": duration(60 * (effort.minutes or 0.0)),
    }
