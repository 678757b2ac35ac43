"""Commands on a study that another process works on: stop, drop."""

from __future__ import annotations

from pathlib import Path

import click

from commongarden.cli.group import main, option
from commongarden.i18n.language import _


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
@option("--after-epoch", is_flag=True, help="Let each run finish its epoch, so that no training is repeated.")
def stop(directory: Path, after_epoch: bool) -> None:
    """Stop a study that runs, as Ctrl-C in its terminal does.

    Finished epochs are saved; repeat the study's command to resume. With --after-epoch, the study may run on another
    computer that has the folder mounted.
    """
    from commongarden.runner import steering

    steering.stop(directory, after_epoch=after_epoch)
    said = _("The study stops when each run has finished its epoch.") if after_epoch else _("The study stops.")
    click.echo(said)


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.argument("model")
@option("--undo", is_flag=True, help="Train the model again.")
def drop(directory: Path, model: str, undo: bool) -> None:
    """Train no more runs of a model, also while the study runs.

    Finished runs stay, and the report says that a person dropped the model. A run under way is stopped.
    """
    from commongarden.runner import steering

    is_under_way = steering.drop(directory, model, undo=undo)
    said = (_("{arm} gets runs again.") if undo else _("{arm} gets no more runs.")).format(arm=model)
    if not is_under_way:
        said += " " + _("No process works on the study; this holds from the next `commongarden run` on.")
    click.echo(said)
