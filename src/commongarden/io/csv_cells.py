"""Cells of CSV files that a spreadsheet takes for text. One that begins as a formula gets an apostrophe in front, which
spreadsheets do not show; one that begins with an apostrophe gets another, so that `plain` gives back what it was.
"""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe(text: str) -> str:
    """The text as a cell that is no formula.

    >>> safe("=HYPERLINK(1)"), safe("rose"), safe("'t Gooi")
    ("'=HYPERLINK(1)", 'rose', "''t Gooi")
    """
    return f"'{text}" if text.startswith((*FORMULA, "'")) else text


def plain(cell: str) -> str:
    """The text of a cell that `safe` made; any other as it is.

    >>> plain(safe("=1")), plain("rose"), plain("-1")
    ('=1', 'rose', '-1')
    """
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*FORMULA, "'")) else cell
