"""A section as paper has it: charts are drawn, cells are text, and what only the page can show is left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from commongarden.report.charts import figures
from commongarden.report.document.blocks import (
    Answers,
    Block,
    Bullets,
    Figure,
    Fold,
    Gallery,
    Heading,
    Keys,
    Legend,
    Only,
    Paragraph,
    Plot,
    Section,
    SideBySide,
    StyledLine,
    Table,
)


def section(made: Section) -> Section:
    """The section of Paragraphs, Bullets, Tables, Figures and Logs."""
    return dataclasses.replace(made, blocks=tuple(blocks(made.blocks)), sections=tuple(map(section, made.sections)))


def blocks(made: Iterable[Block]) -> Iterator[Block]:
    """The blocks in one column."""
    for block in made:
        match block:
            case Only(where=where):
                yield from blocks(block.blocks) if where == "paper" else ()
            case SideBySide(parts=parts):
                for part in parts:
                    yield from blocks(part)
            case Fold():
                yield from blocks(block.blocks)
            case Heading():
                yield Paragraph(f"{block.text}:", leads=True)
            case Plot(charts=charts):
                if charts:
                    svg = figures.charts(charts) if block.lines else figures.chart(charts[0])
                    yield Figure(block.caption, svg, "; ".join(chart.description for chart in charts))
            case Bullets():
                yield Bullets(block.texts)
                if block.closing:
                    yield Paragraph(block.closing)
            case Table(texts=(header, *rows)):
                yield Table(block.caption, header, tuple(rows), block.n_left)
            case StyledLine(spans=spans):
                yield Paragraph("".join(span.text for span in spans))
            case Answers(items=items):
                yield Bullets(tuple(item.text for item in items))
            case Legend() | Keys() | Gallery():
                pass
            case _:
                yield block
