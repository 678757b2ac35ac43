"""Puts results.csv, results.json and report.html into the study's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from commongarden.report import effects, tables, words
from commongarden.stats import Results, summarize
from commongarden.store import Store, write_atomically


def write(store: Store) -> Path:
    """Summarizes what the store holds, however much of the study is done; returns the path of report.html."""
    from commongarden.report import page  # the charts' library, which `compare` has no use for

    results = summarize(store)
    write_atomically(store.root / "results.csv", tables.to_csv(results).encode())
    write_atomically(store.root / "results.json", to_json(results).encode())
    path = store.root / "report.html"
    write_atomically(path, page.render(store, results).encode())
    return path


def to_json(results: Results) -> str:
    """The results with the sentence of each contrast, and what must be said beside the verdicts."""
    table: dict[str, Any] = msgspec.to_builtins(results)
    for contrast, row in zip(results.contrasts, table["contrasts"], strict=True):
        row["verdict"] = words.verdict(contrast)
        row["advice"] = words.remedy(contrast)
    if results.factorial is not None:
        for effect, row in zip(results.factorial.effects, table["factorial"]["effects"], strict=True):
            row["sentence"] = effects.sentence(effect, results.factorial)
    table["notes"] = words.notes(results)
    return msgspec.json.format(msgspec.json.encode(table), indent=1).decode()
