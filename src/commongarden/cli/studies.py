"""Commands on whole studies: run, compare, report, status."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.cli.group import main, option
from commongarden.cli.options import as_json, cache_budget, cache_dir, chain, grey_range, no_code, no_maps, setting
from commongarden.cli.reading import group_by, keep_going, layout, merge_classes, of_study
from commongarden.errors import ArchError, StudyError
from commongarden.i18n.language import N_, _, ngettext
from commongarden.io import terminal

if TYPE_CHECKING:
    from commongarden.runner.display import Display
    from commongarden.study import Study
    from commongarden.study.arm import Arm

STATES = {"finished": N_("finished"), "failed": N_("failed"), "under way": N_("under way"), "missing": N_("missing")}


@main.command()
@click.argument("study", required=False)
@chain(
    option("--data", help="Folder of class folders, folder of train/val/test folders, or CSV of path,label."),
    layout,
    group_by,
    merge_classes,
    option(
        "--arms",
        help="Arms of the study to take, or without a study architectures: plain_flower,inception_flower:LA,FILE.json.",
    ),
    option("--seeds", type=click.IntRange(min=1), help="How many seeds each arm is trained with."),
    option("--folds", type=click.IntRange(min=2), help="Folds in place of seeds, for few photos."),
    option("--vary", help="What differs between seeds: some of init,order,split [init,order]."),
    option("--seed", type=click.IntRange(min=0), help="The study's own seed: split, weights, order."),
    option("--epochs", type=int, help="Passes over the training part."),
    option("--resolution", type=int, help="Pixels per side that photos are resized to."),
    grey_range,
    option("--batch-size", type=int, help="Photos per step."),
    option("--lr", type=float, help="Learning rate."),
    option(
        "--tune",
        type=click.IntRange(min=2),
        help="First look for each arm's own learning rate in this many runs on the validation part.",
    ),
    option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other recipe value; may be repeated."),
    option("--until", type=click.Choice(["resolved"]), help="Race: more seeds only where they decide something."),
    option("--budget", help="Race within 30m (of run time: 90s, 2h) or 40runs; --seeds is then the most [20]."),
    option(
        "--stop-hopeless",
        is_flag=True,
        help="End a run at half its epochs where it never came above the commonest class.",
    ),
    option("--yes", is_flag=True, help="Do not ask before a study of more than 10 minutes."),
    option("--out", type=click.Path(file_okay=False, path_type=Path), help="The study's folder [garden/NAME]."),
    option("--workers", type=click.IntRange(min=1), help="Runs at a time [physical cores, memory allowing]."),
    option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps."),
    keep_going,
    option("--retry", is_flag=True, help="Make failed runs again."),
    option("--log", type=click.Choice(["auto", "live", "plain", "classic"]), default="auto", show_default=True),
    option("--tensorboard", is_flag=True, help="Write event files to OUT/tensorboard."),
    no_maps,
    option("--dry-run", is_flag=True, help="Print the effective study file and stop."),
    no_code,
    cache_dir,
    cache_budget,
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
    cache_dir: Path | None,
    cache_budget: int | None,
    as_json: bool,
    **recipe: Any,
) -> None:
    """Train every arm with every seed and write the report.

    STUDY is a study file or a built-in study (demo, flowers). The same command goes on where it stopped;
    more seeds, arms or contrasts are added to what is there. The last line printed is the report's path.
    """
    from commongarden import study as studies
    from commongarden.runner import budget as budgets
    from commongarden.study import origin

    values = {key: value for key, value in recipe.items() if value is not None} | dict(map(setting, settings))
    wanted = _declared(study, data, arms, seeds, seed, values, folds, vary, tune, grey_range)
    wanted = studies.read_so(wanted, layout, group_by, merge_classes)
    for name, arm in wanted.arms.items():
        origin.check_allowed(arm.arch)
        if arm.origin is None:
            _check_network(name, arm)
    budgets.spending(until, budget, seeds or budgets.MOST_SEEDS)
    if dry_run:
        click.echo(studies.dump(wanted), nl=False)
        return

    carry_out(
        wanted,
        out or Path("garden") / studies.folder_name(wanted),
        log=log,
        as_json=as_json,
        yes=yes,
        cache_dir=cache_dir,
        cache_budget=cache_budget,
        until=until,
        budget=budget,
        most_seeds=seeds,
        stop_hopeless=stop_hopeless,
        n_workers=workers,
        device=device,
        maps=not no_maps,
        keep_going=keep_going,
        retry=retry,
        tensorboard=tensorboard,
    )


def carry_out(wanted: Study, out: Path, *, log: str, as_json: bool, yes: bool, **how: Any) -> None:
    """Makes the study's missing runs in `out`, prints what was found, and ends with the exit code that tells how it
    went. how: as `garden.run` takes it."""
    wanted, listed = of_study(wanted, out, bool(how.get("keep_going")))
    _begin(out)
    from commongarden import workflow

    display = _display(log, len(wanted.seeds), as_json)
    results, conducted = workflow.run(
        wanted,
        out,
        display=display,
        listed=listed,
        confirm=None if yes or not sys.stdin.isatty() else lambda _: _asked(display),
        argv=["commongarden", *sys.argv[1:]],
        **how,
    )
    _print_results(results, as_json)
    if not as_json:
        click.echo(str(out / "report.html"))
    if conducted.raced is not None:
        from commongarden.report import race

        for text in race.told(conducted.raced):
            click.echo(text, err=True)
    if conducted.forecast is not None:
        from commongarden.runner import forecast

        click.echo(forecast.outcome(conducted.forecast), err=True)
    if conducted.interrupted:
        click.echo(
            ngettext(
                "interrupted with {n} run to go; the same command goes on",
                "interrupted with {n} runs to go; the same command goes on",
                conducted.n_missing,
            ).format(n=conducted.n_missing),
            err=True,
        )
        sys.exit(130)
    if conducted.n_failed:
        click.echo(
            ngettext(
                "{n} run failed; --retry makes it again",
                "{n} runs failed; --retry makes them again",
                conducted.n_failed,
            ).format(n=conducted.n_failed),
            err=True,
        )
    if conducted.n_missing:
        click.echo(
            ngettext(
                "{n} run is still to be made; the same command goes on",
                "{n} runs are still to be made; the same command goes on",
                conducted.n_missing,
            ).format(n=conducted.n_missing),
            err=True,
        )
    if conducted.n_failed or conducted.n_missing:
        sys.exit(1)


def _begin(out: Path) -> None:
    """Says that something happens, and lets the workers' imports begin beside those of this process: both take
    seconds, PyTorch's the most."""
    from commongarden.runner import processes

    click.echo(_("starting: PyTorch and statistics are being loaded"), err=True)
    if not (out / "study.toml").is_file():  # of one that is there it is not known yet whether runs are missing
        processes.prepare()


def _check_network(name: str, arm: Arm) -> None:
    """Refuses an option that no network can be built with, before anything is done."""
    try:
        arm.network(2)
    except ArchError as error:
        raise StudyError(f"arms.{name}: {error}") from None


def _asked(display: Display) -> bool:
    """Whether the person at the terminal says yes to the plan that was just printed."""
    from commongarden.i18n.language import _
    from commongarden.runner.display import LiveDisplay

    if isinstance(display, LiveDisplay):
        display.live.stop()  # it would write over the question
    try:
        return click.confirm(_("That is more than 10 minutes. Go on?"), default=True, err=True)
    finally:
        if isinstance(display, LiveDisplay):
            display.live.start()


def _declared(
    study: str | None,
    data: str | None,
    arms: str | None,
    seeds: int | None,
    seed: int | None,
    values: dict[str, Any],
    folds: int | None = None,
    vary: str | None = None,
    tune: int | None = None,
    grey_range: tuple[float, float] | None = None,
) -> Study:
    """The study that the command line declares: a study file with changes, or one made of architectures."""
    import dataclasses

    from commongarden import study as studies
    from commongarden.study.recipe import override

    names = [name.strip() for name in arms.split(",") if name.strip()] if arms is not None else None
    if study is None and data is None:
        raise StudyError(
            _("run: found neither STUDY nor --data; accepted: run demo, run STUDY.toml, run --data PHOTOS")
        )
    wanted = studies.of_architectures(data or "", names) if study is None else studies.read(study)
    if study is not None and names is not None:
        wanted = studies.choose_arms(wanted, names)
    changes: dict[str, Any] = {"recipe": override(wanted.recipe, values, where="recipe")} if values else {}
    if data is not None:
        changes["data"] = data
    if seeds is not None and (folds or wanted.folds):
        raise StudyError(studies.both(seeds, folds or wanted.folds))
    if seeds is not None:
        changes["seeds"] = studies.run_seeds(seeds)
    if folds is not None:
        changes |= {"folds": folds, "seeds": studies.run_seeds(folds)}
    if vary is not None:
        changes["vary"] = tuple(name.strip() for name in vary.split(",") if name.strip())
    if seed is not None:
        changes["seed"] = seed
    if grey_range is not None:
        changes["range"] = grey_range
    if tune is not None:
        changes["tuning"] = dataclasses.replace(wanted.tuning or studies.Tuning(), runs=tune)
    wanted = dataclasses.replace(wanted, **changes)
    if not wanted.data:
        raise StudyError(
            _("study {name!r} names no data; accepted: --data FOLDER, or data = in its [study]").format(
                name=wanted.name
            )
        )
    return wanted


def _display(log: str, n_seeds: int, as_json: bool) -> Display:
    from commongarden.runner.display import ClassicDisplay, LiveDisplay, PlainDisplay

    def line(text: str) -> None:
        click.echo(text, err=True)

    if log == "classic":
        return ClassicDisplay(line if as_json else click.echo, line, n_seeds)
    if log == "live" or (log == "auto" and sys.stderr.isatty()):
        return LiveDisplay(terminal.console(stderr=True))
    return PlainDisplay(line)


def _print_results(results: Any, as_json: bool) -> None:
    from commongarden import report

    if as_json:
        click.echo(report.to_json(results))
        return
    console = terminal.console()
    for part in report.terminal(results):
        console.print(part)


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
@as_json
def compare(directory: Path, as_json: bool) -> None:
    """Print the table and the verdicts of the study in DIRECTORY."""
    from commongarden import stats, store

    _print_results(stats.summarize(store.open_store(directory)), as_json)


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
    from commongarden import store

    paths = reports.write_as(store.open_store(directory), tuple(dict.fromkeys(formats)))
    for path in paths:
        click.echo(str(path))
    if open_it:
        click.launch(str(paths[0]))


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
        click.echo(json.dumps({"study": study.name, "runs": rows, "tuning": trials}, indent=1))
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
