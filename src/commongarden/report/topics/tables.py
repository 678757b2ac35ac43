"""The comparison table: its rows as plain data, and those rows as text for the page and the terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from commongarden.i18n.language import _
from commongarden.io.fitted import Fitted
from commongarden.records import Estimate
from commongarden.report.document import Block, Cell, Paragraph, Section, Table
from commongarden.report.topics import part_contributions
from commongarden.report.wording import answers, baselines, designs, effects, numbers, sweeps, words
from commongarden.report.wording.labels import TEXT
from commongarden.stats import ArmResult, Results
from commongarden.stats.foremost import foremost
from commongarden.study import Study
from commongarden.study.built_in import text_of

Value = Estimate | float | int | str | None
WIDEST = 10  # times its low end; a wider interval of a time, rate or memory is not shown

# key of a cell -> whether results carry it as an Estimate (then CSV has three columns for it)
COLUMNS = {
    "seeds": False,
    "test_accuracy": True,
    "published": False,
    "seconds": True,
    "images_per_second": True,
    "inference_ms": True,
    "peak_memory_mb": True,
    "model_mb": False,
    "n_params": False,
    "macs": False,
}

KINDS = ("arm", "baseline", "commonest")

OTHER_METRICS = ("balanced_accuracy", "log_loss", "calibration_error")  # of ArmResult; in results.csv beside these


@dataclass(frozen=True)
class ComparisonRow:
    """One line of the table. kind: "arm", "baseline", or "commonest" for always guessing the commonest class.
    seconds: the published time of training."""

    kind: str
    name: str
    values: dict[str, Value]
    seconds: float | None = None


def rows(results: Results) -> Iterator[ComparisonRow]:
    """One row an arm in the study's order, then what a network must beat."""
    for arm in results.arms:
        yield ComparisonRow("arm", arm.arm, values(arm), arm.published.seconds if arm.published else None)
    lines = [("baseline", baselines.name(item), item.test_accuracy) for item in results.baselines]
    commonest = results.commonest
    for kind, name, reached in (*lines, ("commonest", words.commonest_line(commonest), commonest.accuracy)):
        yield ComparisonRow(kind, name, dict.fromkeys(COLUMNS) | {"test_accuracy": reached})


def values(arm: ArmResult) -> dict[str, Value]:
    """An arm's cell in each column: a field of the result, but for three."""
    found: dict[str, Value] = {
        "seeds": words.seeds_of(arm),
        "published": None if arm.published is None else arm.published.test_accuracy,
        "macs": numbers.DASH if arm.macs is None else arm.macs,
    }
    return {key: found[key] if key in found else getattr(arm, key) for key in COLUMNS}


def columns(results: Results) -> list[str]:
    """The columns that have something to say: that of published figures only where there are any."""
    published = any(arm.published is not None for arm in results.arms)
    return [name for name in COLUMNS if name != "published" or published]


def _says_nothing(key: str, low: float, high: float) -> bool:
    """Whether an interval of a time, rate or memory spans orders of magnitude, as that of two runs may; results.csv has
    it."""
    return key not in ("test_accuracy", *OTHER_METRICS) and high > WIDEST * low


def _is_left_out(key: str, value: Value) -> bool:
    """Whether the table shows the value without the interval that it has."""
    if not isinstance(value, Estimate) or value.low is None or value.high is None:
        return False
    return _says_nothing(key, value.low, value.high)


def cell(key: str, value: Value) -> Cell:
    """One value as the table shows it, without its unit, which stands in the header."""
    if value is None:
        return Cell("")
    if isinstance(value, str):
        return Cell(value)
    if isinstance(value, Estimate):
        text = _text(key, value.value, value.value)
        if value.low is None or value.high is None or _is_left_out(key, value):
            return Cell(text)
        low, high = (_text(key, bound, value.value) for bound in (value.low, value.high))
        return Cell(text, _("{low} to {high}").format(low=low, high=high))
    return Cell(_text(key, value, value))


def section(study: Study, results: Results) -> Section:
    """The whole table, as the page has room for it."""
    names, text = columns(results), designs.labels(TEXT, results.folds)
    caption = f"{TEXT['table']}. {text['table_caption']}"
    if "published" in names and study.published_source:
        caption += f" {TEXT['published_source']} {text_of(study.published_source)}."
    told = foremost(results)
    if any(_is_left_out(key, row.values[key]) for row in rows(told) for key in names):
        caption += " " + _(
            "Intervals whose upper end is more than {n} times the lower end are left out; results.csv has them."
        ).format(n=WIDEST)
    shown = table(told, names, caption, name=TEXT["table"], seconds=True)
    return Section(TEXT["table"], (shown, *which(results)), anchor="table")


def which(results: Results) -> list[Block]:
    """Which models a table tells of, where it is not all."""
    said = sweeps.models(results)
    return [] if said is None else [Paragraph(said)]


def table(
    results: Results,
    names: Sequence[str],
    caption: str,
    kinds: Collection[str] = KINDS,
    *,
    name: str = "",
    seconds: bool = False,
) -> Table:
    """The rows of these kinds, in the columns of these names. seconds: below published accuracies published times."""
    text = designs.labels(TEXT, results.folds)
    shown = [row for row in rows(results) if row.kind in kinds]
    header: tuple[str | Cell, ...] = (TEXT["arm"], *(Cell(text[key], TEXT.get(f"unit_{key}", "")) for key in names))
    lines = []
    for row in shown:
        cells = {key: cell(key, row.values[key]) for key in names}
        if seconds and row.seconds is not None:
            said = _("{seconds} s").format(seconds=numbers.number(row.seconds))
            cells["published"] = dataclasses.replace(cells["published"], below=said)
        lines.append((Cell(row.name, arm=row.name if row.kind == "arm" else ""), *cells.values()))
    marks = tuple("" if row.kind == "arm" else "line" for row in shown)
    return Table(caption, header, tuple(lines), name=name, kind="wide", row_kinds=marks)


def _text(key: str, value: float, like: float) -> str:
    if key in ("test_accuracy", "published"):
        return numbers.hundredths(value)
    if key == "macs":
        return numbers.short(int(value))
    return numbers.whole(int(value)) if key == "n_params" else numbers.number(value, like)


def _table(results: Results) -> RichTable:
    """The comparison for a terminal."""
    names = columns(results)
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(TEXT["arm"], overflow="fold", min_width=min(20, max(len(arm.arm) for arm in results.arms)))
    for name in names:
        unit = TEXT.get(f"unit_{name}", "")
        table.add_column(f"{TEXT[name]}\n{unit}", justify="right", no_wrap=True)
    for row in rows(results):
        cells = [cell(name, row.values[name]) for name in names]
        if any(item.text for item in cells):
            table.add_row(Text(row.name), *(item.lines for item in cells), style="" if row.kind == "arm" else "dim")
    return table


def terminal(results: Results, folder: Path | None = None) -> Iterator[RenderableType]:
    """What `commongarden compare` prints: the answer, the table, what must be said beside them, and what to do next.

    folder: of the study, for the commands to type; without it there are none.
    """
    found = answers.said(results, None if folder is None else answers.typed(folder))
    if found is not None:
        yield from map(Text, (found.headline, *found.settled, *found.open))
        yield Text()
    yield Fitted(_table(foremost(results)))
    yield Text()
    if (told := sweeps.models(results)) is not None:
        yield Text(told)
    if results.worth is not None:
        yield Fitted(part_contributions.table(results, results.worth))
        yield Text()
    if results.factorial is not None:
        yield from (Text(effects.sentence(effect, results.factorial)) for effect in results.factorial.effects)
        yield from map(Text, effects.notes(results.factorial))
    yield from map(Text, words.notes(results))
    yield Text(words.intervals(results), style="dim")
    if found is not None and folder is not None:
        yield Text()
        yield from (Text(line, no_wrap=True, overflow="ignore") for line in answers.steps(found))
