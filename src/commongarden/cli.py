"""The command line: thin commands that parse, call and print. Nothing slow is imported before a command needs it.

Results go to standard output, progress and errors to standard error. Exit codes: 0 done; 1 done, but some runs failed
or files could not be read; 2 a mistake in what was asked, told in one message; 130 interrupted, to be continued by the
same command.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.errors import CommonGardenError, StudyError

if TYPE_CHECKING:
    from commongarden.arch import Serial
    from commongarden.runner.display import Display
    from commongarden.study import Study


class Commands(click.Group):
    """A group that prints the user's mistakes without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CommonGardenError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo("interrupted; what was finished is kept", err=True)
            ctx.exit(130)


def _version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"commongarden {version('commongarden')}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def main() -> None:
    """Compare networks on your photos: one soil for all, several seeds, verdicts with their uncertainty.

    \b
    commongarden run demo                       on built-in data, a few minutes
    commongarden run --data photos/             the small architectures, on your own
    commongarden run study.toml                 a study you wrote
    commongarden run flowers --data flowers/    the study this project began with
    """


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
cache_dir = click.option(
    "--cache-dir", type=click.Path(file_okay=False, path_type=Path), help="Where decoded images are kept."
)


def chain(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


@main.command()
@click.argument("study", required=False)
@chain(
    click.option("--data", help="Folder of class folders, folder of train/val/test folders, or CSV of path,label."),
    click.option(
        "--arms",
        help="Arms of the study to take, or without a study architectures: plain_flower,inception_flower:LA,FILE.json.",
    ),
    click.option("--seeds", type=click.IntRange(min=1), help="How many seeds each arm is trained with."),
    click.option("--seed", type=click.IntRange(min=0), help="The study's own seed: split, weights, order."),
    click.option("--epochs", type=int, help="Passes over the training part."),
    click.option("--resolution", type=int, help="Pixels per side that photos are resized to."),
    click.option("--batch-size", type=int, help="Photos per step."),
    click.option("--lr", type=float, help="Learning rate."),
    click.option(
        "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other recipe value; may be repeated."
    ),
    click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="The study's folder [garden/NAME]."),
    click.option("--workers", type=click.IntRange(min=1), help="Runs at a time [physical cores, memory allowing]."),
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps."),
    click.option("--keep-going", is_flag=True, help="Go on where more than 5 % of the photos cannot be read."),
    click.option("--retry", is_flag=True, help="Make failed runs again."),
    click.option("--log", type=click.Choice(["auto", "live", "plain", "classic"]), default="auto", show_default=True),
    click.option("--tensorboard", is_flag=True, help="Write event files to OUT/tensorboard."),
    click.option("--dry-run", is_flag=True, help="Print the effective study file and stop."),
    cache_dir,
    as_json,
)
def run(
    study: str | None,
    data: str | None,
    arms: str | None,
    seeds: int | None,
    seed: int | None,
    settings: tuple[str, ...],
    out: Path | None,
    workers: int | None,
    device: str,
    keep_going: bool,
    retry: bool,
    log: str,
    tensorboard: bool,
    dry_run: bool,
    cache_dir: Path | None,
    as_json: bool,
    **recipe: Any,
) -> None:
    """Train every arm with every seed and write the report.

    STUDY is a study file or a built-in study (demo, flowers). The same command goes on where it stopped; more seeds,
    arms or contrasts are added to what is there. The last line printed is the report's path.
    """
    from commongarden import study as studies

    values = {key: value for key, value in recipe.items() if value is not None} | dict(map(_setting, settings))
    wanted = _declared(study, data, arms, seeds, seed, values)
    if dry_run:
        click.echo(studies.dump(wanted), nl=False)
        return

    from commongarden import garden

    out = out or Path("garden") / studies.folder_name(wanted)
    argv = ["commongarden", *sys.argv[1:]]
    results, conducted = garden.run(
        wanted,
        out,
        cache_dir=cache_dir,
        display=_display(log, len(wanted.seeds), as_json),
        n_workers=workers,
        device=device,
        keep_going=keep_going,
        retry=retry,
        tensorboard=tensorboard,
        argv=argv,
    )
    _print_results(results, as_json)
    if not as_json:
        click.echo(str(out / "report.html"))
    if conducted.interrupted:
        click.echo(f"interrupted with {conducted.n_missing} runs to go; the same command goes on", err=True)
        sys.exit(130)
    if conducted.n_failed:
        click.echo(f"{conducted.n_failed} runs failed; --retry makes them again", err=True)
    if conducted.n_missing:
        click.echo(f"{conducted.n_missing} runs are still to be made; the same command goes on", err=True)
    if conducted.n_failed or conducted.n_missing:
        sys.exit(1)


def _setting(text: str) -> tuple[str, Any]:
    import tomllib

    key, equals, value = text.partition("=")
    if not equals:
        raise StudyError(f"--set: found {text!r}, accepted: KEY=VALUE, such as --set optimizer=sgd")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()  # a bare word is text


def _declared(
    study: str | None, data: str | None, arms: str | None, seeds: int | None, seed: int | None, values: dict[str, Any]
) -> Study:
    """The study that the command line declares: a study file with changes, or one made of architectures."""
    import dataclasses

    from commongarden import study as studies
    from commongarden.recipe import override

    names = [name.strip() for name in arms.split(",") if name.strip()] if arms is not None else None
    if study is None and data is None:
        raise StudyError("run: found neither STUDY nor --data; accepted: run demo, run STUDY.toml, run --data PHOTOS")
    wanted = studies.of_architectures(data or "", names) if study is None else studies.read(study)
    if study is not None and names is not None:
        wanted = studies.choose_arms(wanted, names)
    changes: dict[str, Any] = {"recipe": override(wanted.recipe, values, where="recipe")} if values else {}
    if data is not None:
        changes["data"] = data
    if seeds is not None:
        changes["seeds"] = tuple(range(seeds))
    if seed is not None:
        changes["seed"] = seed
    wanted = dataclasses.replace(wanted, **changes)
    if not wanted.data:
        raise StudyError(f"study {wanted.name!r} names no data; accepted: --data FOLDER, or data = in its [study]")
    return wanted


def _display(log: str, n_seeds: int, as_json: bool) -> Display:
    from rich.console import Console

    from commongarden.runner.display import ClassicDisplay, LiveDisplay, PlainDisplay

    def line(text: str) -> None:
        click.echo(text, err=True)

    if log == "classic":
        return ClassicDisplay(line if as_json else click.echo, line, n_seeds)
    if log == "live" or (log == "auto" and sys.stderr.isatty()):
        return LiveDisplay(Console(stderr=True))
    return PlainDisplay(line)


def _print_results(results: Any, as_json: bool) -> None:
    from commongarden import report

    if as_json:
        click.echo(report.to_json(results))
        return
    from rich.console import Console

    console = Console()
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
@click.option("--open", "open_it", is_flag=True, help="Open it in the browser.")
def report(directory: Path, open_it: bool) -> None:
    """Write report.html, results.csv and results.json of the study in DIRECTORY anew."""
    from commongarden import report as reports
    from commongarden import store

    path = reports.write(store.open_store(directory))
    click.echo(str(path))
    if open_it:
        click.launch(str(path))


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
    rows = [{"arm": arm, "seed": seed, "status": store.state(arm, seed)} for arm in study.arms for seed in study.seeds]
    if as_json:
        click.echo(json.dumps({"study": study.name, "runs": rows}, indent=1))
        return
    counts = Counter(str(row["status"]) for row in rows)
    click.echo(f"{study.name}: " + ", ".join(f"{n} {state}" for state, n in counts.items()))
    for row in rows:
        click.echo(f"  {row['arm']}, seed {row['seed']}: {row['status']}")


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="Classes per photo.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV (the default).")
@as_json
def predict(run: Path, photos: tuple[Path, ...], top: int, as_csv: bool, as_json: bool) -> None:
    """Name the most probable classes of PHOTOS (files or folders) by a finished RUN (DIR/runs/ARM/SEED)."""
    import csv
    import json

    from commongarden import predictor

    if as_csv and as_json:
        raise click.UsageError("--csv and --json: found both, accepted: one of them")
    predictions = predictor.predict(predictor.load(run), photos, top=top)
    n_broken = 0
    if as_json:
        rows = list(predictions)
        click.echo(
            json.dumps(
                [
                    {"photo": row.photo, "top": [{"class": name, "probability": p} for name, p in row.top]}
                    | ({"error": row.error} if row.error else {})
                    for row in rows
                ],
                ensure_ascii=False,
                indent=1,
            )
        )
        n_broken = sum(bool(row.error) for row in rows)
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["photo", "rank", "class", "probability"])
        for row in predictions:
            for rank, (name, probability) in enumerate(row.top, 1):
                writer.writerow([row.photo, rank, name, f"{probability:.6f}"])
            if row.error:
                n_broken += 1
                click.echo(f"left out: {row.error}", err=True)
    if n_broken:
        sys.exit(1)


@main.command()
@click.option("--clear", is_flag=True, help="Delete every cached image file.")
@cache_dir
@as_json
def cache(clear: bool, cache_dir: Path | None, as_json: bool) -> None:
    """Show the cache of decoded images, or clear it."""
    import dataclasses
    import json

    from commongarden.data import cache as caches

    folder = cache_dir or caches.default_folder()
    if clear:
        freed = caches.clear(folder)
        click.echo(
            json.dumps({"folder": str(folder), "freed_bytes": freed}) if as_json else f"{freed / 1e6:,.1f} MB freed"
        )
        return
    entries = caches.entries(folder)
    if as_json:
        rows = [dataclasses.asdict(entry) for entry in entries]
        click.echo(json.dumps({"folder": str(folder), "entries": rows}, indent=1, default=str))
        return
    click.echo(f"{folder}: {len(entries)} sets of images, {sum(entry.bytes for entry in entries) / 1e6:,.1f} MB")
    for entry in entries:
        click.echo(
            f"  {entry.root}: {entry.n_photos:,} photos at {entry.width}x{entry.height}, {entry.bytes / 1e6:,.1f} MB"
        )


size = click.option("--input", "size", default="64x64x3", show_default=True, help="Height x width x channels.")
n_classes = click.option(
    "--classes", default=5, show_default=True, type=click.IntRange(min=1), help="How many classes."
)
order = click.option("--order", help="Order of linear map, activation, normalization: LA, LAB, LBA, BAL.")
settings = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="An option of the architecture; may be repeated."
)


@main.command()
@click.argument("arm")
@chain(size, n_classes, order, settings)
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Draw it into this file (SVG).")
@click.option("--depth", type=click.IntRange(min=1), help="Levels of blocks to draw; deeper ones are one box [all].")
@as_json
def describe(
    arm: str,
    size: str,
    classes: int,
    order: str | None,
    settings: tuple[str, ...],
    svg: Path | None,
    depth: int | None,
    as_json: bool,
) -> None:
    """Show a network layer by layer: output shape, parameters, MACs, receptive field. With --svg draw it.

    ARM is an architecture, one with its order (inception_flower:LA), a file in list form (FILE.json), or somebody
    else's network: torchvision:NAME, timm:NAME, FILE.py:FACTORY, package.module:FACTORY. Such a one is measured, which
    runs its code.
    """
    from commongarden import describe as describing

    shape = _shape(size)
    network = _network(arm, classes, order, shape, dict(map(_setting, settings)))
    if svg is not None:
        from commongarden import drawing

        if as_json:
            raise click.UsageError("--svg and --json: found both, accepted: one of them")
        _write(svg, drawing.svg(network, shape, depth=depth, title=f"{arm} at {size}"))
        return
    if depth is not None:
        raise click.UsageError("--depth: how deep a drawing goes; accepted together with --svg FILE")
    found = describing.table(arm, network, shape, classes)
    if as_json:
        _print_json(found)
    else:
        describing.print_table(found)


@main.command()
@click.argument("one")
@click.argument("two")
@chain(size, n_classes, order)
@click.option("--lang", type=click.Choice(["en", "ko"]), default="en", show_default=True, help="English or Korean.")
@as_json
def diff(one: str, two: str, size: str, classes: int, order: str | None, lang: str, as_json: bool) -> None:
    """Say what makes arm TWO of arm ONE: the fewest edits, and what they cost.

    An arm is an architecture, one with its order (inception_flower:LA), or a file in list form (FILE.json).
    """
    from commongarden import arch
    from commongarden import describe as describing

    shape = _shape(size)
    before, after = (_network(name, classes, order, shape) for name in (one, two))
    found = arch.difference(before, after, shape)
    if as_json:
        _print_json(describing.difference_table((one, two), found, shape, classes))
    else:
        describing.print_difference((one, two), found, lang)


@main.command()
@chain(size, n_classes)
@click.option("--equal", default="n_params", show_default=True, help="What shall be nearest: n_params or macs.")
@click.option("--widths", default="16,32,64", show_default=True, help="Channels of each stage.")
@click.option("--blocks", default="2,2,2", show_default=True, help="Blocks of each stage.")
@click.option("--stem", default=16, show_default=True, type=click.IntRange(min=1), help="Channels of the stem.")
@click.option("--order", default="LBA", show_default=True, help="Order of linear map, activation, normalization.")
@as_json
def twins(size: str, classes: int, equal: str, widths: str, blocks: str, stem: int, order: str, as_json: bool) -> None:
    """Give one network in plain, residual, bottleneck and Inception form at the nearest possible cost.

    Stem, stages, blocks and head are equal. WIDTHS are those of the plain and residual form; the widths of the other
    two are searched for. Prints what still differs, in per cent, and the four as arms of a study file.
    """
    from commongarden import describe as describing
    from commongarden.arch import twins as find

    options: Any = {"equal": equal, "widths": widths, "blocks": blocks, "stem": stem, "order": order}
    found = find(classes, _shape(size), **options)
    table = describing.twins_table(found, equal, blocks, stem, order)
    if as_json:
        _print_json(table)
    else:
        describing.print_twins(table)


@main.command()
@click.argument("what", metavar="ARM|RUN")
@chain(size, n_classes, order)
@click.option("--format", "kind", type=click.Choice(["onnx"]), default="onnx", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The file to write [NAME.onnx].")
@as_json
def export(what: str, size: str, classes: int, order: str | None, kind: str, out: Path | None, as_json: bool) -> None:
    """Write a network for other programs, run it there, and compare it with torch.

    An arm has the weights that training would begin with. A finished run (DIR/runs/ARM/SEED) has the ones it learned,
    and its preprocessing is inside: uint8 photos go in. Exit code 1 where the two differ by more than 0.001.
    """
    import dataclasses

    from commongarden import arch
    from commongarden import export as exporting

    if Path(what).is_dir() and what not in arch.FAMILIES:
        exported = exporting.export_run(what, out)
    else:
        shape = _shape(size)
        exported = exporting.export_arm(what, _network(what, classes, order, shape), classes, shape, out)
    if as_json:
        _print_json(dataclasses.asdict(exported) | {"path": str(exported.path), "agrees": exported.agrees})
    else:
        click.echo(exporting.describe(exported))
    if not exported.agrees:
        sys.exit(1)


def _network(
    text: str, classes: int, order: str | None, shape: tuple[int, int, int], options: dict[str, Any] | None = None
) -> Serial:
    """The network of an arm as people type it; one by others is measured first, which runs its code."""
    from commongarden.describe import arm_of

    arm = arm_of(text, order, options)
    if arm.origin is not None:
        from commongarden.runner.measuring import measure

        arm = measure(arm, classes, shape)
    return arm.network(classes)


def _print_json(table: Any) -> None:
    import json

    click.echo(json.dumps(table, ensure_ascii=False, indent=1))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StudyError(f"{path}: cannot be written ({error.strerror})") from None
    click.echo(str(path))


@main.command()
@click.argument("arm")
@click.option("--input", "size", default="64x64x3", show_default=True, help="Height x width x channels.")
@click.option("--classes", default=5, show_default=True, type=click.IntRange(min=2), help="How many classes.")
@click.option("--photos", default=1000, show_default=True, type=click.IntRange(min=1), help="Photos to train on.")
@click.option("--order", help="Order of linear map, activation, normalization: LA, LAB, LBA, BAL.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A recipe value; may be repeated.")
@as_json
def audit(
    arm: str, size: str, classes: int, photos: int, order: str | None, settings: tuple[str, ...], as_json: bool
) -> None:
    """Look at a network at its first weights: does the signal come through, do all its parts learn?

    ARM is an architecture, one with its order (inception_flower:LA), a file in list form (FILE.json), or somebody
    else's network (timm:NAME, FILE.py:FACTORY). Drawn pixels stand for photos. Ends with exit code 1 where something is
    found.
    """
    from commongarden import arch
    from commongarden.recipe import Recipe, override
    from commongarden.report import audits

    shape = _shape(size)
    network = _network(arm, classes, order, shape)
    recipe = override(Recipe(), dict(map(_setting, settings)))
    arch.trace(network, shape)  # so that a mistake is told before torch is loaded

    from commongarden.train import audit as auditor

    found = auditor.audit_drawn(network, shape, classes, recipe, photos)
    click.echo(audits.to_json(arm, found) if as_json else "\n".join(audits.lines(arm, found)))
    if found.findings:
        sys.exit(1)


@main.command("list")
@click.argument("pattern", required=False, default="*")
@as_json
def list_architectures(pattern: str, as_json: bool) -> None:
    """List architectures by name, with parameters and source.

    PATTERN is a part of the name, or has * and ? in it: resnet, vgg*_bn. Counts are at the published input and number
    of classes.
    """
    import json

    from commongarden import arch

    rows = []
    for name in arch.matching(pattern):
        family = arch.FAMILIES[name]
        cost = family.cost()
        rows.append(
            {
                "name": name,
                "n_params": cost.n_params,
                "macs": cost.macs,
                "input": list(family.input),
                "classes": family.n_classes,
                "options": list(family.options),
                "source": family.source,
            }
        )
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        click.echo(f"{row['name']:<{width}}  {row['n_params']:>11,}  {row['source']}")


def _shape(text: str) -> tuple[int, int, int]:
    parts = text.lower().split("x")
    if len(parts) not in (2, 3) or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise StudyError(f"--input: found {text!r}, accepted: HEIGHTxWIDTHxCHANNELS, such as 96x96x3")
    height, width, channels = (*map(int, parts), 3)[:3]
    return height, width, channels


@main.group()
def data() -> None:
    """Look at photos before they are used."""


@data.command("check")
@click.argument("source")
@as_json
def check(source: str, as_json: bool) -> None:
    """Read every photo of SOURCE and say what was found: classes, duplicates, conflicting labels, broken files.

    Ends with exit code 1 where files are left out.
    """
    import json

    from commongarden.data import folder

    found = folder.summary(folder.scan(source, keep_going=True))
    click.echo(json.dumps(found, ensure_ascii=False, indent=1) if as_json else folder.describe(found))
    if found["left_out"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
