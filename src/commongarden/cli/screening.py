"""The command that compares many models without training them: screen."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.cli import options
from commongarden.cli.downloads import confirm
from commongarden.cli.group import main, option
from commongarden.cli.options import as_json, chain, no_code, print_json
from commongarden.cli.places import chosen, place_options
from commongarden.i18n.language import _, ngettext
from commongarden.io import terminal

if TYPE_CHECKING:
    from commongarden.cli.declaring import Asked
    from commongarden.records.screening import Screening
    from commongarden.runner.options import RunOptions
    from commongarden.stats.screened import RankedModel
    from commongarden.study import Study

SHOWN = 20  # models in the table of the terminal
N_THEN = 5  # models that a study is proposed for
SIZE = 224  # pixels, at which most published weights were trained


@main.command()
@click.argument("study", required=False)
@chain(
    options.data(),
    options.models,
    option("--untrained", is_flag=True, help="Screen models with random weights instead of their published ones."),
    option("--budget", help="Begin no model after this time (90s, 30m, 2h); the smallest begin first."),
    option(
        "--then",
        "n_then",
        type=click.IntRange(min=1),
        help="Go on to a study that fine-tunes this many of the best models.",
    ),
    option("--folds", type=click.IntRange(min=2), default=5, show_default=True, help="Number of folds."),
    option(
        "--repeats",
        type=click.IntRange(min=1),
        default=3,
        show_default=True,
        help="How often the images are divided into folds.",
    ),
    option(
        "--sample",
        "most_photos",
        type=click.IntRange(min=20),
        default=5000,
        show_default=True,
        help="Use at most about this many images, each class in its share.",
    ),
    options.name,
    options.reading_options,
    options.seeds,
    options.study_seed,
    options.epochs(),
    options.resolution(help="Image size in pixels [the study file's, else 224]."),
    options.grey_range,
    options.running_options,
    place_options,
    options.log,
    options.no_maps,
    no_code,
    options.cache_options,
    as_json,
)
def screen(
    untrained: bool,
    budget: str | None,
    n_then: int | None,
    folds: int,
    repeats: int,
    most_photos: int,
    epochs: int | None,
    resolution: int | None,
    yes: bool,
    out: Path | None,
    log: str,
    as_json: bool,
    **asked: Any,
) -> None:
    """Compare many models on frozen features, without training them.

    A linear probe and nearest neighbours are cross-validated on the features of each model, with the training and
    validation images only: a study on the same images keeps its test set unused. Models of torchvision and timm have
    their published weights; in STUDY (a study file), each has those that the file says. Repeat the command to resume.
    """
    from commongarden.cli.declaring import Asked, declared
    from commongarden.cli.execution import carry_out, run_options
    from commongarden.cli.model_names import telling

    cluster = chosen(asked)
    if cluster is not None and n_then is None:
        raise click.UsageError(_("--on: accepted with --then only, since no runs are made without it"))
    how = run_options(asked, most_seeds=None)
    size = SIZE if resolution is None and asked["study"] is None else resolution
    given = Asked(**asked, recipe={"epochs": epochs, "resolution": size}, tell=telling())
    _check(given)
    wanted = declared(dataclasses.replace(given, where_published=not untrained))
    folder = out or _folder(wanted, given.name)
    limits = {"folds": folds, "repeats": repeats, "budget": budget or "", "most_photos": most_photos}
    found = _compared(wanted, folder, how, yes=yes, **limits)
    if as_json and n_then is None:
        print_json(_table_of(found))
    elif not as_json:
        _print(found, folder, goes_on=n_then is not None)
    if n_then is not None:
        study = _then(given, found, folder, n_then)
        carry_out(study, folder, how, log=log, as_json=as_json, yes=yes, cluster=cluster)
    elif any(one.reason for one in found.left):
        sys.exit(1)


def _check(given: Asked) -> None:
    """Refuses a command that names no models or no images. Raises click.UsageError."""
    if given.study is None and not (given.data and given.models):
        text = _("screen: found {found}; accepted: screen --data PHOTOS --models NAMES, or screen STUDY.toml")
        missing = _("no --models") if given.data else _("no --data")
        raise click.UsageError(text.format(found=missing))


def _folder(wanted: Study, name: str | None) -> Path:
    """Where the results are put: beside the folder that `run` takes for the same images."""
    from commongarden.study import folder_name, studies_folder

    return studies_folder() / (folder_name(wanted) if name else f"{folder_name(wanted)}-screening")


def _compared(wanted: Study, folder: Path, how: RunOptions, *, yes: bool, **asked: Any) -> Screening:
    """What screening finds, with its files in the folder."""
    from commongarden.cli.reading import of_study
    from commongarden.runner.display import LiveDisplay, PlainDisplay

    reading, listed = of_study(wanted.data_plan, folder, how.keep_going)
    click.echo(_("loading PyTorch and the statistics libraries"), err=True)
    confirm(wanted.arms.values(), yes=yes, skip_unknown=True)
    from commongarden import screening
    from commongarden.report import screened as report

    console = terminal.console(stderr=True)
    live = LiveDisplay(console) if console.is_terminal else PlainDisplay(lambda text: click.echo(text, err=True))
    found = screening.compare(
        dataclasses.replace(wanted, reading=reading), device=how.device, cache_dir=how.cache_dir,
        keep_going=how.keep_going, display=live, listed=listed, **asked,
    )  # fmt: skip
    report.write(found, folder, _next(found))
    return found


def _next(found: Screening) -> str:
    """The command that goes on to a study of the best models: the one that was typed, with --then."""
    words = list(sys.argv[1:])
    for place, word in reversed([*enumerate(words)]):
        if word == "--then":
            del words[place : place + 2]
        elif word.startswith("--then="):
            del words[place]
    return shlex.join(["commongarden", *words, "--then", str(min(N_THEN, len(found.models)))])


def _then(given: Asked, found: Screening, folder: Path, n: int) -> Study:
    """The study of the best models, with what they were chosen from recorded in its folder."""
    from commongarden.cli.declaring import declared
    from commongarden.screening import best, record

    names = best(found, n)
    chosen = [one for name in names for one in found.models if one.model == name]
    if given.study is not None:
        wanted = declared(dataclasses.replace(given, models=[name.replace(",", "") for name in names]))
    else:
        preset = "finetune" if any(one.weights for one in chosen) else "scratch"
        named = dataclasses.replace(given, models=[one.arch for one in chosen])
        if preset == "finetune":
            wanted = declared(dataclasses.replace(named, where_published=True))
        else:
            wanted = declared(dataclasses.replace(named, preset=preset))
    record(found, list(wanted.arms), folder)
    models = ngettext("Study of the best model: {models}", "Study of the best {n} models: {models}", len(chosen))
    click.echo(models.format(n=len(chosen), models=", ".join(wanted.arms)), err=True)
    return wanted


def _print(found: Screening, folder: Path, *, goes_on: bool) -> None:
    """The answer, the table, and what to do next where that is not done at once."""
    from commongarden.report import screened as report
    from commongarden.report.wording import screening as wording
    from commongarden.stats.screened import ranked

    models = ranked(found)
    click.echo(wording.answer(models))
    for text in (*wording.notes(found, models), wording.data(found)):
        click.echo(text)
    for model, reason in wording.failures(found):
        click.echo(f"  {model}: {reason}")
    click.echo()
    terminal.console().print(_table(models))
    if len(models) > SHOWN:
        text = _("The {n} best of {total}; all are in {file}.")
        click.echo(text.format(n=SHOWN, total=len(models), file=folder / report.CSV))
    click.echo(_("* significantly less accurate than the first; ms per image and MB on this machine"))
    click.echo()
    if front := wording.front(models):
        click.echo(front)
    if not goes_on:
        click.echo(_("To train the best ones: {command}").format(command=_next(found)))
    terminal.verbatim(str(folder / report.PAGE))


def _table_of(found: Screening) -> dict[str, Any]:
    """What --json prints: screening.json with a row for each model, the best first."""
    import msgspec

    from commongarden.report import screened as report
    from commongarden.stats.screened import ranked

    table: dict[str, Any] = msgspec.to_builtins(found)
    return {**table, "models": report.rows(ranked(found))}


def _table(models: tuple[RankedModel, ...]) -> Any:
    from commongarden.io.fitted import Fitted, columns
    from commongarden.report.wording import screening as wording

    table = columns((_("model"),), wording.headers())
    for column in table.columns[1:]:
        column.no_wrap = True  # a figure stays with its unit
    for one in models[:SHOWN]:
        weights = "" if one.screened.weights else f" ({wording.weights(one.screened)})"
        table.add_row(f"{one.arm}{weights}", *wording.figures(one))
    return Fitted(table)
