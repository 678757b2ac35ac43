"""The answer in a few short sentences: the best model and how sure that is, what is significant, what to do next.

There are no p values in it: they are in the report's evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from commongarden.i18n.durations import duration
from commongarden.i18n.language import _, ngettext
from commongarden.records import Estimate
from commongarden.report.wording import baselines, designs, numbers, sizes, sweeps
from commongarden.report.wording.advice import detectable, seed_range
from commongarden.report.wording.verdicts import compared_in, is_wide
from commongarden.stats import METRICS, Answer, ContrastResult, Results, Unsettled, answer
from commongarden.stats.answers import FEWEST_SEEDS, MOST_ADVISED
from commongarden.stats.foremost import foremost, is_sweep
from commongarden.store.folder import WEIGHTS


@dataclass(frozen=True)
class Said:
    """headline: the best model. settled, open: a sentence on each comparison; before the open ones, that the best model
    is no better than a simple baseline, where it is not. next: what would settle those that are
    within reach, with the command to type; "" where nothing would. use: (what it does, command)."""

    headline: str
    settled: tuple[str, ...]
    open: tuple[str, ...]
    next: tuple[str, str]
    use: tuple[tuple[str, str], ...]


def said(results: Results, folder: str | None) -> Said | None:
    """What to say of these results; None where no run has finished. folder: of the study, as
    it is typed in commands; without it there are none."""
    found = answer(results)
    if found is None:
        return None
    told = answer(foremost(results)) or found
    still_open: tuple[str, ...]
    if is_sweep(results):  # the open ones among the best are told of with the comparisons
        left = [one for one in results.contrasts if not any(one is each for each in told.settled)]
        still_open = (sweeps.counted(left, other=bool(told.settled)),) if left else ()
    else:
        still_open = tuple(unsettled(one, results) for one in told.unsettled)
    return Said(
        headline(found, results),
        tuple(map(settled, told.settled)),
        (*_caution(found, results), *still_open, *(line for line in (detectable(foremost(results)),) if line)),
        ("", "") if folder is None else _next(found, results, folder),
        () if folder is None else _use(found, results, folder),
    )


def lines(found: Said) -> list[str]:
    """All of it as lines of text, for a terminal."""
    return [found.headline, *found.settled, *found.open, *steps(found)]


def steps(found: Said) -> list[str]:
    """What to do next, with the commands to type, as lines of text."""
    named = [found.next] if found.next[0] else []
    return [line for what, command in (*named, *found.use) for line in (what, f"  {command}")]


def headline(found: Answer, results: Results) -> str:
    """The best model in one sentence."""
    arm, best = found.best.arm, _figure(found.reached, results.metric, found.best.reached)
    if found.n_arms == 1:
        return _("{arm}: {figure}.").format(arm=arm, figure=best)
    if set(found.beaten) >= {one.arm for one in results.standings} - {arm}:
        others = (_("the other model"), _("both other models"), _("all {n} other models"))
        beaten = others[min(found.n_arms, 4) - 2].format(n=found.n_arms - 1)
        return _("Best: {arm}, {figure}, significantly better than {others}.").format(
            arm=arm, figure=best, others=beaten
        )
    chance = found.best.probability_best
    if chance is None:
        return _("Best in one run each: {arm}, {figure}. With one seed this may be chance.").format(
            arm=arm, figure=best
        )
    said = _("Best on average: {arm}, {figure}, {chance} likely to be the best of the {n} models.").format(
        arm=arm, figure=best, chance=_chance(chance), n=found.n_arms
    )
    among = sweeps.may_be_best(results)
    return said if among is None else f"{among} {said}"


def _caution(found: Answer, results: Results) -> Iterator[str]:
    beside = next((one for one in results.beside_baselines if one.arm == found.best.arm), None)
    if beside is not None and (said := baselines.beside(beside)):
        advice = _(
            "Train longer (--epochs), on larger images (--image-size), or from published weights (--pretrained)."
        )
        yield f"{said} {advice}"


def settled(contrast: ContrastResult) -> str:
    """A comparison with a significant difference, or with none that counts."""
    if contrast.outcome == "equivalent":
        size = sizes.margin(contrast.metric, contrast.margin)
        return _("{arm} and {against} are equivalent within {size}.").format(
            arm=contrast.arm, against=contrast.against, size=size
        )
    winner, loser = contrast.arm, contrast.against
    if contrast.outcome == "worse":
        winner, loser = loser, winner
    amount = 0.0 if contrast.difference is None else abs(contrast.difference.value)
    interval = contrast.adjusted or contrast.difference
    low, high = sorted((abs(interval.low or 0.0), abs(interval.high or 0.0))) if interval is not None else (0.0, 0.0)
    said = _("Significant: {winner} is better than {loser} by {size} (95 % CI {low} to {high}).").format(
        winner=winner,
        loser=loser,
        size=sizes.amount(contrast.metric, amount),
        low=sizes.figure(contrast.metric, low),
        high=sizes.figure(contrast.metric, high),
    )
    return " ".join(filter(None, (said, compared_in(contrast))))


def unsettled(one: Unsettled, results: Results) -> str:
    """A comparison that is open, and what would settle it."""
    contrast = one.contrast
    pair = {"arm": contrast.arm, "against": contrast.against}
    if contrast.difference is None:
        if contrast.all_runs is not None:
            return _("Not compared yet: {arm} and {against} have no seed in which both learned.").format(**pair)
        return _("Not compared yet: {arm} and {against} have no finished seed in common.").format(**pair)
    text = _("Not significant: {arm} compared with {against}, {difference}.")
    if contrast.outcome in ("one seed", "two seeds"):
        text = _("Exploratory, {seeds}: {arm} compared with {against}, {difference}.")
        if contrast.all_runs is not None:
            text = _("Exploratory, {seeds} in which both learned: {arm} compared with {against}, {difference}.")
        pair["seeds"] = designs.repeats(contrast.difference.n, contrast.folds)
    said = [text.format(**pair, difference=_difference(contrast))]
    if contrast.outcome not in ("one seed", "two seeds") and (over := compared_in(contrast)):
        said.append(over)
    is_margin = one.difference == contrast.margin
    size = (sizes.margin if is_margin else sizes.amount)(contrast.metric, one.difference)
    if one.needs == "seeds":
        needed = _("{seeds} in all would likely settle it, if the true difference is {size}.")
        said.append(needed.format(seeds=seed_range(one.least, one.seeds), size=size))
    elif one.needs == "photos":
        more = _("more groups of test images") if results.n_test_groups else _("more test images")
        if one.photos:
            said.append(
                _("For a true difference of {size}, {more} help more than more seeds.").format(size=size, more=more)
            )
        else:
            text = _("More seeds alone will not settle a difference of {size}; {more} would.")
            said.append(text.format(size=size, more=more))
    elif one.needs == "more images":
        few = ngettext(
            "One test image is too few to plan with; add images.",
            "{n} test images are too few to plan with; add images.",
            results.n_test,
        )
        said.append(few.format(n=results.n_test))
    elif one.needs == "out of reach":
        said.append(_("It could take more than {n} seeds.").format(n=MOST_ADVISED))
    return " ".join(said)


def _difference(contrast: ContrastResult) -> str:
    found = contrast.adjusted or contrast.difference
    if found is None:
        return ""
    value = sizes.signed(contrast.metric, found.value)
    if not _is_useful(found, METRICS[contrast.metric].spread_bounds):
        return value
    return _("{value} (95 % CI {interval})").format(value=value, interval=sizes.span(contrast.metric, found))


def _next(found: Answer, results: Results, folder: str) -> tuple[str, str]:
    if results.n_missing:
        said = ngettext("Next: {n} run is left; to resume:", "Next: {n} runs are left; to resume:", results.n_missing)
        command = f"commongarden run {folder}/study.toml --out {folder}"
        return said.format(n=numbers.whole(results.n_missing)), command
    if n_failed := sum(arm.n_failed for arm in results.arms):
        said = ngettext(
            "Next: {n} run failed; once the cause is fixed, repeat it:",
            "Next: {n} runs failed; once the cause is fixed, repeat them:",
            n_failed,
        )
        return said.format(n=numbers.whole(n_failed)), f"commongarden run {folder}/study.toml --out {folder} --retry"
    if not found.seeds or not found.runs:
        return "", ""
    command = f"commongarden run {folder}/study.toml --out {folder} --seeds {found.seeds}"
    runs = ngettext("{n} more run", "{n} more runs", found.runs).format(n=numbers.whole(found.runs))
    effort = (
        runs if found.minutes is None else _("{runs} ({time})").format(runs=runs, time=duration(60 * found.minutes))
    )
    first = all(one.needs == "first seeds" for one in found.unsettled if one.needs in ("seeds", "first seeds"))
    if first:
        return _("Next: train each model with {n} seeds, {effort}:").format(n=found.seeds, effort=effort), command
    return _("Next: up to {effort} would likely settle the comparisons within reach:").format(effort=effort), command


def _use(found: Answer, results: Results, folder: str) -> tuple[tuple[str, str], ...]:
    run = f"{folder}/runs/{found.best.arm}/{results.seeds[0]}"
    if Path(run).is_dir() and not (Path(run) / WEIGHTS).is_file():  # deleted by `clean`
        return ()
    return (
        (_("Classify images with it:"), f"commongarden predict {folder} IMAGE..."),
        (_("Export it to ONNX:"), f"commongarden export {run}"),
    )


def _figure(reached: Estimate | None, metric: str, mean: float) -> str:
    shares = METRICS[metric].unit == "points"
    value = numbers.percent(mean) if shares else sizes.amount(metric, mean)
    if reached is None or not _is_useful(reached, METRICS[metric].bounds):
        return value
    return _("{value} (95 % CI {interval})").format(value=value, interval=sizes.span(metric, reached))


def _is_useful(found: Estimate, bounds: tuple[float, float]) -> bool:
    """Whether its interval says more than that nothing is known yet."""
    return found.low is not None and found.high is not None and found.n >= FEWEST_SEEDS and not is_wide(found, bounds)


def _chance(share: float) -> str:
    """A probability in whole per cent, never 0 or 100."""
    return numbers.percent(min(max(share, 0.01), 0.99), 0)


def typed(folder: Path) -> str:
    """The folder as it is typed in the current one: by its whole path if it lies elsewhere."""
    where = folder.resolve()
    here = Path.cwd().resolve()
    return where.relative_to(here).as_posix() if where.is_relative_to(here) else str(where)
