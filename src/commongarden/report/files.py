"""Puts what is written about a study into its folder: results.csv, results.json, report.html, and where they are asked
for report.docx, report.md with its figures, table.tex, predictions.csv."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from commongarden.errors import StudyError, unknown
from commongarden.i18n.language import _, spoken
from commongarden.report import predictions_csv, results_csv
from commongarden.report.document import Cover, Document
from commongarden.report.wording import effects, sweeps, words
from commongarden.stats import Results, summarize
from commongarden.stats.foremost import foremost
from commongarden.store import ReadOnce, Store, write_atomically

FORMATS = ("html", "docx", "md", "latex", "predictions")
FIGURES = "report_files"  # the folder of report.md's figures


@spoken(False)
def write(store: Store, results: Results | None = None) -> Path:
    """Writes results.csv, results.json and report.html into the folder of a study, however many runs are finished.

    Args:
        store: an opened study (`open_store`).
        results: its results, if they were computed before (`summarize`).

    Returns:
        The path of report.html.

    Raises:
        StoreError: files of the study are damaged, or the folder cannot be written.
    """
    store = store if isinstance(store, ReadOnce) else ReadOnce(store.root)
    return _page(store, results or summarize(store))


@spoken(False)
def write_as(store: Store, formats: Sequence[str], cover: Cover | None = None) -> list[Path]:
    """Writes the report in these of FORMATS; returns the path of each. Raises StudyError for another format.

    cover: the title page of the lab report (docx, md).
    """
    for format in formats:
        if format not in FORMATS:
            raise StudyError(unknown("format", format, FORMATS, where="report"))
    store = store if isinstance(store, ReadOnce) else ReadOnce(store.root)
    results = summarize(store)
    paths: list[Path] = []
    document: Document | None = None
    for format in formats:
        if format == "html":
            paths.append(_page(store, results))
        elif format == "latex":
            paths.append(_tables(store, results))
        elif format == "predictions":
            paths.append(store.root / "predictions.csv")
            write_atomically(paths[-1], predictions_csv.to_csv(store).encode())
        else:
            from commongarden.report import written_report

            document = document or written_report.lab_report(store, results, cover or Cover())
            paths.append(_word(store, document) if format == "docx" else _markdown(store, document))
    return paths


def _page(store: Store, results: Results) -> Path:
    from commongarden.report import page  # the charts' library, which `compare` has no use for

    write_atomically(store.root / "results.csv", results_csv.to_csv(results).encode())
    write_atomically(store.root / "results.json", to_json(results).encode())
    path = store.root / "report.html"
    write_atomically(path, page.render(store, results).encode())
    return path


def _tables(store: Store, results: Results) -> Path:
    from commongarden.report.document import latex
    from commongarden.report.topics import written_tables

    told = foremost(results)
    reached, costs = written_tables.comparison(told)
    if (which := sweeps.models(results)) is not None:
        reached = dataclasses.replace(reached, caption=f"{reached.caption} {which}")
    tables = [reached, costs, written_tables.contrasts(told)]
    path = store.root / "table.tex"
    write_atomically(path, latex.to_latex([table for table in tables if table is not None]).encode())
    return path


def _word(store: Store, document: Document) -> Path:
    from commongarden.report.document import docx

    path = store.root / "report.docx"
    write_atomically(path, docx.to_docx(document))
    return path


def _markdown(store: Store, document: Document) -> Path:
    from commongarden.report.document import markdown

    path, folder = store.root / "report.md", store.root / FIGURES
    text, svgs = markdown.to_markdown(document, FIGURES)
    folder.mkdir(exist_ok=True)
    for name, svg in svgs.items():
        write_atomically(folder / name, svg.encode())
    write_atomically(path, text.encode())
    for old in folder.glob("figure-*.svg"):  # of an earlier report with more of them
        if old.name not in svgs:
            old.unlink()
    return path


def unread(store: ReadOnce) -> list[str]:
    """A warning for each file that the report was written without, because it cannot be read."""
    return [_("warning: {reason}; the report is written without it").format(reason=reason) for reason in store.unread]


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
