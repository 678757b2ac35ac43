"""Writes the table of architectures in docs/architectures.md anew, from what is registered.

scripts/architectures.py [FILE] prints nothing; a test checks that the file in the repository is up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from commongarden import arch

PAGE = Path(__file__).parents[1] / "docs" / "architectures.md"
BEGIN, END = "<!-- scripts/architectures.py writes what is between here -->", "<!-- and here -->"


def table() -> str:
    """A Markdown row for each name, and for its form with auxiliary heads."""
    rows = [
        "| name | parameters | MACs | input | classes | source |",
        "|---|--:|--:|---|--:|---|",
    ]
    for name, family in arch.FAMILIES.items():
        forms = [({}, f"`{name}`")] + [({"aux": True}, f"`{name}`, `aux = true`")] * ("aux" in family.options)
        for options, shown in forms:
            cost = family.cost(**options)
            numbers = f"{cost.n_params:,} | {cost.macs:,} | {arch.show_shape(family.input)} | {family.n_classes:,}"
            rows.append(f"| {shown} | {numbers} | {family.source} |")
    return "\n".join(rows)


def with_table(page: str) -> str:
    """The page with the table between its two marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{PAGE}: found no place for the table, accepted: the lines {BEGIN!r} and {END!r}")
    return f"{before}{begin}\n\n{table()}\n\n{end}{after}"


if __name__ == "__main__":
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    file.write_text(with_table(file.read_text(encoding="utf-8")), encoding="utf-8")
