"""A report as data: sections of paragraphs, tables, charts, figures and logs, for whatever writes it into a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Paragraph:
    """Plain text; what looks like markup in it is text. leads: it introduces the block that follows.

    For the page, role: "soft", "notice", "note", "headline", or "noscript" for readers without scripts; arm: whose
    colour stands before it.
    """

    text: str
    leads: bool = False
    role: str = ""
    arm: str = ""


@dataclass(frozen=True)
class Styled:
    """Some words of a line. role: "strong", "soft", "code", "whole" (in one line), "wrong", or "break" of the line.

    arm: whose colour stands before them.
    """

    text: str
    role: str = ""
    arm: str = ""


@dataclass(frozen=True)
class StyledLine:
    """A paragraph of words that the page sets differently."""

    spans: tuple[Styled, ...]
    role: str = ""


@dataclass(frozen=True)
class Answer:
    """What a contrast allows one to say, and what stands beside it. arm: the better one, where that is established."""

    text: str
    beside: str
    arm: str = ""


@dataclass(frozen=True)
class Answers:
    """Verdicts, the page with what stands beside them."""

    items: tuple[Answer, ...]


@dataclass(frozen=True)
class Heading:
    """A heading within a section. On paper it is a line that introduces what follows. level: of the page's heading."""

    text: str
    arm: str = ""
    level: int = 3


@dataclass(frozen=True)
class Bullets:
    """Short items of one kind; an item in two parts is a name and what is said of it.

    For the page, kind: of the list; most: how many are shown at once; more: what unfolds the others; closing: an
    emphasized sentence that ends the last item, on paper a paragraph of its own.
    """

    items: tuple[str | tuple[str, str], ...]
    kind: str = "plain"
    most: int = 0
    more: str = ""
    closing: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """The items as text."""
        return tuple(item if isinstance(item, str) else ": ".join(filter(None, item)) for item in self.items)


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, what continues it (on paper in a line of its own), what stands below it in small.

    In a header, `below` is a unit. arm: whose colour stands before it.
    """

    text: str
    below: str | tuple[str, ...] = ""
    beside: str = ""
    arm: str = ""

    @property
    def smaller(self) -> tuple[str, ...]:
        """The lines below."""
        return tuple(filter(None, (self.below,) if isinstance(self.below, str) else self.below))

    @property
    def lines(self) -> str:
        """The whole cell, in lines."""
        return "\n".join(filter(None, (self.text, self.beside, *self.smaller)))


@dataclass(frozen=True)
class Table:
    """caption: what it shows, without a number. header, rows: cells as text, lines in a cell parted by "\\n", or Cells.

    n_left: how many columns, from the first, hold words and stand to the left; the others hold numbers.
    For the page, name: of the region that scrolls, where it is not the caption; what of the caption is not in the name
    stands below the table. kind: "wide", "left" where numbers stand to the left too, "terms" for a list of definitions.
    row_kinds: "line" or "declared" for each row.
    """

    caption: str
    header: tuple[str | Cell, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    n_left: int = 1
    name: str = ""
    kind: str = ""
    row_kinds: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """Header and rows as text, lines in a cell parted by "\\n"."""
        return tuple(map(_header, self.header)), *(tuple(map(_cell, row)) for row in self.rows)

    @property
    def region(self) -> str:
        """Its name on the page."""
        return self.name or self.caption.removesuffix(".")

    @property
    def remark(self) -> str:
        """What stands below it on the page."""
        return self.caption.removeprefix(self.region).removeprefix(".").strip()


def _header(cell: str | Cell) -> str:
    return cell if isinstance(cell, str) else "\n".join([cell.text, *(f"({unit})" for unit in cell.smaller)])


def _cell(cell: str | Cell) -> str:
    return cell if isinstance(cell, str) else cell.lines


@dataclass(frozen=True)
class Figure:
    """svg: a document that stands by itself, for light paper. description: what it shows, for those who hear it.

    width: of the text's width, up to 1.
    """

    caption: str
    svg: str
    description: str
    width: float = 1.0


@dataclass(frozen=True)
class Chart:
    """A chart. name: of its place on the page. spec: Vega-Lite. description: what it shows, for those who hear it."""

    name: str
    spec: dict[str, Any]
    description: str


@dataclass(frozen=True)
class Plot:
    """Charts under one caption: interactive on the page, on paper a figure.

    lines: they have a line an arm, and on paper a legend. below: the page has them side by side and the caption below
    all. more: charts for the page alone.
    """

    caption: str
    charts: tuple[Chart, ...]
    lines: bool = False
    below: bool = False
    more: tuple[Chart, ...] = ()


@dataclass(frozen=True)
class Keys:
    """What the colours of a plot's points stand for: (name, colour). The page alone shows them."""

    names: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Bitmap:
    """An image made of pixels: its bytes, None or empty where it is not stored. name: what it shows, a photo's path.

    missing: said in its place.
    """

    image: bytes | None
    name: str
    caption: tuple[Styled, ...] = ()
    missing: str = ""
    is_photo: bool = True


@dataclass(frozen=True)
class Gallery:
    """Pictures in groups: (pictures, what is said of the group, whether it warns). caption: on paper, of the figure."""

    groups: tuple[tuple[tuple[Bitmap, ...], str, bool], ...]
    kind: str
    caption: str = ""


@dataclass(frozen=True)
class Log:
    """Lines as a program printed them. name: of the region that scrolls on the page. language: of a program's own
    lines, for Markdown."""

    lines: tuple[str, ...]
    name: str = ""
    language: str = ""


@dataclass(frozen=True)
class Commands:
    """Commands to type: (what one does, the command). The page alone shows them."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SideBySide:
    """Blocks side by side on the page; on paper one below the other. width: of alike columns, in pixels."""

    parts: tuple[tuple[Block, ...], ...]
    kind: str = "pair"
    width: int = 0


@dataclass(frozen=True)
class Fold:
    """Blocks that the page shows when its summary is pressed. arm: whose colour stands before that."""

    summary: str
    blocks: tuple[Block, ...]
    arm: str = ""
    open: bool = False


@dataclass(frozen=True)
class Legend:
    """The arms with their colours; on the page one can be brought forward in all charts with lines."""


@dataclass(frozen=True)
class Only:
    """Blocks for the page alone, or for paper alone."""

    where: Literal["page", "paper"]
    blocks: tuple[Block, ...]


Block = (
    Paragraph
    | StyledLine
    | Answers
    | Heading
    | Bullets
    | Table
    | Figure
    | Plot
    | Keys
    | Gallery
    | Log
    | Commands
    | SideBySide
    | Fold
    | Legend
    | Only
)  # those for paper know what `paper.section` leaves: Paragraph, Bullets, Table, Figure, Log


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it. numbered: whether the heading gets its number.

    For the page, anchor: its name there; arm: whose colour stands before the heading; folded: shown when its heading
    is pressed.
    """

    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()
    numbered: bool = True
    anchor: str = ""
    arm: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Cover:
    """What stands on the title page besides what the study says; nothing of it by default.

    title: in place of the study's name. author, number, date: as their owner writes them.
    """

    title: str = ""
    author: str = ""
    number: str = ""
    date: str = ""


@dataclass(frozen=True)
class Document:
    """A whole report. language: "en", "ko"... of its text. about: one line below the title; opening: what the page has
    in its place. cover: (what, value) of each line of the title page; without one there is no such page."""

    title: str
    about: str
    language: str
    sections: tuple[Section, ...]
    opening: tuple[Block, ...] = ()
    cover: tuple[tuple[str, str], ...] = ()
    author: str = ""


def numbered(document: Document) -> Iterator[tuple[int, str, Section]]:
    """Every section in its order: (level from 1, its heading with its number, the section)."""
    yield from _numbered(document.sections, 1, "")


def _numbered(sections: tuple[Section, ...], level: int, prefix: str) -> Iterator[tuple[int, str, Section]]:
    n = 0
    for section in sections:
        n += section.numbered
        number = f"{prefix}{n}."
        yield level, f"{number} {section.title}" if section.numbered else section.title, section
        yield from _numbered(section.sections, level + 1, number)
