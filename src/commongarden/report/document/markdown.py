"""A written report as Markdown (CommonMark with GitHub's tables), its figures as SVG files beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from commongarden.i18n.language import _
from commongarden.report.document import Block, Bullets, Document, Figure, Log, Paragraph, Table, numbered

MARKUP = re.compile(r"([\\`*_{}\[\]<>|~$])")
ENTITY = re.compile(r"&(?=#?\w+;)")
AT_START = re.compile(r"^([-+]|#{1,6}|\d{1,9}(?=[.)]))(?=[.)]?(\s|$)|-)")  # of a list, a heading, a rule


def to_markdown(document: Document, folder: str) -> tuple[str, dict[str, str]]:
    """The text, and its figures as {file name: SVG}, which it expects in `folder` beside it."""
    svgs: dict[str, str] = {}
    n_tables = 0
    parts = [_heading(1, document.title), text(document.about)]
    parts += [text(f"{what}: {value}") for what, value in document.cover]
    for level, title, section in numbered(document):
        parts.append(_heading(level + 1, title))
        for block in section.blocks:
            if isinstance(block, Figure):
                name = f"figure-{len(svgs) + 1}.svg"
                svgs[name] = block.svg
                caption = _("Figure {n}. {caption}").format(n=len(svgs), caption=block.caption)
                parts += [f"![{text(block.description)}]({folder}/{name})", text(caption)]
            elif isinstance(block, Table):
                n_tables += 1
                caption = _("Table {n}. {caption}").format(n=n_tables, caption=block.caption)
                parts += [text(caption), table(block)]
            else:
                parts.append("\n".join(_lines(block)))
    return "\n\n".join(parts) + "\n", svgs


def table(block: Table) -> str:
    """A table, its words to the left and its numbers to the right."""
    rules = ["---" if i < block.n_left else "---:" for i in range(len(block.header))]
    rows = [[_cell(value) for value in row] for row in block.texts]
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], rules, *rows[1:]])


def text(plain: str) -> str:
    """Text in one line that is read as itself, whatever markup it looks like.

    >>> text("a|b <i> *x* #1"), text("1. first"), text("AT&amp;T")
    ('a\\\\|b \\\\<i\\\\> \\\\*x\\\\* #1', '1\\\\. first', 'AT&amp;amp;T')
    """
    escaped = _inline(plain)
    if start := AT_START.match(escaped):
        at = 0 if escaped[0] in "-+#" else start.end()  # a number is escaped at the sign that follows it
        return f"{escaped[:at]}\\{escaped[at:]}"
    return escaped


def _inline(plain: str) -> str:
    return ENTITY.sub("&amp;", MARKUP.sub(r"\\\1", " ".join(plain.split())))


def _heading(level: int, plain: str) -> str:
    escaped = _inline(plain)
    return f"{'#' * level} " + (f"{escaped[:-1]}\\#" if escaped.endswith("#") else escaped)


def _cell(value: str) -> str:
    return "<br>".join(text(line) for line in value.split("\n"))


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Paragraph():
            yield text(block.text)
        case Bullets(texts=items):
            yield from (f"- {text(item)}" for item in items)
        case Log(lines=lines, language=language):
            longest = max((len(found) for line in lines for found in re.findall(r"`+", line)), default=0)
            fence = "`" * max(3, longest + 1)
            yield from (f"{fence}{language}", *(line.replace("\n", " ") for line in lines), fence)
