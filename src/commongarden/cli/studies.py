"""Commands on whole studies: run, compare, report, status."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.cli import options
from commongarden.cli.execution import carry_out, print_results, run_options
from commongarden.cli.group import main, option
from commongarden.cli.options import as_json, chain, no_code, setting
from commongarden.errors import ArchError, StudyError
from commongarden.i18n.language import N_, _
from commongarden.io import terminal

if TYPE_CHECKING:
    from commongarden.study import Study
    from commongarden.study.arm import Arm

STATES = {"finished": N_("finished"), "failed": N_("failed"), "under way": N_("under way"), "missing": N_("missing")}


@main.command()
@click.argument("study", required=False)
@chain(
    options.data(),
    options.reading_options,
    option(
        "--arms",
        help="Arms of the study to take, or without a study architectures: plain_flower,inception_flower:LA,FILE.json.",
    ),
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
        "stop_at_futility",
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
    study: str | None,
    data: str | None,
    layout: str | None,
    group_by: str | None,
    merge_classes: bool,
    arms: str | None,
    seeds: int | None,
    folds: int | None,
    vary: str | None,
    seed: int | None,
    tune: int | None,
    grey_range: tuple[float, float] | None,
    settings: tuple[str, ...],
    yes: bool,
    out: Path | None,
    log: str,
    dry_run: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Train every arm with every seed and write the report.

    STUDY is a study file or a built-in study (demo, flowers). The same command goes on where it stopped;
    more seeds, arms or contrasts are added to what is there. The last line printed is the report's path.
    """
    import dataclasses

    from commongarden import study as studies
    from commongarden.study import origin

    how = run_options(given, most_seeds=seeds)
    values = {key: value for key, value in given.items() if value is not None} | dict(map(setting, settings))
    wanted = _declared(study, data, arms, seeds, seed, values, folds, vary, tune, grey_range)
    reading = studies.with_options(wanted.reading, layout, group_by, merge_classes)
    wanted = dataclasses.replace(wanted, reading=reading)
    for name, arm in wanted.arms.items():
        origin.check_allowed(arm.arch)
        if arm.origin is None:
            _check_network(name, arm)
    how.spending(len(wanted.seeds))
    if dry_run:
        terminal.verbatim(studies.dump(wanted))
        return

    carry_out(wanted, out, how, log=log, as_json=as_json, yes=yes)


def _check_network(name: str, arm: Arm) -> None:
    """Refuses an option that no network can be built with, before anything is done."""
    try:
        arm.network(2)
    except ArchError as error:
        raise StudyError(f"arms.{name}: {error}") from None


def _declared(
    study: str | None,
    data: str | None,
    arms: str | None,
    seeds: int | None,
    seed: int | None,
    values: dict[str, Any],
    folds: int | None,
    vary: str | None,
    tune: int | None,
    grey_range: tuple[float, float] | None,
) -> Study:
    """The study that the command line declares: a study file with changes, or one made of architectures."""
    import dataclasses

    from commongarden import study as studies
    from commongarden.study.recipe import override

    names = [name.strip() for name in arms.split(",") if name.strip()] if arms is not None else None
    if study is None and data is None:
        text = _("run: found neither STUDY nor --data; accepted: run demo, run STUDY.toml, run --data PHOTOS")
        raise StudyError(text)
    wanted = studies.of_architectures(data or "", names) if study is None else studies.read(study)
    if study is not None and names is not None:
        wanted = studies.choose_arms(wanted, names)
    asked = {"data": data, "seed": seed, "folds": folds, "range": grey_range}
    changes: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
    if values:
        changes["recipe"] = override(wanted.recipe, values, where="recipe")
    if seeds is not None and (folds or wanted.folds):
        raise StudyError(studies.both(seeds, folds or wanted.folds))
    if seeds is not None or folds is not None:
        changes["seeds"] = studies.run_seeds(seeds or folds)
    if vary is not None:
        changes["vary"] = tuple(name.strip() for name in vary.split(",") if name.strip())
    if tune is not None:
        changes["tuning"] = dataclasses.replace(wanted.tuning or studies.Tuning(), runs=tune)
    wanted = dataclasses.replace(wanted, **changes)
    if not wanted.data:
        text = _("study {name!r} names no data; accepted: --data FOLDER, or data = in its [study]")
        raise StudyError(text.format(name=wanted.name))
    return wanted


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
@as_json
def compare(directory: Path, as_json: bool) -> None:
    """Print the table and the verdicts of the study in DIRECTORY."""
    from commongarden import stats, store

    print_results(stats.summarize(store.open_store(directory)), as_json)


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
