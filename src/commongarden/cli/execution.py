"""A study carried out for a command: what is shown and asked meanwhile, and how it ends."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.cli.downloads import confirm
from commongarden.cli.reading import of_study
from commongarden.cli.viewing import keep_open, run_page
from commongarden.i18n.language import _, ngettext
from commongarden.io import terminal

if TYPE_CHECKING:
    from commongarden.cli.places import Cluster
    from commongarden.data.finding import Listed
    from commongarden.runner.display import Display
    from commongarden.runner.options import RunOptions
    from commongarden.runner.run_study import StudyOutcome
    from commongarden.stats import Results
    from commongarden.study import DataOptions, Study
    from commongarden.view.run_page import RunPage


def run_options(given: dict[str, Any], *, most_seeds: int | None) -> RunOptions:
    """How runs are made, by a command's options, of which it takes out those that say so."""
    from commongarden.runner.options import RunOptions

    taken = {field.name: given.pop(field.name) for field in dataclasses.fields(RunOptions) if field.name in given}
    command = ("commongarden", *sys.argv[1:])
    return RunOptions(**taken, maps=not given.pop("no_maps"), most_seeds=most_seeds, argv=command)


def carry_out(
    wanted: Study,
    out: Path | None,
    how: RunOptions,
    *,
    log: str,
    as_json: bool,
    yes: bool,
    view: bool = False,
    listed: tuple[DataOptions, Listed] | None = None,
    cluster: Cluster | None = None,
) -> None:
    """Makes the study's missing runs in `out` [NAME in the folder of studies], prints what was found, and ends with the
    exit code that tells how it went. view: with the live page. listed: how the data are read, and their files, where
    that is known. cluster: the one that makes the runs; None for this machine."""
    from commongarden.study import folder_name, studies_folder

    out = out or studies_folder() / folder_name(wanted)
    made = carried_out(wanted, out, how, log=log, as_json=as_json, yes=yes, view=view, listed=listed, cluster=cluster)
    results, outcome, page = made
    print_results(results, out, as_json)
    if not as_json:
        terminal.verbatim(str(out / "report.html"))
    if page is not None and not outcome.interrupted:
        keep_open(page)
    end(outcome)


def carried_out(
    wanted: Study,
    out: Path,
    how: RunOptions,
    *,
    log: str,
    as_json: bool,
    yes: bool,
    view: bool = False,
    listed: tuple[DataOptions, Listed] | None = None,
    cluster: Cluster | None = None,
) -> tuple[Results, StudyOutcome, RunPage | None]:
    """The same without what is printed at the end; with the live page, if that was asked for."""
    display = _display(log, len(wanted.seeds), as_json)
    place = None if cluster is None else cluster.place(how, display.note)
    reading, files = listed or of_study(wanted.data_plan, out, how.keep_going)
    wanted = dataclasses.replace(wanted, reading=reading)
    _begin(out, trains_here=cluster is None)
    from commongarden.runner import downloading

    confirm(downloading.unknown_weights(wanted, out), yes=yes)
    from commongarden import workflow

    page = run_page(display.note) if view else None
    results, outcome = workflow.run(
        wanted,
        out,
        how,
        display=display,
        listed=files,
        observers=[page] if page is not None else [],
        place=place,
        confirm=None if yes or not sys.stdin.isatty() else lambda _: _asked(display),
    )
    return results, outcome, page


def end(outcome: StudyOutcome) -> None:
    """Says how the study stands, and exits by it."""
    if outcome.raced is not None:
        from commongarden.report.topics import race

        for text in race.told(outcome.raced):
            click.echo(text, err=True)
    if outcome.forecast is not None:
        from commongarden.runner import forecast

        click.echo(forecast.outcome(outcome.forecast), err=True)
    if outcome.interrupted:
        message = ngettext(
            "Interrupted, {n} run left. Repeat the command to resume.",
            "Interrupted, {n} runs left. Repeat the command to resume.",
            outcome.n_missing,
        )
        click.echo(message.format(n=outcome.n_missing), err=True)
        sys.exit(130)
    if outcome.n_failed:
        message = ngettext(
            "{n} run failed. Repeat the command with --retry to run it again.",
            "{n} runs failed. Repeat the command with --retry to run them again.",
            outcome.n_failed,
        )
        click.echo(message.format(n=outcome.n_failed), err=True)
    if outcome.n_missing:
        message = ngettext(
            "{n} run left. Repeat the command to resume.",
            "{n} runs left. Repeat the command to resume.",
            outcome.n_missing,
        )
        click.echo(message.format(n=outcome.n_missing), err=True)
    if outcome.n_failed or outcome.n_missing:
        sys.exit(1)


def _begin(out: Path, *, trains_here: bool) -> None:
    """Says that something happens, and lets the workers' imports begin beside those of this process: both take
    seconds, PyTorch's the most."""
    from commongarden.runner import processes

    click.echo(_("loading PyTorch and the statistics libraries"), err=True)
    if (
        trains_here and not (out / "study.toml").is_file()
    ):  # of one that is there it is not known yet whether runs are missing
        processes.prepare()


def _asked(display: Display) -> bool:
    """Whether the person at the terminal says yes to the plan that was just printed."""
    from commongarden.runner.display import LiveDisplay

    if isinstance(display, LiveDisplay):
        display.live.stop()  # it would write over the question
    try:
        return click.confirm(_("This takes more than 10 minutes. Continue?"), default=True, err=True)
    finally:
        if isinstance(display, LiveDisplay):
            display.live.start()


def _display(log: str, n_seeds: int, as_json: bool) -> Display:
    from commongarden.runner.display import ClassicDisplay, LiveDisplay, PlainDisplay

    def line(text: str) -> None:
        click.echo(text, err=True)

    if log == "classic":
        return ClassicDisplay(line if as_json else click.echo, line, n_seeds)
    if log == "live" or (log == "auto" and sys.stderr.isatty()):
        return LiveDisplay(terminal.console(stderr=True))
    return PlainDisplay(line)


def print_results(results: Any, folder: Path, as_json: bool) -> None:
    from commongarden import report

    if as_json:
        terminal.verbatim(report.to_json(results))
        return
    console = terminal.console()
    for part in report.terminal(results, folder):
        console.print(part)
