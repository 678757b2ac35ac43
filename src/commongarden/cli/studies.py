"""Commands on whole studies: run, compare, report, status."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.cli import options
from commongarden.cli.execution import carry_out, print_results
from commongarden.cli.group import main, option
from commongarden.cli.options import as_json, chain, no_code
from commongarden.i18n.language import N_, _
from commongarden.io import terminal

if TYPE_CHECKING:
    pass

STATES = {"finished": N_("finished"), "failed": N_("failed"), "under way": N_("under way"), "missing": N_("missing")}


@main.command()
@click.argument("study", required=False)
@chain(
    options.data(),
    options.models,
    options.preset,
    options.pretrained,
    options.name,
    options.reading_options,
    options.seeds,
    option("--folds", type=click.IntRange(min=2), help="Folds in place of seeds, for few photos."),
    option("--vary", help="What differs between seeds: some of init,order,split [init,order]."),
    option("--seed", type=click.IntRange(min=0), help="The study's own seed: split, weights, order."),
    options.epochs(),
    options.resolution(),
    options.grey_range,
    options.batch_size(),
    options.lr,
    option(
        "--tune",
        type=click.IntRange(min=2),
        help="First look for each arm's own learning rate in this many runs on the validation part.",
    ),
    options.settings,
    options.racing_options,
    option(
        "--stop-hopeless",
        is_flag=True,
        help="End a run at half its epochs where it never came above the commonest class.",
    ),
    options.running_options,
    option("--retry", is_flag=True, help="Make failed runs again."),
    options.log,
    option("--tensorboard", is_flag=True, help="Write event files to OUT/tensorboard."),
    options.no_maps,
    options.dry_run,
    no_code,
    options.cache_options,
    as_json,
)
def run(
    until: str | None,
    budget: str | None,
    stop_hopeless: bool,
    yes: bool,
    out: Path | None,
    workers: int | None,
    device: str,
    keep_going: bool,
    retry: bool,
    log: str,
    tensorboard: bool,
    no_maps: bool,
    dry_run: bool,
    full: bool,
    cache_dir: Path | None,
    cache_budget: int | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Train every arm with every seed and write the report.

    STUDY is a study file or a built-in study (demo, flowers). The same command goes on where it stopped;
    more seeds, arms or contrasts are added to what is there. The last line printed is the report's path.
    """
    from commongarden import study as studies
    from commongarden.cli.declaring import Asked, declared
    from commongarden.runner.options import RunOptions

    recipe = {key: asked.pop(key) for key in ("epochs", "resolution", "batch_size", "lr")}
    wanted = declared(Asked(**asked, recipe=recipe))
    how = RunOptions(
        cache_dir=cache_dir,
        n_workers=workers,
        device=device,
        keep_going=keep_going,
        retry=retry,
        tensorboard=tensorboard,
        until=until,
        budget=budget,
        most_seeds=asked["seeds"],
        stop_at_futility=stop_hopeless,
        maps=not no_maps,
        cache_budget=cache_budget,
        argv=("commongarden", *sys.argv[1:]),
    )
    how.spending(len(wanted.seeds))
    if dry_run:
        terminal.verbatim(studies.editable(wanted, full=full))
        return
    folder = out or Path("garden") / studies.folder_name(wanted)
    carry_out(wanted, folder, how, log=log, as_json=as_json, yes=yes)


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
@as_json
def compare(directory: Path, as_json: bool) -> None:
    """Print the table and the verdicts of the study in DIRECTORY."""
    from commongarden import stats, store

    print_results(stats.summarize(store.open_store(directory)), directory, as_json)


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
@option(
    "--format",
    "formats",
    type=click.Choice(["html", "docx", "md", "latex"]),
    multiple=True,
    default=["html"],
    show_default=True,
    help="html: the page, with results.csv and results.json; docx, md: a written report; latex: its tables. May be "
    "repeated.",
)
@no_code
@option("--open", "open_it", is_flag=True, help="Open it, or the first of several.")
def report(directory: Path, formats: tuple[str, ...], open_it: bool) -> None:
    """Write what was found in the study in DIRECTORY anew: report.html, or a written report, or tables."""
    from commongarden import report as reports
    from commongarden import store as stores

    store = stores.ReadOnce(stores.open_store(directory).root)
    paths = reports.write_as(store, tuple(dict.fromkeys(formats)))
    for path in paths:
        terminal.verbatim(str(path))
    for warning in reports.unread(store):
        click.echo(warning, err=True)
    if open_it:
        click.launch(str(paths[0]))
    if store.unread:
        sys.exit(1)


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
@as_json
def status(directory: Path, as_json: bool) -> None:
    """Say which runs of the study in DIRECTORY are finished, failed, under way or missing."""
    import json
    from collections import Counter

    from commongarden import store as stores

    store = stores.open_store(directory)
    study = store.study()
    name = "fold" if study.folds else "seed"
    rows = [{"arm": arm, name: seed, "status": store.state(arm, seed)} for arm in study.arms for seed in study.seeds]
    searched = store.tuning()
    trials = [{"arm": arm, "number": number, "status": searched.state(arm, number)} for arm, number in study.trials()]
    if as_json:
        terminal.verbatim(json.dumps({"study": study.name, "runs": rows, "tuning": trials}, indent=1))
        return
    counts = Counter(str(row["status"]) for row in rows)
    states = [_("{n} {state}").format(n=n, state=_(STATES[state])) for state, n in counts.items()]
    click.echo(f"{study.name}: {', '.join(states)}")
    searching = _("{arm}, tuning run {number}")
    names = [searching.format(arm=arm, number=number + 1) for arm, number in study.trials()]
    running = _("{arm}, fold {fold}") if study.folds else _("{arm}, seed {seed}")
    names += [running.format(**row) for row in rows]
    for run_name, row in zip(names, [*trials, *rows], strict=True):
        click.echo(f"  {run_name}: {_(STATES[str(row['status'])])}")
