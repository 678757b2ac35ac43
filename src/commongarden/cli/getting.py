"""`commongarden data get`: photos from the web, or from an archive that was fetched by hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commongarden.cli.group import option
from commongarden.cli.options import as_json, print_json
from commongarden.cli.photos import data
from commongarden.i18n.language import _
from commongarden.io import terminal

if TYPE_CHECKING:
    from commongarden.data.download import OnBytes


@data.command("get")
@click.argument("name")
@option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder to create [NAME].")
@option("--from", "source", help="Another URL, or an archive on this disk: .tgz, .tar or .zip.")
@option("--sha256", help="Expected SHA-256 of the archive.")
@as_json
def get(name: str, out: Path | None, source: str | None, sha256: str | None, as_json: bool) -> None:
    """Download the data set NAME (flowers) and unpack it into class folders.

    An interrupted download resumes, and its SHA-256 is checked. flowers is TensorFlow's flower_photos (229 MB).
    --from also takes Kaggle's flowers zip, which needs an account there.
    """
    from commongarden.data import downloads

    with _progress() as on_bytes:
        got = downloads.get(name, out or Path(name), source=source, sha256=sha256, on_bytes=on_bytes)
    if as_json:
        print_json(
            {
                "folder": str(got.folder),
                "sha256": got.sha256,
                "sha256_checked": got.checked,
                "classes": got.unpacked.photos,
                "repeated": got.unpacked.repeated,
                "passed_over": got.unpacked.passed_over,
            }
        )
        return
    for label, n in got.unpacked.photos.items():
        click.echo(f"  {label:<12} {n:>7,}")
    if got.unpacked.repeated:
        click.echo(_("duplicate photos in the archive: {n:,}").format(n=got.unpacked.repeated))
    checked = (
        _("SHA-256 verified: {sha256}") if got.checked else _("SHA-256, not verified (no reference hash): {sha256}")
    )
    click.echo(checked.format(sha256=got.sha256), err=True)
    terminal.verbatim(str(got.folder))


@contextmanager
def _progress() -> Iterator[OnBytes | None]:
    """How much has come, in a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    with Progress(
        BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=terminal.console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda n, total: bar.update(task, completed=n, total=total)
