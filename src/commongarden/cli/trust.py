"""Commands that say whether a study can be trusted: verify, replay."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from commongarden.cli import options
from commongarden.cli.group import main
from commongarden.cli.options import as_json, cache_dir, print_json
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_, _, ngettext, translate

# what kinds of findings are called here; --json has the kinds themselves
KINDS = {
    "torn": N_("corrupt"),
    "missing": N_("missing"),
    "contradicts": N_("inconsistent"),
    "foreign": N_("unknown file"),
    "set aside": N_("moved aside"),
    "unchecked": N_("not checked"),
}


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
@as_json
def verify(directory: Path, as_json: bool) -> None:
    """Verify the checksums of a study, and that its files agree with each other.

    Nothing is changed. The exit code is 1 if a file is corrupt, missing or contradicts another one; `run` then
    moves that run aside and repeats it. Unknown files are listed and not read.
    """
    from commongarden.store import data_sets

    several = data_sets.members(directory)
    tables = [_verified(folder, as_json) for folder in (several.folders if several is not None else [directory])]
    if as_json:
        print_json(tables if several is not None else tables[0])
    if not all(table["is_whole"] for table in tables):
        sys.exit(1)


def _verified(directory: Path, as_json: bool) -> dict[str, Any]:
    """What is found in one study, printed unless it is for JSON."""
    import dataclasses

    from commongarden import store as stores
    from commongarden.stats import looks, raced

    found = stores.verify(stores.open_store(directory), {"racing.json": raced.read, "looks.json": looks.read})
    table = dataclasses.asdict(found) | {"is_whole": not found.wrong}
    if as_json:
        return table
    for one in found.found:
        message = _("{kind}: {path}: {why}")
        click.echo(message.format(kind=_(KINDS[one.kind]), path=one.path, why=translate(one.why)))
    runs = ngettext("{n} run", "{n} runs", found.n_runs).format(n=found.n_runs)
    files = ngettext("{n:,} file", "{n:,} files", found.n_files).format(n=found.n_files)
    text = (
        _("{directory}: {runs}, {files}, {size:,.1f} MB: problems found")
        if found.wrong
        else _("{directory}: {runs}, {files}, {size:,.1f} MB: OK")
    )
    click.echo(text.format(directory=directory, runs=runs, files=files, size=found.n_bytes / 1e6))
    return table


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@options.device(None, help="Device: auto, cpu, cuda, cuda:1, mps [that of the run].")
@cache_dir
@as_json
def replay(run: Path, device: str | None, cache_dir: Path | None, as_json: bool) -> None:
    """Re-run a stored RUN (DIR/runs/ARM/SEED) and check that it reproduces bit for bit.

    Nothing is written to the study. If the results differ, the exit code is 1, and the differences are listed with
    what has changed since: versions, machine, threads.
    """
    import dataclasses

    from commongarden.data import cache
    from commongarden.runner import replay as replaying

    found = replaying.replay(run, cache_dir or cache.default_folder(), device, lambda text: click.echo(text, err=True))
    if as_json:
        print_json(dataclasses.asdict(found) | {"is_equal": found.is_equal})
    else:
        for one in found.differences:
            click.echo(_differs(one.what, one.stored, one.again))
        for one in found.circumstances:
            click.echo(_("environment: {difference}").format(difference=_differs(one.what, one.stored, one.again)))
        text = (
            _("{arm}, seed {seed}: reproduced bit for bit (weights, history, probabilities, results)")
            if found.is_equal
            else _("{arm}, seed {seed}: not reproduced")
        )
        click.echo(text.format(arm=found.arm, seed=found.seed))
    if not found.is_equal:
        sys.exit(1)


def _differs(what: Coded, stored: Coded, again: Coded) -> str:
    if not stored:
        return _("{what}: {again}").format(what=translate(what), again=translate(again))
    text = _("{what}: stored {stored}, now {again}")
    return text.format(what=translate(what), stored=translate(stored), again=translate(again) or "-")
