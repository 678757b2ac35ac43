"""Commands that say whether a study can be trusted: verify."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from commongarden.cli.group import main
from commongarden.cli.options import as_json, print_json
from commongarden.language import N_, _, ngettext, told

KINDS = {
    "torn": N_("torn"),
    "missing": N_("missing"),
    "contradicts": N_("contradicts"),
    "foreign": N_("foreign"),
    "set aside": N_("set aside"),
    "unchecked": N_("unchecked"),
}


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
@as_json
def verify(directory: Path, as_json: bool) -> None:
    """Hold every file of the study in DIRECTORY against its checksum, and the files against each other.

    Nothing is changed. Ends with exit code 1 where a file is torn or missing or contradicts another one; `run` sets
    such a run aside and makes it again. Foreign files, of which nothing is read, are named.
    """
    import dataclasses

    from commongarden import store as stores

    found = stores.verify(stores.open_store(directory))
    if as_json:
        table = dataclasses.asdict(found) | {"is_whole": not found.wrong}
        print_json(table)
    else:
        for one in found.found:
            click.echo(_("{kind}: {path}: {why}").format(kind=_(KINDS[one.kind]), path=one.path, why=told(one.why)))
        runs = ngettext("{n} run", "{n} runs", found.n_runs).format(n=found.n_runs)
        files = ngettext("{n:,} file", "{n:,} files", found.n_files).format(n=found.n_files)
        text = (
            _("{directory}: {runs}, {files}, {size:,.1f} MB: something is wrong")
            if found.wrong
            else _("{directory}: {runs}, {files}, {size:,.1f} MB: whole")
        )
        click.echo(text.format(directory=directory, runs=runs, files=files, size=found.n_bytes / 1e6))
    if found.wrong:
        sys.exit(1)
