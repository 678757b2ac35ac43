"""Galleries of photos for paper: one SVG with the images in it and their captions below them."""

from __future__ import annotations

import base64
import html
import io
import unicodedata
from collections.abc import Iterator, Sequence

from commongarden.report.charts import figures
from commongarden.report.document import Bitmap, Gallery, Styled

WIDTH = figures.WIDTH
COLUMNS = {"photos": 8, "disputed": 6, "kernels": 2}  # of images in a row; others have six
GAP, LETTER, LINE = 10, 5.6, 13  # pixels
INK, SOFT, TINT = "#1b1e23", "#5b626b", "#f5f5f1"


def drawn(gallery: Gallery) -> str:
    """The gallery as SVG; the images of a group stand side by side."""
    n = COLUMNS.get(gallery.kind, 6)
    rows = _rows([one for shown, _said, _warns in gallery.groups for one in shown], n)
    cell = (WIDTH - GAP * (n - 1)) / n
    parts, top = [], 0.0
    for row in rows:
        captions = [_lines(one.caption, cell) for one in row]
        heights = [_height(one, cell) for one in row]
        for i, (one, lines) in enumerate(zip(row, captions, strict=True)):
            left = i * (cell + GAP)
            parts.append(_image(one, left, top, cell, heights[i]))
            for j, (text, role) in enumerate(lines):
                parts.append(_text(text, role, left, top + max(heights) + LINE * (j + 1)))
        top += max(heights) + LINE * max(map(len, captions)) + 18
    fonts, inner = html.escape(figures.FONT), "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top:.0f}" viewBox="0 0 {WIDTH} {top:.0f}" '
        f'font-family="{fonts}" font-size="10.5"><rect width="100%" height="100%" fill="#ffffff"/>{inner}</svg>'
    )


def said(gallery: Gallery) -> str:
    """The gallery in words."""
    shown = [one for group, _said, _warns in gallery.groups for one in group]
    return "; ".join(" ".join(filter(None, (one.name, *(span.text.strip() for span in one.caption)))) for one in shown)


def _rows(shown: Sequence[Bitmap], n: int) -> list[Sequence[Bitmap]]:
    return [shown[i : i + n] for i in range(0, len(shown), n)]


def _height(one: Bitmap, width: float) -> float:
    if one.is_photo or not one.image:
        return width
    from PIL import Image

    with Image.open(io.BytesIO(one.image)) as opened:
        return width * opened.height / opened.width


def _image(one: Bitmap, left: float, top: float, width: float, height: float) -> str:
    place = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"'
    if not one.image:
        return f'<rect {place} fill="{TINT}"/>' + _text(one.missing, "soft", left + 6, top + height / 2)
    kind = "png" if one.image.startswith(b"\x89PNG") else "jpeg"
    data = base64.b64encode(one.image).decode()
    looks = "" if one.is_photo else ' image-rendering="pixelated"'
    return f'<image {place} preserveAspectRatio="xMidYMid slice"{looks} href="data:image/{kind};base64,{data}"/>'


def _text(text: str, role: str, left: float, base: float) -> str:
    look = ' font-weight="bold"' if role == "strong" else f' fill="{SOFT}"' if role == "soft" else f' fill="{INK}"'
    return f'<text x="{left:.1f}" y="{base:.1f}"{look}>{html.escape(_printable(text))}</text>'


def _printable(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())


def _lines(caption: Sequence[Styled], width: float) -> list[tuple[str, str]]:
    """The caption in lines that fit, each with its role: a change of role begins a line."""
    return [(line, span.role) for span in caption for line in _wrapped(span, width)]


def _wrapped(span: Styled, width: float) -> Iterator[str]:
    text = f"✗ {span.text}" if span.role == "wrong" else span.text
    most, line = max(int(width / LETTER), 4), ""
    for word in text.split():
        if line and _length(f"{line} {word}") > most:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
        while _length(line) > most:  # a name longer than its image is wide
            cut = next(i for i in range(len(line), 0, -1) if _length(line[:i]) <= most)
            yield line[:cut]
            line = line[cut:]
    if line:
        yield line


def _length(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
