"""The answer first: the verdicts, and the pictures of the differences and of what each arm reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from commongarden.report import charts
from commongarden.report.document import (
    Answer,
    Answers,
    Block,
    Bullets,
    Heading,
    Only,
    Paragraph,
    Plot,
    Section,
    SideBySide,
)
from commongarden.report.wording import baselines, designs, words
from commongarden.report.wording.labels import TEXT
from commongarden.stats import ContrastResult, Results


def section(results: Results, reached: Mapping[str, Sequence[float]]) -> Section:
    """What the study allows one to say. reached: test accuracies of the finished runs, by arm."""
    plots = [plot for plot in (differences(results), accuracies(results, reached)) if plot is not None]
    left: list[Block] = []
    if headline := words.headline(results):
        left.append(Paragraph(headline, role="headline"))
    left += said(results)
    left += [Paragraph(note, role="note") for note in words.notes(results)]
    if not plots:
        blocks = (Paragraph(TEXT["nothing_yet"]), SideBySide((tuple(left),), "answer"))
        return Section(TEXT["answer"], blocks, anchor="answer")
    left.append(Paragraph(words.intervals(results), role="soft"))
    right: list[Block] = [Paragraph(TEXT["no_script"], role="noscript")]
    for plot in plots:
        right += [Heading(TEXT[plot.charts[0].name]), plot]
    return Section(TEXT["answer"], (SideBySide((tuple(left), tuple(right)), "answer"),), anchor="answer")


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
    winner = {"better": contrast.arm, "worse": contrast.against}.get(contrast.outcome, "")
    return Answer(words.verdict(contrast), " ".join(beside), winner)


def differences(results: Results) -> Plot | None:
    """The difference of each contrast; None where no contrast has one."""
    chart = charts.differences(results, words.verdicts(results))
    caption = words.differences_caption(results) if _has_intervals(results) else TEXT["differences_caption_one"]
    return None if chart is None else Plot(caption, (chart,))


def accuracies(results: Results, reached: Mapping[str, Sequence[float]]) -> Plot | None:
    """What each arm reached, beside what is to be beaten; None where no run has finished."""
    chart = charts.accuracies(results, reached)
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
