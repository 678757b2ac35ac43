"""How data are read, on the command line: the question where a folder can be read in several ways, and what is printed
first."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commongarden.i18n.language import _

if TYPE_CHECKING:
    from commongarden.data.ambiguity import AmbiguousError
    from commongarden.data.finding import Listed
    from commongarden.study import DataOptions, DataPlan

SECONDS_BETWEEN = 5.0


def is_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def ask_layout(error: AmbiguousError) -> str:
    """The layout that the person at the terminal chooses."""
    click.echo(error.found, err=True)
    for number, (value, said) in enumerate(error.choices, 1):
        click.echo(f"  {number}  {said}  (--layout {value})", err=True)
    values = [value for value, _said in error.choices]

    def answer(text: str) -> str:
        if text.removeprefix("--layout ").strip() in values:
            return text.removeprefix("--layout ").strip()
        if text.strip().isdecimal() and 1 <= int(text) <= len(values):
            return values[int(text) - 1]
        message = _("found {text!r}, accepted: a number from 1 to {n}, or one of the layouts above")
        raise click.UsageError(message.format(text=text, n=len(values)))

    chosen: str = click.prompt(_("Choose a layout"), value_proc=answer, err=True)
    return chosen


def checking() -> Callable[[int, int], None]:
    """Prints how far the files are checked, every few seconds where that takes so long."""
    last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > SECONDS_BETWEEN:
            last = time.monotonic()
            click.echo(_("checking files: {done:,} of {total:,}").format(done=done, total=total), err=True)

    return tell


def of_study(plan: DataPlan, out: Path, keep_going: bool) -> tuple[DataOptions, Listed]:
    """How a study's data are read, and its files, listed and checked before anything is loaded that takes seconds; what
    was understood is printed, and on a terminal asked about where it is not sure."""
    from commongarden.runner import sources

    options, found = sources.chosen(plan, out, keep_going, ask_layout if is_terminal() else None, checking())
    for text in sources.said(found):
        click.echo(text, err=True)
    return options, found


def of_source(source: str, options: DataOptions) -> tuple[DataOptions, Listed]:
    """The files of a source, with the layout that the person at the terminal chooses where there may be several."""
    from commongarden.data import finding
    from commongarden.data.ambiguity import AmbiguousError

    try:
        return options, finding.find(source, options, keep_going=True, on_progress=checking())
    except AmbiguousError as error:
        if not is_terminal():
            raise
        options = dataclasses.replace(options, layout=ask_layout(error))
        return options, finding.find(source, options, keep_going=True)
