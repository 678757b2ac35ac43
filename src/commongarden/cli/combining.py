"""The command on studies of several data sets: combine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commongarden.cli import options
from commongarden.cli.group import main, option
from commongarden.cli.options import as_json, chain
from commongarden.errors import StudyError
from commongarden.i18n.language import _
from commongarden.io import terminal

if TYPE_CHECKING:
    from commongarden.stats.data_sets import Combined

USUAL = "combined"


@main.command()
@click.argument("studies", metavar="STUDY...", nargs=-1, required=True, type=click.Path(path_type=Path))
@chain(
    option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the results [garden/combined]."),
    option("--margin", type=float, help="Equivalence margin in points [that of the studies]."),
    as_json,
    options.open_it,
)
def combine(studies: tuple[Path, ...], out: Path | None, margin: float | None, as_json: bool, open_it: bool) -> None:
    """Combine studies of the same models on different data sets.

    STUDY is the folder of a study, or of a study on several data sets. Prints which model is better on average over the
    data sets, how that varies between them, and what to expect on a new one; writes combined.json and the page
    combined.html. Models are matched by name and must be the same; image size, epochs and other settings may differ
    between data sets and are listed.
    """
    from commongarden import workflow
    from commongarden.report import combined as report
    from commongarden.study import studies_folder
    from commongarden.study.declared import margin_in_points

    folder = out or studies_folder() / USUAL
    if (folder / "study.toml").exists():
        text = _("--out {folder}: found a study; accepted: another folder")
        raise StudyError(text.format(folder=folder))
    points = None if margin is None else margin_in_points(margin, "--margin")
    found, page = workflow.combine(studies, folder, margin=points)
    if as_json:
        terminal.verbatim(report.to_json(found))
    else:
        print_combined(found)
        terminal.verbatim(str(page))
    if open_it:
        click.launch(str(page))


def print_combined(found: Combined) -> None:
    """The answer, then the table."""
    from commongarden.io.fitted import Fitted, columns
    from commongarden.report import combined as report
    from commongarden.report.wording import combined as wording

    click.echo(wording.headline(found))
    for one in found.contrasts:
        click.echo(wording.comparison(one, found))
    for text in (*wording.cautions(found), wording.robustness(found)):
        if text:
            click.echo(text)
    click.echo()
    header, rows = report.by_data_set(found)
    table = columns(header[:1], header[1:])
    for row in rows:
        table.add_row(*row)
    terminal.console().print(Fitted(table))
