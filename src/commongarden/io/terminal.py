"""Everything that is printed passes here. It holds no control characters but those that lay out text: a name of a
photo, a class or a study may not move the cursor, set the title, write to the clipboard, or turn the direction of
reading. On a terminal, sentences are broken between words; what programs read (JSON, TOML, CSV, paths) is printed
`verbatim`.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

DASH = "\N{EN DASH}"  # of a figure that is not known
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


def columns(text: str) -> int:
    """How many columns of a terminal the text takes; a letter of Hangul takes two.

    >>> columns("plain"), columns("사진")
    (5, 4)
    """
    return sum(
        2 if unicodedata.east_asian_width(letter) in "WF" else not unicodedata.combining(letter) for letter in text
    )


def broken(line: str, width: int) -> str:
    """The line as several of at most so many columns, broken between words and indented alike. A longer word, such as
    a path, stays whole in a line of its own.

    >>> broken("  two words", 8)
    '  two\\n  words'
    """
    if columns(line) <= width:
        return line
    words = line.split()
    indent = line[: len(line) - len(line.lstrip())]
    lines, taken = [indent + words[0]], columns(indent + words[0])
    for word in words[1:]:
        if taken + 1 + columns(word) <= width:
            lines[-1] += f" {word}"
            taken += 1 + columns(word)
        else:
            lines.append(indent + word)
            taken = columns(lines[-1])
    return "\n".join(lines)


def width_of(stream: TextIO) -> int:
    """The columns of the terminal behind a stream; 0 where there is none."""
    if not stream.isatty():
        return 0
    wanted = os.environ.get("COLUMNS", "")
    try:
        return int(wanted) if wanted.isdecimal() else os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0


class Guarded:
    """A stream of text that lets nothing through that acts on a terminal, and breaks lines between words on one."""

    def __init__(self, stream: TextIO, *, breaks: bool = True) -> None:
        self.stream, self.breaks = stream, breaks

    def write(self, text: str) -> int:
        safe, width = harmless(text), width_of(self.stream) if self.breaks else 0
        if width and columns(safe) > width:
            safe = "\n".join(broken(line, width) if line.strip() else line for line in safe.split("\n"))
        self.stream.write(safe)
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


def as_it_is(*, stderr: bool = False) -> Guarded:
    """Standard output or standard error, of which no line is broken: for what programs read, or people copy."""
    stream = sys.stderr if stderr else sys.stdout
    return Guarded(stream.stream if isinstance(stream, Guarded) else stream, breaks=False)


def verbatim(text: str, *, stderr: bool = False) -> None:
    """Prints the text in lines as they are, whatever the width."""
    stream = as_it_is(stderr=stderr)
    stream.write(text if text.endswith("\n") else f"{text}\n")
    stream.flush()


def console(*, stderr: bool = False) -> Console:
    """A console of rich on a guarded stream: its own colours pass, what the text holds does not."""
    from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class GuardedConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                if segment.control or not ACTIVE.search(segment.text):
                    yield segment
                else:
                    yield Segment(harmless(segment.text), segment.style)

    stream: Any = sys.stderr if stderr else sys.stdout
    stream = stream.stream if isinstance(stream, Guarded) else stream
    made = GuardedConsole(file=stream, markup=False, emoji=False)
    if made.is_dumb_terminal and (width := width_of(stream)):
        made.size = ConsoleDimensions(width, made.height)  # rich takes every dumb terminal for one of 80 columns
    return made
