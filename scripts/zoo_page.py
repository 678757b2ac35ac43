"""The table of scripts/zoo.py in docs/external.md."""

from __future__ import annotations

import re
import statistics
import sys
from collections import Counter
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "external.md"
MARKS = re.compile(r"<!-- zoo -->\n.*?<!-- /zoo -->", re.DOTALL)
NO_ONNX = "no ONNX: "


def sentences(row: dict) -> list[str]:
    """What is to be known of each step, the audit's findings aside."""
    return [f"{step['step']}: {step['note']}" for step in row["steps"] if step["note"] and step["step"] != "audit"]


def write(rows: list[dict], n_lacking: int = 0) -> None:
    """Puts the table between its marks. n_lacking: networks that were not tried yet."""
    text = PAGE.read_text(encoding="utf-8")
    if not MARKS.search(text):
        sys.exit(f"{PAGE}: no <!-- zoo --> ... <!-- /zoo --> in it")
    lacking = f"{len(rows)} of {len(rows) + n_lacking} networks have been tried so far.\n\n" if n_lacking else ""
    found = MARKS.sub(lambda _: f"<!-- zoo -->\n{lacking}{table(rows)}\n<!-- /zoo -->", text)
    PAGE.write_text(found, encoding="utf-8")


def table(rows: list[dict]) -> str:
    """Counts by library, then every network by name: those that pass, those refused, those that fail."""
    parts = [counts(rows), *passing(rows)]
    for outcome, title in (("refused", "Rejected, with the message of the check"), ("fails", "Fails")):
        found = [row for row in rows if row["outcome"] == outcome]
        lines = [[f"`{row['model']}`", str(row["size"]), *reason(row, outcome)] for row in found]
        header = ["model", "image size", "step", "reason"]
        parts += [f"**{title}: {len(found) or 'none'}**", *([markdown(header, lines)] if found else [])]
    parts.append(conditions(rows))
    return "\n\n".join(parts)


def counts(rows: list[dict]) -> str:
    lines = []
    for library in ("torchvision", "timm"):
        of = [row for row in rows if row["model"].startswith(library)]
        n = Counter(row["outcome"] for row in of)
        seconds = statistics.median(row["seconds"] for row in of) if of else 0.0
        lines.append([library, *map(str, (len(of), n["passes"], n["refused"], n["fails"], f"{seconds:.0f}"))])
    return markdown(["library", "models", "pass", "rejected", "fail", "median seconds"], lines)


def passing(rows: list[dict]) -> list[str]:
    """Names of those that pass, with their image sizes; those that torch cannot write as ONNX by its reasons."""
    found = []
    whole = [row for row in rows if row["outcome"] == "passes" and not row["large"]]
    for library in ("torchvision", "timm"):
        names = [
            f"{row['model'].partition(':')[2]} ({row['size']})" for row in whole if row["model"].startswith(library)
        ]
        found += [f"Pass, {library} (image size): {', '.join(names)}."] if names else []
    large = [f"{row['model']} ({row['size']}, {row['n_params'] / 1e6:.0f} M parameters)" for row in rows
             if row["outcome"] == "passes" and row["large"]]  # fmt: skip
    found += [f"Pass, with one step of training: {', '.join(large)}."] if large else []
    lines = [[f"`{row['model']}`", cell(step["note"].removeprefix(NO_ONNX))] for row in whole
             for step in row["steps"] if step["note"].startswith(NO_ONNX)]  # fmt: skip
    return found + (
        [f"Without ONNX: {len(lines)}", markdown(["model", "reason of torch's exporter"], lines)] if lines else []
    )


def reason(row: dict, outcome: str) -> list[str]:
    return next([step["step"], cell(step["note"])] for step in row["steps"] if step["outcome"] == outcome)


def conditions(rows: list[dict]) -> str:
    """Where, when and how."""
    dates = sorted(row["date"] for row in rows)
    days = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    versions = ", ".join(f"{name} {version}" for name, version in rows[-1]["versions"].items())
    machines = "; ".join(sorted({row["machine"] for row in rows}))
    return f"`make zoo`, {days}; {machines}; {versions}."


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")[:300]


def markdown(header: list[str], lines: list[list[str]]) -> str:
    return "\n".join(
        [f"| {' | '.join(header)} |", "|---" * len(header) + "|", *(f"| {' | '.join(line)} |" for line in lines)]
    )
