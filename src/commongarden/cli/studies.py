"""Commands on whole studies: run, compare, report, status."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.cli import options
from commongarden.cli.execution import carry_out, print_results, run_options
from commongarden.cli.group import main, option
from commongarden.cli.options import as_json, chain, no_code
from commongarden.cli.places import chosen, place_options
from commongarden.i18n.language import N_, _, ngettext
from commongarden.io import terminal

if TYPE_CHECKING:
    from commongarden.store import Store

MOST_ARMS = 12  # of which `status` lists every run
STATES = {
    "finished": N_("finished"),
    "running": N_("running"),
    "stopped": N_("stopped"),
    "failed": N_("failed"),
    "missing": N_("not started"),
    "dropped": N_("dropped"),
}


@main.command()
@click.argument("study", required=False)
@chain(
    options.data(),
    options.models,
    options.preset,
    options.pretrained,
    options.reference,
    options.name,
    options.reading_options,
    options.seeds,
    option(
        "--folds",
        type=click.IntRange(min=2),
        help="Use cross-validation with this many folds instead of seeds, for few images.",
    ),
    option("--vary", help="What varies between seeds: some of init,order,split [init,order]."),
    options.study_seed,
    options.epochs(),
    options.resolution(),
    options.grey_range,
    options.batch_size(),
    options.lr,
    option(
        "--tune",
        type=click.IntRange(min=2),
        help="Tune each model's learning rate first, with this many trials on the validation set.",
    ),
    options.settings,
    options.racing_options,
    option(
        "--stop-hopeless",
        "stop_at_futility",
        is_flag=True,
        help="Stop a run at half its epochs if it never beat the majority class.",
    ),
    options.running_options,
    place_options,
    option("--retry", is_flag=True, help="Repeat failed runs."),
    options.log,
    option(
        "--log-to",
        type=click.Choice(["tensorboard", "mlflow", "wandb", "trackio"]),
        multiple=True,
        help="Log curves, settings, results and the report to a tracker. May be repeated.",
    ),
    option("--view", is_flag=True, help="Show the study in the browser while it runs, as `commongarden view` does."),
    option("--tensorboard", is_flag=True, help="Write TensorBoard event files to OUT/tensorboard."),
    options.no_maps,
    options.dry_run,
    no_code,
    options.cache_options,
    as_json,
)
def run(
    yes: bool,
    out: Path | None,
    log: str,
    dry_run: bool,
    full: bool,
    as_json: bool,
    view: bool,
    **asked: Any,
) -> None:
    """Train every model with every seed and write the report.

    STUDY is a study file or a built-in study (demo, flowers, tasks). Repeat the command to resume; more seeds, models
    or comparisons extend the study. The last line printed is the path of the report. `train` is the same command.
    """
    from commongarden import study as studies
    from commongarden.cli.declaring import Asked, declared
    from commongarden.cli.default_preset import with_own_sizes, with_preset
    from commongarden.cli.model_names import telling
    from commongarden.cli.on_data_sets import on_each, run_on_each
    from commongarden.study import data_sets

    cluster = chosen(asked)
    how = run_options(asked, most_seeds=asked["seeds"])
    if dry_run and how.device.startswith("cuda"):
        from commongarden.runner import plan

        plan.device_name(how.device)  # says which device is not there
    several = None if asked["study"] is None else data_sets.read(asked["study"])
    recipe = {key: asked.pop(key) for key in ("epochs", "resolution", "batch_size", "lr")}
    given = Asked(**asked, recipe=recipe, tell=telling())
    if several is not None:
        wanted_sets = on_each(several, given)
        if dry_run:
            terminal.verbatim(data_sets.to_edit(wanted_sets, full=full))
            return
        run_on_each(wanted_sets, out, how, log=log, as_json=as_json, yes=yes, view=view, cluster=cluster)
        return
    with_it, listed = with_preset(given, out, how)
    wanted = with_own_sizes(declared(with_it), with_it, out)
    how.spending(len(wanted.seeds))
    if dry_run:
        terminal.verbatim(studies.editable(wanted, full=full))
        return
    carry_out(wanted, out, how, listed=listed, log=log, as_json=as_json, yes=yes, view=view, cluster=cluster)


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
@as_json
def compare(directory: Path, as_json: bool) -> None:
    """Print the conclusions and the table of a study."""
    from commongarden import stats, store
    from commongarden.store import data_sets

    if data_sets.members(directory) is not None:
        from commongarden.cli.on_data_sets import show

        show(directory, as_json)
        return
    print_results(stats.summarize(store.open_store(directory)), directory, as_json)


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
@option(
    "--format",
    "formats",
    type=click.Choice(["html", "docx", "md", "latex", "predictions"]),
    multiple=True,
    default=["html"],
    show_default=True,
    help="html: the page, with results.csv and results.json; docx, md: a lab report; latex: its tables; "
    "predictions: predictions.csv, one row for each test image and run. May be repeated.",
)
@option("--title", default="", help="Title of the lab report [the study's name].")
@option("--author", default="", help="Name on its title page.")
@option("--number", default="", help="Student number on its title page.")
@option("--date", default="", help="Date on its title page, in any format.")
@no_code
@options.open_it
def report(directory: Path, formats: tuple[str, ...], open_it: bool, **cover: str) -> None:
    """Regenerate the report of a study.

    For a folder with several data sets, the report of each, and the page over all of them.
    """
    from commongarden.cli.on_data_sets import show
    from commongarden.store import data_sets

    page: Path | None
    if (several := data_sets.members(directory)) is None:
        page, is_whole = _written(directory, formats, cover)
    else:
        made = [_written(folder, formats, cover) for folder in several.folders]
        page, is_whole = show(directory), all(one[1] for one in made)
    if open_it and page is not None:
        click.launch(str(page))
    if not is_whole:
        sys.exit(1)


def _written(directory: Path, formats: tuple[str, ...], cover: dict[str, str]) -> tuple[Path, bool]:
    """The first file of a study's report, and whether all that it is made from could be read."""
    from commongarden import report as reports
    from commongarden import store as stores

    store = stores.ReadOnce(stores.open_store(directory).root)
    paths = reports.write_as(store, tuple(dict.fromkeys(formats)), reports.Cover(**cover))
    for path in paths:
        terminal.verbatim(str(path))
    for warning in reports.unread(store):
        click.echo(warning, err=True)
    return paths[0], not store.unread


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
@as_json
def status(directory: Path, as_json: bool) -> None:
    """Show which runs of a study are finished, running, stopped, failed or not started."""
    import json

    from commongarden.store import data_sets

    several = data_sets.members(directory)
    tables = [_status(folder, as_json) for folder in (several.folders if several is not None else [directory])]
    if several is not None:
        from commongarden.cli.on_data_sets import say_absent

        say_absent(several)
    if as_json:
        terminal.verbatim(json.dumps(tables if several is not None else tables[0], indent=1))


def _status(directory: Path, as_json: bool) -> dict[str, Any]:
    """The state of each run, printed unless it is for JSON."""
    from commongarden import store as stores

    store = stores.open_store(directory)
    study = store.study()
    name = "fold" if study.folds else "seed"
    is_held, dropped = stores.is_held(store.root), store.dropped()
    rows = [
        {
            "arm": arm,
            name: seed,
            "status": store.state(arm, seed),
            "state": _state(store, arm, seed, is_held, is_dropped=arm in dropped),
        }
        for arm in study.arms
        for seed in study.seeds
    ]
    searched = store.tuning()
    trials = [
        {"arm": arm, "number": n, "status": searched.state(arm, n), "state": _state(searched, arm, n, is_held)}
        for arm, n in study.trials()
    ]
    found = {"study": study.name, "runs": rows, "tuning": trials}
    if as_json:
        return found
    counts = Counter(str(row["state"]) for row in rows)
    states = [_("{n} {state}").format(n=n, state=_(STATES[state])) for state, n in counts.items()]
    click.echo(f"{study.name}: {', '.join(states)}")
    searching = _("{arm}, tuning run {number}")
    names = [searching.format(arm=arm, number=number + 1) for arm, number in study.trials()]
    running = _("{arm}, fold {fold}") if study.folds else _("{arm}, seed {seed}")
    names += [running.format(**row) for row in rows]
    if len(study.arms) > MOST_ARMS:
        _print_by_arm(rows)
        return found
    for run_name, row in zip(names, [*trials, *rows], strict=True):
        click.echo(f"  {run_name}: {_(STATES[str(row['state'])])}")
    return found


def _print_by_arm(rows: Sequence[Mapping[str, Any]]) -> None:
    """A line an arm that has unfinished runs, and one for all others."""
    by_arm: dict[str, Counter[str]] = {}
    for row in rows:
        by_arm.setdefault(row["arm"], Counter())[row["state"]] += 1
    done = [arm for arm, counts in by_arm.items() if set(counts) == {"finished"}]
    waiting = [arm for arm, counts in by_arm.items() if set(counts) == {"missing"}]
    for arm, counts in by_arm.items():
        if arm not in done and arm not in waiting:
            states = [_("{n} {state}").format(n=n, state=_(STATES[state])) for state, n in counts.items()]
            click.echo(f"  {arm}: {', '.join(states)}")
    if done:
        text = ngettext("{n} model: all runs finished", "{n} models: all runs finished", len(done))
        click.echo("  " + text.format(n=len(done)))
    if waiting:
        text = ngettext("{n} model: no run started", "{n} models: no run started", len(waiting))
        click.echo("  " + text.format(n=len(waiting)))


def _state(store: Store, arm: str, seed: int, is_held: bool, *, is_dropped: bool = False) -> str:
    """One of STATES. A run that has begun is running while a process works on the study, else it was stopped."""
    state = store.state(arm, seed)
    if is_dropped and not store.has(arm, seed):
        return "dropped"
    if is_held and state in ("under way", "missing") and store.partial(arm, seed).is_dir():
        return "running"
    return "stopped" if state == "under way" else state
