"""The section on a network that is taken apart: what each of its parts is worth."""

from __future__ import annotations

from commongarden.i18n.language import _
from commongarden.report import charts
from commongarden.report.document import Block, Bullets, Cell, Chart, Paragraph, Plot, Section, SideBySide, Table
from commongarden.report.topics.part_contributions import COLUMNS, cells, name, question, sentence, unit
from commongarden.report.wording import numbers
from commongarden.report.wording.labels import TEXT
from commongarden.stats import METRICS, PartContributions, Results


def section(results: Results) -> Section | None:
    """The section of a study that takes a network apart: what is established or equivalent in a sentence each, what is
    not resolved, and a table of all parts; None for another one."""
    found = results.worth
    if found is None:
        return None
    left: list[Block] = [Paragraph(question(found))]
    settled = [part for part in found.parts if part.outcome in ("better", "worse", "equivalent")]
    if settled:
        left.append(Bullets(tuple(sentence(part, results) for part in settled)))
    if said := unsettled(found):
        left.append(Paragraph(said))
    left.append(Paragraph(TEXT["worth_caption"], role="soft"))
    caption = " ".join(TEXT[key] for key in ("worth_bar", _side(results), "effects_colours"))
    header: tuple[str | Cell, ...] = (TEXT["worth_part"], *(Cell(TEXT[key], unit(key, results)) for key in COLUMNS))
    rows: tuple[tuple[str | Cell, ...], ...] = tuple((name(part), *cells(part, results)) for part in found.parts)
    sides = SideBySide((tuple(left), (Plot(caption, picture(results, found)),)), "answer")
    table = Table(f"{TEXT['worth']}.", header, rows, kind="wide")
    return Section(TEXT["worth"], (sides, table), anchor="worth-of-parts")


def unsettled(found: PartContributions) -> str:
    """The parts that are not resolved, and those without runs enough; "" where there are none."""
    rest = [name(part) for part in found.parts if part.outcome == "not resolved"]
    waiting = [
        name(part)
        for part in found.parts
        if part.outcome in ("two seeds", "one seed", "one photo", "one group", "no pairs")
    ]
    said = [_("Not significant: {parts}.").format(parts=numbers.listed(rest))] if rest else []
    if waiting:
        said.append(_("Too few runs so far: {parts}.").format(parts=numbers.listed(waiting)))
    return " ".join(said)


def picture(results: Results, found: PartContributions) -> tuple[Chart, ...]:
    """Every part with its interval beside zero, the most valuable first; nothing where no run has finished."""
    order = [arm.arm for arm in results.arms]
    rows = []
    for part in found.parts:
        estimate = part.adjusted or part.difference
        if estimate is None:
            continue
        better = {"better": found.arm, "worse": part.arm}.get(part.outcome)
        hue = None if better is None else charts.colour(order.index(better))
        cell = cells(part, results)[0]
        said = f"{cell.text} ({cell.below})" if cell.below else cell.text
        rows.append(charts.difference_row(results.metric, name(part), estimate, said, sentence(part, results), hue))
    if not rows:
        return ()
    spoken = " ".join(row["verdict"] for row in rows)
    return (charts.beside_zero("worth", rows, charts.difference_axis(results.metric), spoken),)


def _side(results: Results) -> str:
    return "worth_right" if METRICS[results.metric].higher_is_better else "worth_left"
