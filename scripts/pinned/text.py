"""Pages, written reports and arrays as text that a line-by-line comparison reads."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import docx
import numpy as np
from docx.table import Table

from pinned.rules import json_in

UNSHOWN = {"script", "style", "template"}
INLINE = {
    "a", "abbr", "b", "bdi", "br", "cite", "code", "em", "i", "kbd", "mark", "q", "s", "small", "span", "strong", "sub",
    "sup", "time", "tspan", "u", "var", "wbr",
}  # fmt: skip
ATTRIBUTES = ("alt", "title", "aria-label", "placeholder", "value", "href", "lang")
SHORT = 64  # elements of an array that are written out


class _Page(HTMLParser):
    """What a reader gets of a page: a line for each block, the cells of a table's row on one line."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self.parts: list[str] = []
        self.data: dict[str, str] = {}
        self.markup: list[str] = []
        self.unshown = ""
        self.name = ""
        self.in_cell = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.markup.append(self.get_starttag_text() or "")
        known = dict(attributes)
        if tag in UNSHOWN:
            self.unshown, self.name = tag, known.get("id") or "" if known.get("type") == "application/json" else ""
        elif tag in ("td", "th"):
            self.in_cell = True
            self.parts.append(" | ")
        elif tag == "br":
            self.parts.append(" ")
        elif tag not in INLINE:
            self._end()
        found = [f"{key}={known[key]}" for key in ATTRIBUTES if known.get(key)]
        if found:
            self.parts.append(f" [{', '.join(found)}] ")

    def handle_endtag(self, tag: str) -> None:
        self.markup.append(f"</{tag}>")
        if tag == self.unshown:
            self.unshown = self.name = ""
        elif tag in ("td", "th"):
            self.in_cell = False
        elif tag not in INLINE:
            self._end()

    def handle_data(self, text: str) -> None:
        if not self.unshown:
            self.parts.append(text)
            self.markup.append(text)
        elif self.name:
            self.data[self.name] = self.data.get(self.name, "") + text
        else:
            self.markup.append(f"{self.unshown} {_digest(text.encode())}\n")

    def _end(self) -> None:
        if self.in_cell:
            self.parts.append(" ")
            return
        line = re.sub(r"\s+", " ", "".join(self.parts)).strip()
        if line:
            self.lines.append(line)
        self.parts = []


def page(path: Path) -> tuple[str, str, str]:
    """The visible text of a page, the data of its charts, and its markup without the scripts."""
    parser = _Page()
    parser.feed(path.read_text(encoding="utf-8"))
    parser.close()
    parser._end()
    charts = {name: json.loads(text) for name, text in parser.data.items()}
    return "\n".join(parser.lines) + "\n", numbered(pretty(charts)), "".join(parser.markup)


def numbered(charts: str) -> str:
    """The charts with their data sets, which are named by their content, named by the order in which they are drawn."""
    names = dict.fromkeys(re.findall(r'"name": "(data-[0-9a-f]{32})"', charts))
    for number, name in enumerate(names):
        charts = charts.replace(name, f"data-{number:03}")
    return pretty(json.loads(charts))


def pretty(table: object) -> str:
    """JSON with sorted keys, a value on each line."""
    return json.dumps(table, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def document(path: Path) -> str:
    """The text of a docx in its order, with styles, tables, alternative texts, and the digests of its pictures."""
    found = docx.Document(str(path))
    properties = found.core_properties
    lines = [f"{name}: {getattr(properties, name)}" for name in ("title", "author", "subject", "keywords", "language")]
    for section in found.sections:
        for kind, block in (("header", section.header), ("footer", section.footer)):
            lines += [f"{kind}: {paragraph.text}" for paragraph in block.paragraphs]
    for block in found.iter_inner_content():
        if isinstance(block, Table):
            lines += [
                "table: " + " | ".join(cell.text.replace("\n", " / ") for cell in row.cells) for row in block.rows
            ]
        else:
            lines.append(f"{block.style.name}: {block.text}")
        for drawn in block._element.iter(
            "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}docPr"
        ):
            lines.append(f"picture: {drawn.get('title')} | {drawn.get('descr')}")
    with zipfile.ZipFile(path) as archive:
        media = [name for name in archive.namelist() if "/media/" in name]
        lines += [f"{name}: {_digest(archive.read(name))}" for name in sorted(media)]
    return "\n".join(lines) + "\n"


def arrays(path: Path, unpinned: tuple[str, ...], as_written: bool) -> str:
    """Type, shape and digest of each array of an .npz; short ones and JSON are written out.

    unpinned: arrays that cannot repeat. as_written: whether the file's own digest is there as well.
    """
    lines = [f"file: {_digest(path.read_bytes())}"] if as_written and not unpinned else []
    with np.load(path, allow_pickle=False) as archive:
        for name in archive.files:
            array = archive[name]
            table = json_in(array)
            if name in unpinned:
                lines.append(f"{name}: {array.dtype} {array.shape} not pinned")
                continue
            if table is not None:
                lines.append(f"{name}: {pretty(json.loads(table))}".rstrip())
                continue
            lines.append(f"{name}: {array.dtype} {array.shape} {_digest(np.ascontiguousarray(array).tobytes())}")
            if array.size <= SHORT and array.dtype.kind == "f":
                lines.append(f"  {array.tolist()!r}")
    return "\n".join(lines) + "\n"


def weights(path: Path) -> str:
    """Digest of a file of weights, and its header."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return f"file: {_digest(data)}\n{pretty(json.loads(data[8 : 8 + length]))}"


def picture(path: Path) -> str:
    """Digest and size of a picture's file."""
    return f"{_digest(path.read_bytes())} {path.stat().st_size}\n"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def checksums(folder: Path) -> list[str]:
    """The files of a folder's list. Raises ValueError where a digest is not that of its file."""
    lines = (folder / "checksums.sha256").read_text().splitlines()
    body = "".join(line + "\n" for line in lines[:-1])
    if lines[-1] != f"# {_digest(body.encode())}":
        raise ValueError(f"{folder}: the list's own digest is wrong")
    names = []
    for line in lines[:-1]:
        value, _spaces, name = line.partition("  ")
        if _digest((folder / name).read_bytes()) != value:
            raise ValueError(f"{folder / name}: is not what its checksum says")
        names.append(name)
    return names


def write_checksums(folder: Path, names: list[str]) -> None:
    """The list with the digests of the files as they are now."""
    body = "".join(f"{_digest((folder / name).read_bytes())}  {name}\n" for name in names)
    (folder / "checksums.sha256").write_text(f"{body}# {_digest(body.encode())}\n")


def shown(path: Path) -> str:
    """Any text file as it is."""
    return io.StringIO(path.read_text(encoding="utf-8"), newline=None).read()
