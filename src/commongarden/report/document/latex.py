"""Tables for a LaTeX document that has `\\usepackage{booktabs}`: `\\input{table}` puts them in."""

from __future__ import annotations

import re
from collections.abc import Sequence

from commongarden.report.document import Table
from commongarden.report.wording.numbers import NEGATIVE

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\char34}", "`": r"\textasciigrave{}", "[": "{[}", "]": "{]}",
    "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{MINUS SIGN}": "$-$",
}  # fmt: skip
LIGATURE = re.compile(r"([-',])(?=\1)")  # two that TeX would set as one dash or quotation mark


def to_latex(tables: Sequence[Table]) -> str:
    """The tables as floats, each with its caption above it and the label tab:commongarden-1, -2..."""
    return "\n".join(_float(table, i) for i, table in enumerate(tables, 1))


def text(plain: str) -> str:
    """Text in one line that LaTeX prints as itself.

    >>> text("50 % of a_b & {c}")
    '50 \\\\% of a\\\\_b \\\\& \\\\{c\\\\}'
    """
    line = NEGATIVE.sub("\N{MINUS SIGN}", " ".join(plain.split()))
    return LIGATURE.sub(r"\1{}", "".join(SPECIAL.get(sign, sign) for sign in line if sign.isprintable()))


def _float(table: Table, n: int) -> str:
    header, *rows = table.texts
    columns = "l" * table.n_left + "r" * (len(table.header) - table.n_left)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{text(table.caption)}}}",
            rf"\label{{tab:commongarden-{n}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            _row(header),
            r"\midrule",
            *map(_row, rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _row(cells: Sequence[str]) -> str:
    """One row; further lines of its cells stand in rows of their own below it."""
    parts = [cell.split("\n") for cell in cells]
    lines = [[part[i] if i < len(part) else "" for part in parts] for i in range(max(map(len, parts)))]
    return "\n".join(" & ".join(text(cell) for cell in line) + r" \\" for line in lines)
