"""How many planted copies are found, and how many of the pairs found are true, into docs/reliability.md.

    python scripts/duplicates.py [N]

takes some minutes with the 3,000 pictures that the page shows: photos of ../shared/flowers where that is, and drawn
ones.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

import copies  # noqa: E402

FLOWERS = ROOT.parent / "shared" / "flowers"
PAGE = ROOT / "docs" / "reliability.md"


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    text = "\n\n".join(copies.table(n, source) for source in (FLOWERS, None) if source is None or source.is_dir())
    print(text)
    before = PAGE.read_text(encoding="utf-8")
    marks = re.compile(r"(<!-- duplicates -->\n)(?:.*?\n)?(<!-- /duplicates -->)", re.DOTALL)
    PAGE.write_text(marks.sub(lambda found: f"{found[1]}{text}\n{found[2]}", before), encoding="utf-8")


if __name__ == "__main__":
    main()
