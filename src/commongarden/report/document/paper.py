"""A section as paper has it: charts are drawn, cells are text, and what only the page can show is left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from commongarden.report import document
from commongarden.report.charts import figures, photographs


def section(made: document.Section) -> document.Section:
    """The section of Paragraphs, Bullets, Tables, Figures and Logs."""
    return dataclasses.replace(made, blocks=tuple(blocks(made.blocks)), sections=tuple(map(section, made.sections)))


def blocks(made: Iterable[document.Block]) -> Iterator[document.Block]:
    """The blocks in one column."""
    for block in made:
        match block:
            case document.Only(where=where):
                yield from blocks(block.blocks) if where == "paper" else ()
            case document.SideBySide(parts=parts):
                for part in parts:
                    yield from blocks(part)
            case document.Fold():
                yield from blocks(block.blocks)
            case document.Heading():
                yield document.Paragraph(f"{block.text}:", leads=True)
            case document.Plot(charts=charts):
                if charts:
                    svg = _drawn(block)
                    yield document.Figure(block.caption, svg, "; ".join(chart.description for chart in charts))
            case document.Bullets():
                yield document.Bullets(block.texts)
                if block.closing:
                    yield document.Paragraph(block.closing)
            case document.Table(texts=(header, *rows)):
                yield document.Table(block.caption, header, tuple(rows), block.n_left)
            case document.StyledLine(spans=spans):
                yield document.Paragraph("".join(span.text for span in spans))
            case document.Answers(items=items):
                yield document.Bullets(tuple(item.text for item in items))
            case document.Gallery():
                yield document.Figure(block.caption, photographs.drawn(block), photographs.said(block))
            case document.Legend() | document.Keys() | document.Commands():
                pass
            case _:
                yield block


def _drawn(plot: document.Plot) -> str:
    if plot.lines:
        return figures.charts(plot.charts)
    return figures.chart(plot.charts[0]) if len(plot.charts) == 1 else figures.panels(plot.charts)
