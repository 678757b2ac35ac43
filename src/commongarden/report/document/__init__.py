"""A report as data, and what writes it into a file: HTML, Word, Markdown, LaTeX."""

from __future__ import annotations

from commongarden.report.document.blocks import (
    Block,
    Bullets,
    Document,
    Figure,
    Log,
    Paragraph,
    Section,
    Table,
    numbered,
)

__all__ = ["Block", "Bullets", "Document", "Figure", "Log", "Paragraph", "Section", "Table", "numbered"]
