"""The command that makes a study's folder smaller: clean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commongarden.cli import options
from commongarden.cli.group import main, option
from commongarden.cli.options import as_json, print_json
from commongarden.cli.reading import is_terminal
from commongarden.i18n.language import _, ngettext

if TYPE_CHECKING:
    from commongarden.store import Store
    from commongarden.store.cleaning import Part


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@option("--keep-best", is_flag=True, help="Keep the weights of the best model, which `predict STUDY` uses.")
@option("--dry-run", is_flag=True, help="Show what would be deleted, and delete nothing.")
@options.yes
@as_json
def clean(study: Path, keep_best: bool, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete the weights and checkpoints of a study, and corrupt files that were moved aside.

    Sizes are shown before anything is deleted. Results, predictions and figures stay: report, compare, best, explain,
    verify and replay work as before, and the study can be extended. predict, evaluate and export need weights. A
    stopped run without its checkpoint starts from its first epoch.
    """
    from commongarden import store as stores

    store = stores.open_store(study)
    if dry_run or not stores.cleaning.parts(store):
        best, parts = _found(store, keep_best)
        _show(store, best, parts, as_json=as_json, is_dry=True)
        return
    if not yes and not is_terminal():
        text = _("{command} asks before it deletes; without a terminal, accepted: --yes or --dry-run")
        raise click.UsageError(text.format(command="clean"))
    with stores.lock(store.root):
        best, parts = _found(store, keep_best)
        if not as_json:
            _show(store, best, parts, as_json=False, is_dry=False)
        if parts and not yes and not click.confirm(_question(parts), err=True):
            return
        for part in parts:
            stores.cleaning.delete(part)
    if as_json:
        _show(store, best, parts, as_json=True, is_dry=False)
    elif parts:
        click.echo(_("Deleted {size}.").format(size=_megabytes(sum(part.n_bytes for part in parts))))


def _found(store: Store, keep_best: bool) -> tuple[str | None, list[Part]]:
    """The model whose weights stay, and what can be deleted."""
    from commongarden.store import cleaning

    best = None
    if keep_best:
        from commongarden.inference.ensemble import best_arm

        best = best_arm(store)
    return best, cleaning.parts(store, best)


def _show(store: Store, best: str | None, parts: Sequence[Part], *, as_json: bool, is_dry: bool) -> None:
    from commongarden.store import cleaning

    freed = sum(part.n_bytes for part in parts)
    left = cleaning.size(store.root) - (freed if is_dry or not as_json else 0)
    if as_json:
        rows = [
            {"kind": part.kind, "path": part.path.relative_to(store.root).as_posix(), "bytes": part.n_bytes}
            for part in parts
        ]
        print_json({
            "study": str(store.root), "deleted": not is_dry, "parts": rows, "bytes": freed, "bytes_left": left,
            "kept_model": best,
        })  # fmt: skip
        return
    if not parts:
        click.echo(_("{folder}: nothing to delete").format(folder=store.root))
        return
    click.echo(_("{folder}: to be deleted").format(folder=store.root))
    for kind, said in _KINDS.items():
        mine = [part for part in parts if part.kind == kind]
        if mine:
            click.echo(f"  {said(len(mine))}: {_megabytes(sum(part.n_bytes for part in mine))}")
    kept = _("  kept: results, predictions and figures, {size}")
    if best is not None:
        kept = _("  kept: the weights of {model}, results, predictions and figures, {size}")
    click.echo(kept.format(model=best, size=_megabytes(left)))


_KINDS: dict[str, Callable[[int], str]] = {
    "weights": lambda n: ngettext("weights of {n} run", "weights of {n} runs", n).format(n=n),
    "checkpoint": lambda n: ngettext(
        "checkpoint of {n} stopped run, which then starts from its first epoch",
        "checkpoints of {n} stopped runs, which then start from their first epoch",
        n,
    ).format(n=n),
    "set aside": lambda n: ngettext(
        "{n} corrupt file or run that was moved aside", "{n} corrupt files or runs that were moved aside", n
    ).format(n=n),
}


def _question(parts: Sequence[Part]) -> str:
    return _("Delete {size}?").format(size=_megabytes(sum(part.n_bytes for part in parts)))


def _megabytes(n_bytes: int) -> str:
    return _("{size:,.1f} MB").format(size=n_bytes / 1e6)
