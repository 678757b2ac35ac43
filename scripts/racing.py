"""Simulates raced studies and writes what comes of it into docs/racing.md, between the marks.

    python scripts/racing.py [STUDIES]

takes some minutes with the 4,000 studies a row that the page shows.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

import racing_studies  # noqa: E402

PAGE = ROOT / "docs" / "racing.md"
OTHERS = (5, 10, 40)


def at_the_planned_maximum(n_studies: int) -> str:
    """The table."""
    return racing_studies.table(racing_studies.simulate(n_studies, 11), n_studies)


def at_others(n_studies: int) -> str:
    """Whether the error rate holds with other maxima, in one line."""
    wrong = [racing_studies.simulate(n_studies, 12, most, (0,))[0] for most in OTHERS]
    told = [
        f"{row.family_error:.1%} with {most} seeds ({row.fixed_family_error:.1%} for the fixed design)"
        for most, row in zip(OTHERS, wrong, strict=True)
    ]
    return f"Studies of equal models with a false claim, for other maxima: {', '.join(told)}."


def main() -> None:
    n_studies = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    text = f"{at_the_planned_maximum(n_studies)}\n\n{at_others(n_studies)}"
    print(text)
    before = PAGE.read_text(encoding="utf-8")
    marks = re.compile(r"(<!-- simulation -->\n)(?:.*?\n)?(<!-- /simulation -->)", re.DOTALL)
    PAGE.write_text(marks.sub(lambda found: f"{found[1]}{text}\n{found[2]}", before), encoding="utf-8")


if __name__ == "__main__":
    main()
