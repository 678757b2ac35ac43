"""A report as one self-contained HTML page, which opens offline and asks nobody for anything."""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from commongarden.report.charts import colour, dash
from commongarden.report.document import scripts
from commongarden.report.document.blocks import Block, Chart, Document, Fold, Only, Plot, SideBySide
from commongarden.report.wording.labels import TEXT


@dataclass(frozen=True)
class Parts:
    """A document as a part of a page: its elements, and the charts to draw in them, by the id of their place."""

    body: str
    specs: Mapping[str, Mapping[str, Any]]


def to_html(document: Document, arms: Sequence[str], footer: str = "") -> str:
    """The page as text. arms: in the order of their colours."""
    specs = _specs(document)
    return (
        environment()
        .get_template("page.html")
        .render(
            **_context(document, arms, footer),
            is_page=True,
            css=Markup(source("page.css")),
            folds=Markup(source("folds.js")),
            drawing=Markup(source("draw.js")),
            bundle=Markup(scripts.bundle()) if specs else "",
            specs=Markup(in_script(specs)),
        )
    )


def to_parts(document: Document, arms: Sequence[str], footer: str = "") -> Parts:
    """The same without head, title and scripts, for a page that has its own."""
    body = environment().get_template("body.html").render(**_context(document, arms, footer), is_page=False)
    return Parts(body, _specs(document))


def to_fragment(blocks: Sequence[Block], arms: Sequence[str]) -> str:
    """Blocks alone, as elements."""
    return environment().get_template("fragment.html").render(blocks=blocks, **_look(arms))


def _context(document: Document, arms: Sequence[str], footer: str) -> dict[str, Any]:
    return {"document": document, "footer": footer, **_look(arms)}


def _look(arms: Sequence[str]) -> dict[str, Any]:
    return {
        "text": TEXT,
        "colours": {arm: colour(i) for i, arm in enumerate(arms)},
        "dashed": [arm for i, arm in enumerate(arms) if dash(i) != [1, 0]],
    }


def _specs(document: Document) -> dict[str, Mapping[str, Any]]:
    return {chart.name: chart.spec for section in document.sections for chart in charts(section.blocks)}


def charts(blocks: Iterable[Block]) -> Iterator[Chart]:
    """The charts that the page draws, in their order."""
    for block in blocks:
        match block:
            case Plot():
                yield from (*block.charts, *block.more)
            case Fold(blocks=inner) | Only(where="page", blocks=inner):
                yield from charts(inner)
            case SideBySide(parts=parts):
                yield from (chart for part in parts for chart in charts(part))


def in_script(value: object) -> str:
    """JSON that can stand inside a script element whatever text is in it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"})


@functools.cache
def environment() -> jinja2.Environment:
    """The templates of the pages."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_unbroken,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["kind"] = lambda block: type(block).__name__
    return environment


def _unbroken(value: object) -> object:
    """Text in which no line ends between a number and its sign of percent, or its letter (2.22 M)."""
    return re.sub(r"(?<=\d) (?=%|[kMGT]\b)", "\N{NO-BREAK SPACE}", value) if type(value) is str else value


def _data_uri(picture: bytes) -> str:
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def source(name: str) -> str:
    """The text of a file of this package."""
    return (resources.files("commongarden.report.document") / name).read_text(encoding="utf-8")
