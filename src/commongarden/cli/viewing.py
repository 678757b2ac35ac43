"""The command that shows studies in the browser: view."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commongarden.cli import options
from commongarden.cli.group import main, option
from commongarden.errors import StoreError, StudyError
from commongarden.i18n.language import _
from commongarden.io import terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from commongarden.view.run_page import RunPage


@main.command()
@click.argument("folder", metavar="[FOLDER|STUDY]", required=False, type=click.Path(path_type=Path))
@option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Any but 127.0.0.1 can be reached from other computers, with the token of the printed "
    "address.",
)
@option("--port", type=click.IntRange(0, 65535), help="Port to listen on [8321, or the next free one].")
@option(
    "--images",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Folder of the images, if it is not where the study says.",
)
@option("--steer", is_flag=True, help="Let the page stop, resume and extend studies; its address has a token.")
@options.open_it
def view(folder: Path | None, host: str, port: int | None, images: Path | None, steer: bool, open_it: bool) -> None:
    """Show studies in the browser, also while they run.

    FOLDER is a folder of studies [garden], STUDY that of one study. The page works offline, and changes nothing without
    --steer. Ctrl-C ends it; the studies go on.
    """
    from commongarden.store.places import USUAL

    chosen = folder or Path(USUAL)
    if not chosen.is_dir():
        accepted = _("a folder of studies, or the folder of one study")
        raise StoreError(_("{path}: no such folder; accepted: {accepted}").format(path=chosen, accepted=accepted))
    need_extra()
    from commongarden.view import serving

    def ready(address: str) -> None:
        terminal.verbatim(address)
        click.echo(_("Ctrl-C ends the page; studies that run go on."), err=True)
        if open_it:
            click.launch(address)

    serving.serve(chosen, host, port, ready, images, steers=steer)


def need_extra() -> None:
    """Raises StudyError where the packages of the page are not installed."""
    try:
        import commongarden.view.serving  # noqa: F401
    except ModuleNotFoundError as error:
        text = _("view needs {name}; install it: pip install 'commongarden[view]'")
        raise StudyError(text.format(name=error.name or "starlette")) from None


def run_page(note: Callable[[str], None]) -> RunPage:
    """The page of a study that runs, which says its address and opens where a person sits before a desktop. Raises
    StudyError."""
    need_extra()
    from commongarden.view.run_page import RunPage

    def ready(address: str) -> None:
        note(_("live page: {address}").format(address=address))
        if _has_desktop():
            click.launch(address)

    return RunPage(ready)


def keep_open(page: RunPage) -> None:
    """After the runs: the page stays until Ctrl-C where a person is there to press it; otherwise it ends."""
    if page.address and sys.stdin.isatty() and sys.stderr.isatty():
        click.echo(_("The page stays open: {address}. Ctrl-C ends it.").format(address=page.address), err=True)
        page.wait()
    page.end_page()


def _has_desktop() -> bool:
    """Whether a browser that is opened here is before the person who typed the command."""
    if not sys.stderr.isatty() or "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
