"""Looks for new lines of a study's events.jsonl, as long as somebody is connected, and wakes those who wait for them.

One look at the file system twice a second serves all clients. A client that is slow misses nothing and holds nothing
up: each asks for what is new since its own last answer.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from commongarden.errors import CommonGardenError
from commongarden.i18n.language import written
from commongarden.records import decision
from commongarden.records.event_log import Ended, EpochEnded, RunEnded, Started, Stepped
from commongarden.store import Store
from commongarden.view.curve_rows import Row, drawn, rows, rows_of
from commongarden.view.studies import Followed, file_stamp

if TYPE_CHECKING:
    from commongarden.stats.raced import Raced

LOOK = 1.0  # seconds between two looks
STEPS = 2.0  # seconds between two messages of which nothing but the steps of runs is new
STATE = 5.0  # seconds between two looks at whether the process still works


def message(event: str, data: dict[str, Any]) -> bytes:
    """A server-sent event."""
    return f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False, allow_nan=False)}\n\n".encode()


class Watch:
    """What is new in one study, of which nobody else reads what is new. Raises CommonGardenError.

    version: rises with each change. generation: rises where the curves begin again; rows: of this generation.
    n_reports: rises where the report would be another one. steers: whether the page may stop and extend the study.
    """

    def __init__(self, followed: Followed, *, steers: bool = False) -> None:
        self.followed, self.steers = followed, steers
        self.version = self.generation = self.n_reports = 0
        self.counted = followed.counted()
        self.rows: list[Row] = rows(followed.progress)
        self._waiting: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None
        self._looked = self._stepped = time.monotonic()
        self._has_steps = False  # that no message has told of
        self._said: dict[str, tuple[int, bytes]] = {}
        self._can: tuple[object, tuple[Sequence[str], list[str]]] | None = None
        self._raced: tuple[tuple[int, int], Raced | None] = ((0, 0), None)
        self._rows_said: tuple[tuple[int | None, int, int], bytes] | None = None
        self._saying = threading.Lock()

    @property
    def arms(self) -> list[str]:
        """In the order of their colours."""
        return self.followed.arms

    @property
    def is_attended(self) -> bool:
        """Whether somebody waits for news."""
        return bool(self._waiting)

    @property
    def longest(self) -> int:
        """The most epochs of a run, which the curves have room for."""
        progress = self.followed.progress
        made = drawn(progress).values()
        return max((*progress.epochs_of.values(), *map(len, made)), default=1)

    def new_rows(self, n: int | None) -> bytes:
        """The rows behind the first n, as the message for all who have these; all rows where n is None."""
        key = n, self.generation, len(self.rows)
        if self._rows_said is None or self._rows_said[0] != key:
            said = {"rows": self.rows[n or 0 :], "reset": n is None, "epochs": self.longest}
            self._rows_said = key, message("rows", said)
        return self._rows_said[1]

    def known(self, language: str) -> bytes | None:
        """What `said` gives, where it was written already."""
        version, text = self._said.get(language, (-1, b""))
        return text if version == self.version else None

    def said(self, language: str) -> bytes:
        """Its state now, as the message for all who read it in this language; written once for them."""
        with self._saying:
            if self.known(language) is None:
                from commongarden.report.document import html  # loads what takes a second
                from commongarden.view import live_page

                version, now = self.version, time.time()
                with written(language):
                    blocks = live_page.blocks(self.followed.progress, self.counted, now, self._race())
                    said: dict[str, Any] = {"html": html.to_fragment(blocks, self.arms), "state": self.counted.state}
                    if self.steers:
                        said["actions"], said["arms"] = self._possible()
                    self._said[language] = version, message("live", said)
            return self._said[language][1]

    def _possible(self) -> tuple[list[str], list[str]]:
        """What can be done with the study, and the models that can be dropped; found again where something changed."""
        from commongarden.view import steering

        key = self.counted, file_stamp(self.followed.folder / decision.FILE)
        if self._can is None or self._can[0] != key:
            self._can = key, steering.possible(self.followed.folder)
        return [*self._can[1][0]], self._can[1][1]

    def _race(self) -> Raced | None:
        """How the race stands that decides on the runs; None where none does, or its file is being replaced."""
        from commongarden.stats import raced

        stamp = file_stamp(self.followed.folder / raced.KIND.name)
        if self._raced[0] != stamp:
            with suppress(CommonGardenError):
                self._raced = stamp, raced.read(Store(self.followed.folder))
        return self._raced[1]

    @contextmanager
    def attended(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever something changed. The study is looked at while there is at least one."""
        wake = asyncio.Event()
        self._waiting.add(wake)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow())
        try:
            yield wake
        finally:
            self._waiting.discard(wake)
            if not self._waiting:
                self._task.cancel()
                self._task = None

    def look(self) -> bool:
        """Takes in what is new; whether there was something."""
        progress = self.followed.progress
        was_tuning = not progress.epochs and bool(progress.tuning)
        lines = self.followed.follow()
        is_due = time.monotonic() - self._looked > STATE
        if not lines and not is_due and not self._has_steps:
            return False
        before = self.counted
        if is_due or any(isinstance(line, (RunEnded, Ended, Started)) for line in lines) or before.state != "running":
            self._looked, self.counted = time.monotonic(), self.followed.counted()
        begins_again = self.followed.progress is not progress
        for line in lines:
            is_drawn = isinstance(line, EpochEnded | Started) and line.run in drawn(self.followed.progress)
            if isinstance(line, EpochEnded) and is_drawn:
                self.rows += rows_of(line.run, [line.epoch])
            begins_again |= isinstance(line, Started) and (bool(line.epochs) or (is_drawn and was_tuning))
        if begins_again:
            self.generation += 1
            self.rows = rows(self.followed.progress)
        if (self.counted.n_made, self.counted.n_planned) != (before.n_made, before.n_planned) or any(
            isinstance(line, Ended) for line in lines
        ):
            self.n_reports += 1
        self._has_steps |= any(isinstance(line, Stepped) for line in lines)
        is_silent = self.counted.state == "running" and time.time() - progress.now > STATE
        is_new = self.counted != before or is_silent or any(not isinstance(line, Stepped) for line in lines)
        if is_new or (self._has_steps and time.monotonic() - self._stepped > STEPS):
            self._stepped, self._has_steps = time.monotonic(), False
            self.version += 1
            return True
        return False

    async def _follow(self) -> None:
        while True:
            with suppress(OSError, CommonGardenError):  # files that are just being replaced; the next look sees them
                if self.look():
                    for wake in self._waiting:
                        wake.set()
            await asyncio.sleep(LOOK)
