"""Blocks as the page and as paper have them."""

import ast
import collections
import typing
from pathlib import Path

import pytest

import commongarden
from commongarden.report.document import (
    Answer,
    Answers,
    Bitmap,
    Block,
    Bullets,
    Cell,
    Chart,
    Commands,
    Document,
    Fold,
    Gallery,
    Heading,
    Keys,
    Legend,
    Log,
    Only,
    Paragraph,
    Plot,
    Section,
    SideBySide,
    Styled,
    StyledLine,
    Table,
    html,
    markdown,
    paper,
)
from commongarden.report.document import scripts as chart_scripts

SPEC = {"mark": "point", "data": {"values": [{"a": 1}]}, "encoding": {"x": {"field": "a", "type": "quantitative"}}}
ROWS = ((Cell("row <1>", arm="a"), Cell("12.5", "11 to 14", "twice")), ("row 2", "7"))
TABLE = Table("A table. What it tells.", ("what", Cell("size", "%")), ROWS, name="A table")
BLOCKS = (
    Paragraph("Plain & simple.", role="soft", arm="a"),
    StyledLine((Styled("hash "), Styled("abc", "code"))),
    Answers((Answer("a is better.", "More would settle it.", "a"),)),
    Heading("Below"),
    Bullets(("one", ("path", "two"))),
    Bullets(("three",), closing="So it is."),
    SideBySide(((TABLE,), (Plot("What is drawn.", (Chart("drawn", SPEC, "one point"),)),))),
    Fold("Press", (Log(("line 1", "line 2")),)),
    Only("page", (Paragraph("On the page alone."), Legend(), Keys((("daisy", "var(--arm-0)"),)))),
    Commands((("Predict:", "commongarden predict garden/x IMAGE..."),)),
    Only("paper", (Paragraph("On paper alone."),)),
    Gallery((((Bitmap(b"\x89PNG", "a.png", (Styled("daisy", "strong"),)),), "twice", True),), "groups"),
)


@pytest.fixture
def document():
    return Document("Title", "about", "en", (Section("Topic", BLOCKS, anchor="topic"),))


def test_the_page_shows_every_block(document, monkeypatch):
    monkeypatch.setattr(chart_scripts, "bundle", lambda: "// scripts")  # which takes seconds to make
    page = html.to_html(document, ["a", "b"], "Made here.")
    for text in (
        "Plain &amp; simple.", "<code>abc</code>", "More would settle it.", "<h3>Below</h3>",
        "<strong>path</strong>: two", "<strong>So it is.</strong>", 'aria-label="A table: ', "row &lt;1&gt;",
        "12.5, twice", "What it tells.", 'id="drawn"',
        "<summary>Press</summary>", "line 1\nline 2", "On the page alone.", "data:image/png;base64,", 'data-arm="b"',
    ):  # fmt: skip
        assert text in page, text
    assert "On paper alone." not in page
    assert '"drawn":{' in page


def test_paper_has_one_column_of_what_it_can_show(document):
    (section,) = (paper.section(made) for made in document.sections)
    text, figures = markdown.to_markdown(Document("Title", "about", "en", (section,)), "figures")
    assert {type(block).__name__ for block in section.blocks} == {"Paragraph", "Bullets", "Table", "Figure", "Log"}
    assert len(figures) == 2, "the plot, and the photos of the gallery"
    for said in (
        "hash abc",
        "Below:",
        "- path: two",
        "So it is.",
        "Table 1. A table. What it tells.",
        "On paper alone.",
    ):
        assert said in text, said
    assert "size<br>(%)" in text
    assert "12.5<br>twice<br>11 to 14" in text
    assert "On the page alone." not in text


def test_every_kind_of_block_is_written():
    shown = {type(block) for block in _all(BLOCKS)}
    assert {kind.__name__ for kind in typing.get_args(Block)} - {kind.__name__ for kind in shown} == {"Figure"}


def _all(blocks):
    for block in blocks:
        yield block
        yield from _all(getattr(block, "blocks", ()))
        for part in getattr(block, "parts", ()):
            yield from _all(part)


@pytest.mark.parametrize("package", ["report", "stats", "explain"])
def test_no_two_classes_of_a_package_share_a_name(package):
    names = collections.Counter(
        node.name
        for path in (Path(commongarden.__file__).parent / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, n in names.items() if n > 1] == []
