"""The page of a study beside its run: `run --view`."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from commongarden.errors import StudyError
from commongarden.i18n.language import _
from commongarden.runner import processes
from commongarden.runner.observers import Observer
from commongarden.study import Study


class RunPage(Observer):
    """Serves a study's page in a process of its own, from the moment that the study's folder is there. That process
    ends with this one, and not by Ctrl-C in their terminal, which stops the runs. ready: is given the address."""

    name = "view"

    def __init__(self, ready: Callable[[str], None]) -> None:
        self.address = ""  # once it is served
        self._ready = ready
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    def begin_study(self, study: Study, folder: Path) -> None:
        self._process, self._connection = processes.start(_serve, folder, has_children=True)
        try:
            self.address = self._connection.recv()
        except EOFError:
            raise StudyError(_("the process that serves the page ended")) from None
        self._ready(self.address)

    def wait(self) -> None:
        """Keeps the page open until Ctrl-C."""
        try:
            if self._process is not None:
                self._process.join()
        except KeyboardInterrupt:
            self.end_page()

    def end_page(self) -> None:
        """Ends the process that serves the page, if there is one."""
        if self._process is None or self._connection is None:
            return
        self._connection.close()
        self._process.join(timeout=5)
        self._process.kill()
        self._process = self._connection = None


def _serve(connection: Connection, folder: Path, begun: tuple[dict[str, str], str]) -> None:
    processes.begin(*begun)
    from commongarden.view import serving  # needs the extra

    serving.serve_beside(folder, connection)
