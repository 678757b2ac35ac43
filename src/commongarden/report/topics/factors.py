"""The section on the factors of a study: sentences on their effects, and the picture of them."""

from __future__ import annotations

from commongarden.i18n.language import _
from commongarden.report import charts
from commongarden.report.document import Block, Bullets, Chart, Heading, Only, Paragraph, Plot, Section, SideBySide
from commongarden.report.wording import effects
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.sizes import plus
from commongarden.stats import METRICS, Effect, Factorial, Results


def section(results: Results) -> Section | None:
    """The section of a factorial study; None for another one."""
    found = results.factorial
    if found is None:
        return None
    said = [(len(effect.steps), effects.sentence(effect, found)) for effect in found.effects]
    blocks: list[Block] = [Bullets(tuple(sentence for n, sentence in said if n == 1))]
    if interactions := tuple(sentence for n, sentence in said if n > 1):
        blocks += [Heading(TEXT["interactions"]), Bullets(interactions)]
    notes = (Paragraph(" ".join(effects.notes(found)), role="soft"),)
    left = (*blocks, Only("page", notes))
    right = (Plot(_caption(found), picture(found)), Only("paper", notes))
    return Section(TEXT["effects"], (SideBySide((left, right), "answer"),), anchor="effects-of-factors")


def picture(found: Factorial) -> tuple[Chart, ...]:
    """Every effect with its interval beside zero, main effects first; nothing where none can be estimated."""
    rows = []
    for effect in found.effects:
        estimate = effect.adjusted
        if estimate is None:
            continue
        hue = charts.colour(0) if effect.outcome == "established" else None
        value, span = plus(found.metric, estimate.value), effects.interval(found.metric, estimate)
        said = f"{value} ({span})" if span else value
        sentence = effects.sentence(effect, found)
        rows.append(charts.difference_row(found.metric, _short(effect, found), estimate, said, sentence, hue))
    if not rows:
        return ()
    spoken = " ".join(row["verdict"] for row in rows)
    return (charts.beside_zero("effects", rows, charts.difference_axis(found.metric), spoken),)


def _short(effect: Effect, found: Factorial) -> str:
    """An effect's label, short enough for a phone: levels are named where a factor has more than two."""
    sizes = {name: len(levels) for name, levels in found.factors}
    if len(effect.steps) == 1:
        return _("{factor}: {level}").format(factor=effect.steps[0].factor, level=effect.steps[0].level)
    joined = " × ".join(step.factor for step in effect.steps)
    if all(sizes[step.factor] == 2 for step in effect.steps):
        return joined
    return _("{factor}: {level}").format(factor=joined, level=", ".join(step.level for step in effect.steps))


def _caption(found: Factorial) -> str:
    side = "effects_right" if METRICS[found.metric].higher_is_better else "effects_left"
    return " ".join(TEXT[key] for key in ("effects_bar", side, "effects_colours"))
