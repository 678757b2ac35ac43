"""Commands on a folder with a study for each of several data sets: each study in turn, then what they say together."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commongarden.cli.combining import print_combined
from commongarden.cli.declaring import Asked, declared
from commongarden.cli.execution import carried_out, end
from commongarden.errors import StudyError
from commongarden.i18n.language import _, ngettext
from commongarden.io import terminal

if TYPE_CHECKING:
    from commongarden.cli.places import Cluster
    from commongarden.runner.options import RunOptions
    from commongarden.store.data_sets import Members
    from commongarden.study.data_sets import DataSets


def on_each(found: DataSets, asked: Asked) -> DataSets:
    """The studies with what the command line changes. Raises StudyError."""
    for option, value in (("--data", asked.data), ("--layout", asked.layout), ("--group-by", asked.group_by)):
        if value:
            text = _("{option}: found a study of several data sets; accepted: the value in its file, under [datasets]")
            raise StudyError(text.format(option=option))
    for one, two in (("--preset", asked.preset), ("--name", asked.name)):
        if two:
            text = _("{option}: found a study of several data sets; accepted: a study file without it")
            raise StudyError(text.format(option=one))
    return found.changed(lambda study: declared(asked, study))


def run_on_each(
    found: DataSets,
    out: Path | None,
    how: RunOptions,
    *,
    log: str,
    as_json: bool,
    yes: bool,
    view: bool,
    cluster: Cluster | None,
) -> None:
    """Makes the missing runs of each data set's study in a folder of its own, then combines them. Ends with the exit
    code that tells how it went; an interruption ends it at once."""
    from commongarden.store import data_sets
    from commongarden.study import folder_name, studies_folder

    folder = out or studies_folder() / folder_name(found.base)
    if (folder / "study.toml").exists():
        text = _("--out {folder}: found a study; accepted: another folder")
        raise StudyError(text.format(folder=folder))
    if view:
        text = _("--view: found a study of several data sets; accepted: commongarden view {folder}, beside the command")
        raise StudyError(text.format(folder=folder))
    data_sets.write(folder, found.name, list(found.studies))
    n_open = 0
    for place, (name, study) in enumerate(found.studies.items(), 1):
        text = _("data set {name} ({place} of {n})")
        click.echo(text.format(name=name, place=place, n=len(found.studies)), err=True)
        how.spending(len(study.seeds))
        _results, outcome, _page = carried_out(
            study, folder / name, how, log=log, as_json=as_json, yes=yes, cluster=cluster
        )
        if outcome.interrupted:
            end(outcome)
        n_open += outcome.n_failed + outcome.n_missing
    show(folder, as_json)
    if n_open:
        message = ngettext(
            "{n} run failed or is left. Repeat the command, with --retry for failed runs.",
            "{n} runs failed or are left. Repeat the command, with --retry for failed runs.",
            n_open,
        )
        click.echo(message.format(n=n_open), err=True)
        sys.exit(1)


def say_absent(members: Members) -> None:
    """Names the data sets whose study was not begun."""
    if members.absent:
        text = _("Not begun: {data_sets}. Repeat the command that made the study.")
        click.echo(text.format(data_sets=", ".join(members.absent)), err=True)


def show(folder: Path, as_json: bool = False) -> Path | None:
    """Combines the studies of a folder, prints what they say together and writes the page; returns its path. Where too
    little is there for that, says so."""
    from commongarden import workflow
    from commongarden.report import combined as report
    from commongarden.store import data_sets

    members = data_sets.members(folder)
    assert members is not None, "written before"
    say_absent(members)
    if len(members.folders) < 2:
        return None
    try:
        found, page = workflow.combine(members.folders, folder)
    except StudyError as error:
        click.echo(_("not combined yet: {reason}").format(reason=error), err=True)
        return None
    if as_json:
        terminal.verbatim(report.to_json(found))
    else:
        print_combined(found)
        terminal.verbatim(str(page))
    return page
