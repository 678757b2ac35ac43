"""A written report as a Word document: A4, Word's own headings, tables, captions and alternative texts.

Hangul gets a font of its own (Malgun Gothic, which Word brings), since a document that names a Latin font only leaves
Korean text to whatever the reader's machine finds.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from commongarden.i18n.language import _
from commongarden.report.charts import figures
from commongarden.report.document import Block, Bullets, Document, Figure, Log, Paragraph, Table, numbered
from commongarden.report.wording.numbers import NEGATIVE

LATIN, HANGUL, FIXED = "Calibri", "Malgun Gothic", "Consolas"
LANGUAGES = {"en": "en-GB", "ko": "ko-KR"}
MARGIN, TEXT_WIDTH, TEXT_HEIGHT = 2.2, 16.6, 25.3  # cm; A4 is 21.0 x 29.7
LETTERS, READABLE, SMALLEST = 9.0, 7.5, 5.0  # points, of a table
LETTER, PADDING = 0.22, 0.42  # cm: a wide letter of the first size in bold, and the room beside a cell's text
MOST_LETTERS = 40  # of a word or line that a column is made for
PIXELS = 1400  # of a picture as wide as the text: 210 an inch
INK, SOFT = "1B1E23", "5B626B"


def to_docx(document: Document) -> bytes:
    """The file's bytes."""
    import docx

    word = docx.Document()
    _set_page(word)
    _set_styles(word, document.language)
    properties = word.core_properties
    properties.title = _clean(document.title)[:255]  # as many as a property holds
    properties.author, properties.comments = _clean(document.author)[:255] or "commongarden", ""
    properties.language = LANGUAGES.get(document.language, document.language)
    _title(word, document)
    counts = {"figure": 0, "table": 0}
    for level, title, section in numbered(document):
        word.add_heading(_clean(title), level)
        for block in section.blocks:
            _block(word, block, counts)
    out = io.BytesIO()
    word.save(out)
    return out.getvalue()


def _title(word: Any, document: Document) -> None:
    """The title, on a page of its own where there is a cover."""
    from docx.enum.text import WD_BREAK
    from docx.shared import Cm

    title = word.add_heading(_clean(document.title), 0)
    word.add_paragraph(_clean(document.about), style="Subtitle")
    if not document.cover:
        return
    title.paragraph_format.space_before = Cm(TEXT_HEIGHT / 4)
    for i, (what, value) in enumerate(document.cover):
        line = word.add_paragraph(style="Cover")
        if i == 0:
            line.paragraph_format.space_before = Cm(TEXT_HEIGHT / 4)
        line.add_run(f"{_clean(what)}\t").font.color.rgb = _colour(SOFT)
        line.add_run(_clean(value))
    line.add_run().add_break(WD_BREAK.PAGE)


def _block(word: Any, block: Block, counts: dict[str, int]) -> None:
    from docx.shared import Pt

    match block:
        case Paragraph(text=text, leads=leads):
            word.add_paragraph(_clean(text)).paragraph_format.keep_with_next = leads or None
        case Bullets(texts=items):
            for i, item in enumerate(items):
                paragraph = word.add_paragraph(_clean(item), style="List Bullet")
                if i == len(items) - 1:
                    paragraph.paragraph_format.space_after = Pt(10)
        case Log(lines=lines):
            paragraph = word.add_paragraph(style="Log")
            for i, line in enumerate(lines):
                run = paragraph.add_run(_clean(line))
                if i < len(lines) - 1:
                    run.add_break()
        case Table():
            counts["table"] += 1
            _caption(word, _("Table {n}. {caption}"), "Table", counts["table"], block.caption, above=True)
            _table(word, block)
        case Figure():
            counts["figure"] += 1
            _picture(word, block)
            _caption(word, _("Figure {n}. {caption}"), "Figure", counts["figure"], block.caption, above=False)


def _picture(word: Any, figure: Figure) -> None:
    from docx.shared import Cm

    wide, high = figures.size(figure.svg)
    width = min(TEXT_WIDTH * figure.width, 0.85 * TEXT_HEIGHT * wide / high)
    png = figures.png(figure.svg, round(PIXELS * width / TEXT_WIDTH))
    paragraph = word.add_paragraph(style="Picture")
    picture = paragraph.add_run().add_picture(io.BytesIO(png), width=Cm(width))
    picture._inline.docPr.set("descr", _clean(figure.description))


def _table(word: Any, table: Table) -> None:
    from docx.enum.table import WD_TABLE_ALIGNMENT
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Cm, Pt

    made = word.add_table(rows=1 + len(table.rows), cols=len(table.header), style="Light Shading")
    made.alignment, made.autofit = WD_TABLE_ALIGNMENT.CENTER, False
    look = made._tbl.tblPr.find(_name("w:tblLook"))
    for key, value in (("noHBand", "1"), ("noVBand", "1"), ("firstColumn", "0"), ("lastRow", "0"), ("firstRow", "1")):
        look.set(_name(f"w:{key}"), value)
    look.set(_name("w:val"), "0620")
    made._tbl.tblPr.append(_element("w:tblDescription", val=_clean(table.caption)))
    widths, size = column_widths(table)
    for column, width in zip(made.columns, widths, strict=True):
        column.width = Cm(width)
    for i, row in enumerate(table.texts):
        properties = made.rows[i]._tr.get_or_add_trPr()
        properties.append(_element("w:cantSplit"))
        if i == 0:
            properties.append(_element("w:tblHeader"))
        for j, (cell, text) in enumerate(zip(made.rows[i].cells, row, strict=True)):
            cell.width = Cm(widths[j])
            paragraph = cell.paragraphs[0]
            paragraph._p.style = "Cell"  # its id; to look the style up by name takes python-docx milliseconds
            paragraph.paragraph_format.keep_with_next = i < len(table.rows) and len(table.rows) < 25
            if j >= table.n_left:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
            for k, line in enumerate(_clean(text).split("\n")):
                run = paragraph.add_run(line)
                if size < LETTERS:
                    run.font.size = Pt(size)
                if k:
                    run.font.color.rgb = _colour(SOFT)
                if k < text.count("\n"):
                    run.add_break()
    word.add_paragraph(style="After table")


def column_widths(table: Table) -> tuple[list[float], float]:
    """The width of each column in cm, and the size of the letters in points at which no word is broken.

    Columns of numbers keep their lines whole where letters of READABLE points allow that, others have room for their
    longest word; what is left is shared out by what the longest lines want.
    """
    columns = list(zip(*table.texts, strict=True))
    words = [_most(part for cell in column for part in re.split(r"[ \n]", _clean(cell))) for column in columns]
    lines = [_most(line for cell in column for line in cell.split("\n")) for column in columns]
    room = TEXT_WIDTH - PADDING * len(columns)
    least = [word if i < table.n_left else line for i, (word, line) in enumerate(zip(words, lines, strict=True))]
    if sum(least) * LETTER * READABLE / LETTERS > room:
        least = words
    size = min(LETTERS, max(LETTERS * room / (sum(least) * LETTER), SMALLEST))
    letter = LETTER * size / LETTERS
    needed = [n * letter + PADDING for n in least]
    more = [(line - n) * letter for line, n in zip(lines, least, strict=True)]
    spare = TEXT_WIDTH - sum(needed)
    if sum(more) > max(spare, 0.0):
        return [need + spare * extra / sum(more) for need, extra in zip(needed, more, strict=True)], size
    wanted = [need + extra for need, extra in zip(needed, more, strict=True)]
    return [TEXT_WIDTH * want / sum(wanted) for want in wanted], size


def _most(texts: Iterable[str]) -> int:
    return min(max((_length(text) for text in texts), default=1) or 1, MOST_LETTERS)


def _length(text: str) -> int:
    """How many Latin letters are as wide."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def _caption(word: Any, pattern: str, sort: str, n: int, caption: str, *, above: bool) -> None:
    """The caption, its number a field that Word counts on when something is put before it."""
    from docx.shared import Pt

    before, after = pattern.format(n="\0", caption=_clean(caption)).split("\0", 1)
    paragraph = word.add_paragraph(style="Caption")
    paragraph.paragraph_format.keep_with_next = above
    if not above:
        paragraph.paragraph_format.space_after = Pt(14)
    paragraph.add_run(before).bold = True
    begin, separate, end = (_element("w:fldChar", fldCharType=kind) for kind in ("begin", "separate", "end"))
    instruction = _element("w:instrText")
    instruction.text = f" SEQ {sort} \\* ARABIC "
    for part in (begin, instruction, separate, None, end):
        run = paragraph.add_run(str(n) if part is None else "")
        run.bold = True
        if part is not None:
            run._r.append(part)
    point, rest = after[:1], after[1:]
    paragraph.add_run(point).bold = True
    paragraph.add_run(rest)


def _set_page(word: Any) -> None:
    from docx.shared import Cm

    page = word.sections[0]
    page.page_width, page.page_height = Cm(21.0), Cm(29.7)
    page.left_margin = page.right_margin = page.top_margin = page.bottom_margin = Cm(MARGIN)


def _set_styles(word: Any, language: str) -> None:
    from docx.enum.style import WD_STYLE_TYPE
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Cm, Pt

    styles = word.styles
    sizes = {"Title": 22, "Subtitle": 11, "Heading 1": 16, "Heading 2": 13, "Heading 3": 11, "Caption": 9}
    for name, size in {"Normal": 10.5, "List Bullet": 10.5, **sizes}.items():
        style = styles[name]
        _set_font(style, LATIN)
        style.font.size = Pt(size)
        style.font.color.rgb = _colour(SOFT if name in ("Subtitle",) else INK)
        style.font.italic = False
        spread = style.element.rPr.find(_name("w:spacing"))
        if spread is not None:  # letters set apart, as the old template does
            style.element.rPr.remove(spread)
        if name.startswith("Heading") or name == "Title":
            style.font.bold = True
            style.paragraph_format.keep_with_next = True
    styles["Caption"].font.bold = False
    for name in ("Log", "Cell", "After table", "Picture", "Cover"):
        styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH).base_style = styles["Normal"]
    _set_font(styles["Log"], FIXED)
    for name, size in {"Log": 8.5, "Cell": LETTERS, "After table": 5, "Cover": 12}.items():
        styles[name].font.size = Pt(size)
    formats: dict[str, dict[str, Any]] = {
        "Caption": {"space_after": Pt(4), "space_before": Pt(6)},
        "Heading 1": {"space_before": Pt(22), "space_after": Pt(5)},
        "Heading 2": {"space_before": Pt(14), "space_after": Pt(5)},
        "Normal": {"space_after": Pt(7), "line_spacing": 1.12},
        "List Bullet": {"space_after": Pt(3)},
        "Log": {"line_spacing": 1.0, "keep_together": True},
        "Cell": {"space_after": Pt(1), "space_before": Pt(1), "line_spacing": 1.0},
        "After table": {"space_after": Pt(3)},
        "Picture": {"space_after": Pt(2), "line_spacing": 1.0, "keep_with_next": True},
    }
    for name, wanted in formats.items():
        for key, value in wanted.items():
            setattr(styles[name].paragraph_format, key, value)
    styles["Picture"].paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER
    styles["Cover"].paragraph_format.tab_stops.add_tab_stop(Cm(4.5))
    border = styles["Title"].element.pPr.find(_name("w:pBdr"))  # the rule below the title of Word's old template
    if border is not None:
        styles["Title"].element.pPr.remove(border)
    default = styles.element.find(_name("w:docDefaults")).find(_name("w:rPrDefault")).find(_name("w:rPr"))
    spoken = default.find(_name("w:lang"))
    if spoken is None:
        spoken = _element("w:lang")
        default.append(spoken)
    latin = "en-GB" if language == "ko" else LANGUAGES.get(language, language)
    spoken.set(_name("w:val"), latin)  # of Latin letters: as Korean they would be broken anywhere, numbers too
    spoken.set(_name("w:eastAsia"), "ko-KR")


def _set_font(style: Any, latin: str) -> None:
    style.font.name = latin
    fonts = style.element.rPr.rFonts
    for key in [key for key in fonts.attrib if key.endswith("Theme")]:
        del fonts.attrib[key]  # a theme's font would win over the one that is named
    for script, font in (("ascii", latin), ("hAnsi", latin), ("cs", latin), ("eastAsia", HANGUL)):
        fonts.set(_name(f"w:{script}"), font)


def _colour(text: str) -> Any:
    from docx.shared import RGBColor

    return RGBColor.from_string(text)


def _element(tag: str, **attributes: str) -> Any:
    from docx.oxml import OxmlElement

    made = OxmlElement(tag)
    for key, value in attributes.items():
        made.set(_name(f"w:{key}"), value)
    return made


def _name(tag: str) -> Any:
    from docx.oxml.ns import qn

    return qn(tag)


def _clean(text: str) -> str:
    """Text that XML can hold, whatever stands in a name, with numbers that stay with their signs at a line's end."""
    kept = "".join(sign for sign in text if sign in "\t\n" or (sign >= " " and not _forbidden(sign)))
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", NEGATIVE.sub("\N{MINUS SIGN}", kept))


def _forbidden(sign: str) -> bool:
    return "\ud800" <= sign <= "\udfff" or sign in "\ufffe\uffff"
