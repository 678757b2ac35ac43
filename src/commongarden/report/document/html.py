"""A report as one self-contained HTML page, which opens offline and asks nobody for anything."""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources

import jinja2
from markupsafe import Markup

from commongarden.report.charts import colour, dash
from commongarden.report.document import scripts
from commongarden.report.document.blocks import Block, Chart, Document, Fold, Only, Plot, SideBySide
from commongarden.report.wording.labels import TEXT


def to_html(document: Document, arms: Sequence[str], footer: str = "") -> str:
    """The page as text. arms: in the order of their colours."""
    drawn = [chart for section in document.sections for chart in charts(section.blocks)]
    return (
        environment()
        .get_template("page.html")
        .render(
            document=document,
            footer=footer,
            text=TEXT,
            colours={arm: colour(i) for i, arm in enumerate(arms)},
            dashed=[arm for i, arm in enumerate(arms) if dash(i) != [1, 0]],
            css=Markup(source("page.css")),
            bundle=Markup(scripts.bundle()) if drawn else "",
            specs=Markup(in_script({chart.name: chart.spec for chart in drawn})),
        )
    )


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
