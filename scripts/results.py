"""Writes a study's figures into docs/results.md, between the marks that name it.

    python scripts/results.py NAME STUDY_FOLDER

puts the table, verdicts, machine, command and minutes of the study between "<!-- NAME -->" and "<!-- /NAME -->".
"""

from __future__ import annotations

import datetime
import re
import sys
from pathlib import Path

from commongarden import stats
from commongarden import store as stores
from commongarden.report.topics import budgets, page_data, tables, tuned
from commongarden.report.wording import answers, numbers, words
from commongarden.report.wording.labels import TEXT
from commongarden.stats.foremost import foremost, is_sweep

PAGE = Path(__file__).parent.parent / "docs" / "results.md"


def section(folder: Path) -> str:
    """The study's figures as Markdown."""
    store = stores.open_store(folder)
    results, runs = stats.summarize(store), store.runs()
    names = tables.columns(results)
    header = [TEXT["arm"], *(f"{TEXT[name]} {unit(name)}".strip() for name in names)]
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for row in tables.rows(foremost(results)):
        cells = [tables.cell(name, row.values[name]) for name in names]
        shown = [cell.text + (f" ({cell.below})" if cell.below else "") for cell in cells]
        lines.append(f"| {' | '.join([row.name, *shown])} |")
    said = [*map(words.in_full, words.verdicts(results)), *words.notes(results)]
    if (answer := answers.said(results, None)) is not None:
        said = [answer.headline, *(answer.settled + answer.open if is_sweep(results) else said)]
    said += [] if is_sweep(results) else budgets.summary(results)
    if results.tuned is not None:
        said += [tuned.introduction(results.tuned), *tuned.remarks(results.tuned), tuned.kept(results)]
        said += [f"Validation accuracy of {arm.arm} by learning rate: {looks(arm)}." for arm in results.tuned.arms]
    begun, ended = min(run.started for run in runs), max(run.ended for run in runs)
    minutes = (datetime.datetime.fromisoformat(ended) - datetime.datetime.fromisoformat(begun)).total_seconds() / 60
    made = f"{numbers.whole(len(runs))} run{'s' * (len(runs) != 1)}"
    versions = ", ".join(f"{name} {version}" for name, version in page_data.versions(runs))
    return "\n".join(
        [
            f"`{public(page_data.command(store) or '')}`",
            "",
            f"{made} in {minutes:.0f} minutes on {ended[:10]}. {'; '.join(page_data.machine_lines(runs))}; "
            f"{versions}. {words.compared(results)}",
            "",
            *lines,
            "",
            *(f"- {sentence}" for sentence in said if sentence),
            "",
            words.intervals(results),
        ]
    )


def looks(arm: stats.TunedArm) -> str:
    """Every tuning run of an arm, by its learning rate."""
    shown = {run.lr: "failed" if run.val_accuracy is None else f"{run.val_accuracy:.1%}" for run in arm.runs}
    return ", ".join(f"{reached} at {lr:g}" for lr, reached in sorted(shown.items()))


def unit(name: str) -> str:
    text = TEXT.get(f"unit_{name}", "")
    return f"({text})" if text else ""


def public(command: str) -> str:
    """The command without the folders of the machine that it was typed on."""
    command = re.sub(r" --(out|log) \S+", "", command)
    return re.sub(r"--data \S*?([^/\s]+)/?(?= |$)", r"--data \1", command)


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    before = PAGE.read_text(encoding="utf-8")
    marks = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)", re.DOTALL)
    if not marks.search(before):
        sys.exit(f"{PAGE}: no <!-- {name} --> in it")
    after = marks.sub(lambda found: f"{found[1]}{section(folder)}{found[2]}", before)
    PAGE.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
