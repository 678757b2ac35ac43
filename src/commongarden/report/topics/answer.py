"""The answer first: the verdicts, and the pictures of the differences and of what each arm reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from commongarden.report import charts
from commongarden.report.document import (
    Answer,
    Answers,
    Block,
    Bullets,
    Commands,
    Heading,
    Only,
    Paragraph,
    Plot,
    Section,
    SideBySide,
)
from commongarden.report.topics import everyone
from commongarden.report.wording import answers, baselines, designs, sweeps, words
from commongarden.report.wording.labels import TEXT
from commongarden.stats import ContrastResult, Results, answer
from commongarden.stats.foremost import foremost, others


def section(results: Results, reached: Mapping[str, Sequence[float]], folder: str, about: Sequence[str]) -> Section:
    """The first screen: the best model and how sure that is, what is settled, what to do next, and one picture.

    reached: test accuracies of finished runs, by arm. folder: of the study, as typed. about: lines on data and set-up.
    """
    found = answers.said(results, folder)
    lines: list[Block] = [Paragraph(line, role="soft") for line in about]
    if found is None:
        notes = [Paragraph(note, role="note") for note in words.notes(results)]
        return Section(TEXT["answer"], (Paragraph(TEXT["nothing_yet"]), *notes, *lines), anchor="answer")
    left: list[Block] = [Paragraph(found.headline, role="headline")]
    if found.settled or found.open:
        winners = answer(foremost(results))
        settled = () if winners is None else map(_winner, winners.settled)
        items = [Answer(text, "", arm) for text, arm in zip(found.settled, settled, strict=True)]
        left.append(Answers((*items, *(Answer(text, "") for text in found.open))))
    left += [Paragraph(note, role="note") for note in words.notes(results)]
    left.append(Commands(((found.next,) if found.next[0] else ()) + found.use))
    right: list[Block] = [Paragraph(TEXT["no_script"], role="noscript")]
    if (plot := accuracies(results, reached)) is not None:
        right += [Heading(TEXT[plot.charts[0].name]), plot]
    return Section(TEXT["answer"], (SideBySide((tuple(left), tuple(right)), "answer"), *lines), anchor="answer")


def comparisons(results: Results) -> Section | None:
    """Every planned comparison: its conclusion, its evidence, the picture of the differences; None without any."""
    plot, told = differences(foremost(results)), said(foremost(results))
    if plot is None:
        return None
    rest = [Paragraph(text) for text in (sweeps.comparisons(results),) if text]
    left = (*told, *rest, *everyone.comparisons(results), Paragraph(words.intervals(results), role="soft"))
    right = (Heading(TEXT[plot.charts[0].name]), plot)
    return Section(TEXT["comparisons"], (SideBySide((left, right), "answer"),), anchor="comparisons")


def said(results: Results) -> list[Block]:
    """A sentence on each contrast, or on the only arm."""
    if contrasts := words.verdicts(results):
        return [Answers(tuple(map(_answer, contrasts)))]
    if len(results.arms) == 1 and results.arms[0].n_finished:
        alone = words.one_arm(results.arms[0], results.folds)
        return [Only("page", (Paragraph(alone, role="headline"),)), Only("paper", (Bullets((alone,)),))]
    return []


def _answer(contrast: ContrastResult) -> Answer:
    beside = filter(None, (words.remedy(contrast), words.signflip(contrast), words.differs(contrast)))
    return Answer(words.verdict(contrast), " ".join(beside), _winner(contrast))


def _winner(contrast: ContrastResult) -> str:
    return {"better": contrast.arm, "worse": contrast.against}.get(contrast.outcome, "")


def differences(results: Results) -> Plot | None:
    """The difference of each contrast; None where no contrast has one."""
    chart = charts.differences(results, words.verdicts(results))
    caption = words.differences_caption(results) if _has_intervals(results) else TEXT["differences_caption_one"]
    return None if chart is None else Plot(caption, (chart,))


def accuracies(results: Results, reached: Mapping[str, Sequence[float]]) -> Plot | None:
    """What each arm reached, beside what is to be beaten; None where no run has finished."""
    left = [arm for arm in others(results)[0] if arm.test_accuracy is not None]
    chart = charts.accuracies(foremost(results), reached, left)
    if chart is None:
        return None
    text = designs.labels(TEXT, results.folds)
    caption = text["accuracies_caption" if _has_intervals(results) else "accuracies_caption_one"]
    if any(arm.published is not None for arm in results.arms):
        caption += TEXT["published_caption"]
    simple = baselines.caption(results.baselines, results.n_train)
    return Plot(f"{caption} {simple}" if simple else caption, (chart,))


def _has_intervals(results: Results) -> bool:
    return any(arm.n_finished > 1 for arm in results.arms)
