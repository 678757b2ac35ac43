"""Writes docs/forensics.md, its Korean twin and their pictures from a store of the study `forensics`.

    python examples/forensics/write_document.py STORE [--timing FILE.json]

STORE is the folder that `commongarden run forensics --data PHOTOS` made; what it lacks is left out and said. FILE.json
holds LAB and LA timed in turn: what `commongarden explain LA LAB --study flowers --repeats 10 --json` prints.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from commongarden import store as stores
from commongarden.errors import CommonGardenError
from commongarden.i18n import language
from commongarden.report.document.markdown import to_markdown
from forensic_study import report as forensic
from forensic_study.report.time import read_timing

DOCS = Path(__file__).parents[2] / "docs"
NAMES = {"en": "forensics.md", "ko": "forensics.ko.md"}
PICTURES = {"en": "forensics", "ko": "forensics.ko"}
LINKS = {"en": "**English** · [한국어](forensics.ko.md)", "ko": "[English](forensics.md) · **한국어**"}


def written(store: Path, timing: Path | None, tongue: str) -> tuple[str, dict[str, str]]:
    """The document in a language, and its pictures by name."""
    with language.used(tongue):
        measured = None if timing is None else read_timing(timing)
        made = forensic.document(stores.open_store(store), measured)
        text, pictures = to_markdown(made, f"drawings/{PICTURES[tongue]}")
    title, rest = text.split("\n", 1)
    return f"{title}\n\n{LINKS[tongue]}\n{rest}", pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--timing", type=Path)
    parser.add_argument("--docs", type=Path, default=DOCS, help="the folder to write into [docs]")
    given = parser.parse_args()
    try:
        made = {tongue: written(given.store, given.timing, tongue) for tongue in NAMES}
    except CommonGardenError as error:
        sys.exit(str(error))
    for tongue, (text, pictures) in made.items():
        folder = given.docs / "drawings" / PICTURES[tongue]
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("figure-*.svg"):
            old.unlink()
        for name, svg in pictures.items():
            (folder / name).write_text(svg, encoding="utf-8")
        (given.docs / NAMES[tongue]).write_text(text, encoding="utf-8")
        print(given.docs / NAMES[tongue])


if __name__ == "__main__":
    main()
