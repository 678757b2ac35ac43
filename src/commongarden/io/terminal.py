"""What is printed holds no control characters but those that lay out text: a name of a photo, a class or a study may
not move the cursor, set the title, write to the clipboard, or turn the direction of reading.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

# C0 and C1 controls but for tab and new line, marks of direction, the separators that some terminals take for new lines
_ACTIVE = "\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069"
ACTIVE = re.compile(f"[{_ACTIVE}]")
NOT_IN_NAMES = re.compile(f"[\t\n{_ACTIVE}]")


def harmless(text: str) -> str:
    """The text with every character that acts on a terminal written out.

    >>> harmless("a\\x1b[31mred")
    'a\\\\x1b[31mred'
    """
    return ACTIVE.sub(lambda found: repr(found[0])[1:-1], text)


class Guarded:
    """A stream of text that lets nothing through that acts on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        self.stream.write(harmless(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Standard output and standard error are guarded within."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(Guarded, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def console(*, stderr: bool = False) -> Console:
    """A console of rich on a guarded stream: its own colours pass, what the text holds does not."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class GuardedConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                if segment.control or not ACTIVE.search(segment.text):
                    yield segment
                else:
                    yield Segment(harmless(segment.text), segment.style)

    stream: Any = sys.stderr if stderr else sys.stdout
    return GuardedConsole(file=stream.stream if isinstance(stream, Guarded) else stream, markup=False, emoji=False)
