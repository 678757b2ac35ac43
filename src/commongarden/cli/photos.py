"""Commands on photos: predict, data check, cache."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commongarden.cli import options
from commongarden.cli.group import main, option
from commongarden.cli.options import as_json, cache_dir, no_code, print_json
from commongarden.cli.reading import of_source
from commongarden.i18n.language import _, ngettext, translate
from commongarden.io import terminal

if TYPE_CHECKING:
    from commongarden.data.cache import Entry
    from commongarden.runner.display import Display


@main.command()
@click.argument("trained", metavar="STUDY|RUN", type=click.Path(path_type=Path))
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="Number of classes per image.")
@options.model
@options.one_seed
@option("--csv", "as_csv", is_flag=True, help="Print CSV (the default).")
@no_code
@as_json
def predict(
    trained: Path, photos: tuple[Path, ...], top: int, model: str | None, seed: int | None, as_csv: bool, as_json: bool
) -> None:
    """Predict the classes of PHOTOS (files or folders).

    STUDY is the folder of a study: its best model is used, with all its runs together. RUN (STUDY/runs/MODEL/SEED) is
    one finished run.
    """
    import csv

    from commongarden.inference import ensemble
    from commongarden.inference import predictions as made
    from commongarden.io import csv_cells
    from commongarden.store import places

    if as_csv and as_json:
        message = _("{one} and {two}: found both, accepted: one of them")
        raise click.UsageError(message.format(one="--csv", two="--json"))
    places.check_study_or_run(trained, photos)
    predictions = made.predictions(ensemble.load(trained, model=model, seed=seed), photos, top=top)
    notable = []  # with an error or a warning
    if as_json:
        notable = rows = list(predictions)
        print_json(
            [
                {"photo": row.photo, "top": [{"class": name, "probability": p} for name, p in row.top]}
                | ({"error": row.error} if row.error else {})
                | ({"warnings": [translate(row.warning)]} if row.warning else {})
                for row in rows
            ]
        )
    else:
        writer = csv.writer(terminal.as_it_is(), lineterminator="\n")
        writer.writerow(["photo", "rank", "class", "probability"])
        for row in predictions:
            notable += [row] if row.error or row.warning else []
            for rank, (name, probability) in enumerate(row.top, 1):
                writer.writerow([csv_cells.safe(row.photo), rank, csv_cells.safe(name), f"{probability:.6f}"])
            if row.error:
                click.echo(_("left out: {reason}").format(reason=row.error), err=True)
    for text, n in Counter(row.warning for row in notable if row.warning).items():
        first = next(row.photo for row in notable if row.warning == text)
        message = ngettext(
            "warning: {n} photo ({path}): {reason}; its brightness may be wrong",
            "warning: {n} photos, such as {path}: {reason}; their brightness may be wrong",
            n,
        )
        click.echo(message.format(n=n, path=first, reason=translate(text)), err=True)
    if any(row.error for row in notable):
        sys.exit(1)


@main.group()
def data() -> None:
    """Inspect or download images."""


@data.command("check")
@click.argument("source")
@options.reading_options
@option("--sheet", type=click.Path(dir_okay=False, path_type=Path), help="Draw the duplicates into FILE.")
@options.grey_range
@cache_dir
@as_json
def check(
    source: str,
    layout: str | None,
    group_by: str | None,
    merge_classes: bool,
    sheet: Path | None,
    grey_range: tuple[float, float] | None,
    cache_dir: Path | None,
    as_json: bool,
) -> None:
    """Inspect the images of SOURCE: layout, classes, corrupt files, duplicates (re-encoded, resized, slightly cropped,
    mirrored, brighter), images under two labels, unusual files.

    Nothing is changed. The exit code is 1 if files are excluded, or if `run` would reject the data without
    --keep-going.
    """
    from commongarden.data import cache as caches
    from commongarden.data import checked, folder, inspecting, looks
    from commongarden.study import DataOptions

    read_as, listed = of_source(source, DataOptions(layout or "", group_by or "", merge_classes))
    kept = cache_dir or caches.default_folder()

    def tell(text: str) -> None:
        click.echo(text, err=True)

    seen = looks.Looks()
    with progress() as display:
        manifest = folder.scan(
            source,
            read_as,
            listed=listed,
            keep_going=True,
            on_progress=lambda done, total: display.prepare(_("reading photos"), done, total),
            cache_folder=kept,
            tell=tell,
            range=grey_range,
            looks=seen,
        )
        inspection = inspecting.inspect(manifest, kept, display.prepare, tell, seen)
    found = folder.summary(manifest, listed) | checked.summary(manifest, inspection)
    if as_json:
        print_json(found)
    else:
        click.echo(checked.describe(found, inspection))
    if sheet is not None:
        checked.draw_sheet(manifest, inspection, sheet)
        terminal.verbatim(str(sheet), stderr=as_json)
    if found["left_out"] or found["stops"]:
        sys.exit(1)


@contextmanager
def progress() -> Iterator[Display]:
    """Bars on a terminal; a line every ten seconds elsewhere."""
    from commongarden.runner.display import LiveDisplay, PlainDisplay

    console = terminal.console(stderr=True)
    live = LiveDisplay(console) if console.is_terminal else PlainDisplay(lambda text: click.echo(text, err=True))
    with live as display:
        yield display


@main.command()
@option("--clear", is_flag=True, help="Delete all cached images.")
@cache_dir
@as_json
def cache(clear: bool, cache_dir: Path | None, as_json: bool) -> None:
    """Show or clear the image cache."""
    import dataclasses
    import json

    from commongarden.data import cache as caches
    from commongarden.data import result_cache

    folder = cache_dir or caches.default_folder()
    if clear:
        freed = caches.clear(folder)
        click.echo(
            json.dumps({"folder": str(folder), "freed_bytes": freed})
            if as_json
            else _("freed {size:,.1f} MB").format(size=freed / 1e6)
        )
        return
    own, *shared = ((place, caches.entries(place)) for place in result_cache.places(folder))
    if as_json:
        tables = [
            {"folder": str(place), "entries": [dataclasses.asdict(entry) for entry in entries]}
            for place, entries in (own, *shared)
        ]
        found = tables[0] | ({"shared": tables[1]} if shared else {})
        terminal.verbatim(json.dumps(found, indent=1, default=str))
        return
    for place, entries in (own, *shared):
        _print_cached(place, entries)


def _print_cached(folder: Path, entries: Sequence[Entry]) -> None:
    """One folder of decoded images, on the terminal."""
    size = sum(entry.bytes for entry in entries) / 1e6
    text = ngettext(
        "{folder}: {n} set of images, {size:,.1f} MB", "{folder}: {n} sets of images, {size:,.1f} MB", len(entries)
    )
    click.echo(text.format(folder=folder, n=len(entries), size=size))
    for entry in entries:
        translate = ngettext(
            "{root}: {n:,} photo at {width}x{height}, {size:,.1f} MB",
            "{root}: {n:,} photos at {width}x{height}, {size:,.1f} MB",
            entry.n_photos,
        ).format(root=entry.root, n=entry.n_photos, width=entry.width, height=entry.height, size=entry.bytes / 1e6)
        click.echo(f"  {translate}")
