"""A report as data, and what writes it into a file: HTML, Word, Markdown, LaTeX."""

from __future__ import annotations

from commongarden.report.document.blocks import (
    Answer,
    Answers,
    Block,
    Bullets,
    Cell,
    Chart,
    Columns,
    Document,
    Figure,
    Fold,
    Heading,
    Keys,
    Legend,
    Line,
    Log,
    Only,
    Paragraph,
    Picture,
    Pictures,
    Plot,
    Section,
    Span,
    Table,
    numbered,
)

__all__ = [
    "Answer", "Answers", "Block", "Bullets", "Cell", "Chart", "Columns", "Document", "Figure", "Fold", "Heading",
    "Keys", "Legend", "Line", "Log", "Only", "Paragraph", "Picture", "Pictures", "Plot", "Section", "Span", "Table",
    "numbered",
]  # fmt: skip
