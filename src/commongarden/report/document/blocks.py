"""A written report as data: sections of paragraphs, tables, figures and logs, for whatever writes it into a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Paragraph:
    """Plain text; what looks like markup in it is text. leads: it introduces the block that follows."""

    text: str
    leads: bool = False


@dataclass(frozen=True)
class Bullets:
    """Short items of one kind."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """caption: what it shows, without a number. header, rows: cells as text, lines in a cell parted by "\\n".

    n_left: how many columns, from the first, hold words and stand to the left; the others hold numbers.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_left: int = 1


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
class Log:
    """Lines as a program printed them."""

    lines: tuple[str, ...]


Block = Paragraph | Bullets | Table | Figure | Log


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it. numbered: whether the heading gets its number."""

    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()
    numbered: bool = True


@dataclass(frozen=True)
class Document:
    """A whole report. language: "en", "ko"... of its text. about: one line below the title."""

    title: str
    about: str
    language: str
    sections: tuple[Section, ...]


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
