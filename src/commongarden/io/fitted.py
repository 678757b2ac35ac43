"""Tables that fit a terminal: columns are narrowed down to their longest words, and beyond that the table is divided,
each part with the first column. rich by itself would cut words and figures off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

UNBOUNDED = 100_000  # columns


def columns(texts: Sequence[str], figures: Sequence[str], *, unbroken: bool = False, **look: Any) -> Table:
    """A table without lines and still without rows: columns of text, then columns of figures. unbroken: texts stay on
    one line."""
    table = Table(box=None, pad_edge=False, **look)
    for name in texts:
        table.add_column(name, no_wrap=unbroken)
    for name in figures:
        table.add_column(name, justify="right")
    return table


@dataclass(frozen=True)
class Fitted:
    """This table, however wide the terminal is."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for number, part in enumerate(_parts(self.table, console, options)):
            if number:
                yield Text()
            yield part


def _parts(table: Table, console: Console, options: ConsoleOptions) -> Iterator[Table]:
    """The table with widths set, or several that hold its columns in order."""
    sizes = [_size(column, console, options) for column in table.columns]
    everything = range(len(sizes))
    if _width(table, console, options, everything, [size.maximum for size in sizes]) <= options.max_width:
        yield table
        return
    least = [size.minimum for size in sizes]
    group: list[int] = []
    for i in everything:
        if len(group) > 1 and _width(table, console, options, [*group, i], least) > options.max_width:
            yield _laid_out(table, console, options, group, sizes)
            group = [0]
        group.append(i)
    yield _laid_out(table, console, options, group, sizes)


def _size(column: Column, console: Console, options: ConsoleOptions) -> Measurement:
    """The longest word, and the longest line; of a column that does not wrap both are the line."""
    found = [
        Measurement.get(console, options.update(max_width=UNBOUNDED), cell) for cell in (column.header, *column.cells)
    ]
    most = max(size.maximum for size in found)
    return Measurement(most if column.no_wrap else max(size.minimum for size in found), most)


def _laid_out(
    table: Table, console: Console, options: ConsoleOptions, group: Sequence[int], sizes: Sequence[Measurement]
) -> Table:
    """These columns in the terminal's width. What is free goes to the columns one after the other; where even the
    longest words have no room, the first column gives way."""
    widths = [size.minimum for size in sizes]
    free = options.max_width - _width(table, console, options, group, widths)
    if free < 0:
        widths[group[0]] = max(widths[group[0]] + free, 1)
    for i in group:
        more = max(min(free, sizes[i].maximum - widths[i]), 0)
        widths[i] += more
        free -= more
    return _of(table, group, widths)


def _width(table: Table, console: Console, options: ConsoleOptions, group: Sequence[int], widths: Sequence[int]) -> int:
    wide = options.update(max_width=UNBOUNDED)
    return Measurement.get(console, wide, _of(table, group, widths)).maximum


def _of(table: Table, group: Sequence[int], widths: Sequence[int]) -> Table:
    """The table of these columns in these widths."""
    columns = [
        replace(table.columns[i], width=widths[i], min_width=None, no_wrap=False, overflow="fold", _index=at, _cells=[])
        for at, i in enumerate(group)
    ]
    made = Table(
        *columns,
        title=table.title if group[0] == 0 else None,
        box=table.box,
        pad_edge=table.pad_edge,
        show_header=table.show_header,
        show_edge=table.show_edge,
        title_justify=table.title_justify,
    )
    cells = [list(table.columns[i].cells) for i in group]
    divided = len(group) < len(table.columns)
    for place, row in enumerate(table.rows):
        if not divided or any(str(column[place]) for column in cells[1:]):  # a part has no row without a figure
            made.add_row(*(column[place] for column in cells), style=row.style)
    return made
