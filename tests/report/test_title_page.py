"""The lab report in Word: a title page, words that are not broken, the photos and maps, the log in its language."""

import io
import shutil
import subprocess

import docx
import numpy as np
import pytest
from click.testing import CliRunner

from commongarden import stats
from commongarden.cli import main
from commongarden.i18n.language import used
from commongarden.records.classic_log import classic_log
from commongarden.report import written_report
from commongarden.report.charts import figures, photographs
from commongarden.report.document import Bitmap, Figure, Gallery, Styled, Table, numbered
from commongarden.report.document import docx as word
from commongarden.study import Contrast
from grown import grown

REACHED = {"plain": (0.61, 0.62, 0.63), "residual": (0.71, 0.73, 0.72), "bottleneck": (0.66, 0.67, 0.65)}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    contrasts = (Contrast("residual", "plain"), Contrast("bottleneck", "residual"))
    return grown(tmp_path_factory.mktemp("title") / "study", REACHED, contrasts=contrasts)


@pytest.fixture(scope="module")
def asked(store):
    named = ["--title", "Shortcuts", "--author", "Kim Minji", "--number", "20261234", "--date", "30 November 2026"]
    result = CliRunner().invoke(main, ["report", str(store.root), "--format", "docx", "--format", "md", *named])
    assert result.exit_code == 0, result.output
    return docx.Document(store.root / "report.docx")


def test_the_title_page_has_what_was_asked_for(store, asked):
    texts = [paragraph.text for paragraph in asked.paragraphs]
    assert texts[0] == "Shortcuts"
    assert [text.strip() for text in texts[2:5]] == [
        "Name\tKim Minji", "Student number\t20261234", "Date\t30 November 2026",
    ]  # fmt: skip
    assert 'w:br w:type="page"' in asked.paragraphs[4]._p.xml
    assert asked.core_properties.author == "Kim Minji"
    assert "Student number: 20261234" in (store.root / "report.md").read_text(encoding="utf-8")


def test_without_a_name_there_is_no_empty_title_page(store):
    opened = docx.Document(io.BytesIO(word.to_docx(written_report.lab_report(store, stats.summarize(store)))))
    assert opened.paragraphs[0].text == "grown"
    assert not any('w:type="page"' in paragraph._p.xml for paragraph in opened.paragraphs[:4])


def test_the_report_shows_matrices_and_the_photos_most_often_missed(store):
    made = written_report.lab_report(store, stats.summarize(store))
    figures_of = {
        section.title: [block for block in section.blocks if isinstance(block, Figure)]
        for _level, _title, section in numbered(made)
    }
    matrices, _reliability = figures_of["Confusion matrices"]
    assert all(arm in matrices.svg for arm in REACHED)
    (photos,) = figures_of["Most often misclassified"]
    assert photos.svg.count("<image") + photos.svg.count("no thumbnail") == len(stats.most_missed(store))
    assert "<image" in photos.svg


def test_a_gallery_on_paper_has_its_images_and_captions():
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (8, 8), (255, 0, 0)).save(out, "JPEG")
    caption = (Styled("daisy", "strong"), Styled("called <rose> and a_name_that_is_far_longer_than_its_image", "soft"))
    gallery = Gallery(
        (((Bitmap(out.getvalue(), "a.jpg", caption), Bitmap(None, "b.jpg", (), "no photo")), "", False),), "photos"
    )
    svg = photographs.drawn(gallery)
    with Image.open(io.BytesIO(figures.png(svg, 640))) as drawn:
        assert np.asarray(drawn)[30, 30, 0] > 200
        assert np.asarray(drawn)[30, 30, 1] < 60
    assert "&lt;rose&gt;" in svg
    assert "no photo" in svg


def test_columns_have_room_for_their_longest_word():
    header = ("arm", "against", "outcome", "difference", "95 %", "90 %", "adjusted", "sign-flip p", "seeds")
    row = (
        "bottleneck_flower",
        "residual_flower",
        "not significant",
        "−6.0",
        "−11.1 to −0.8",
        "−9.9 to −2.0",
        "−11.1 to −0.8",
        "0.0625",
        "5",
    )
    widths, size = word.column_widths(Table("", header, (row,), n_left=3))
    assert sum(widths) == pytest.approx(word.TEXT_WIDTH)
    assert size >= 6
    letter = word.LETTER * size / word.LETTERS
    for width, *cells in zip(widths, header, row, strict=True):
        assert width >= max(len(part) for cell in cells for part in cell.split()) * letter


def test_the_log_is_translated_in_the_report_and_stays_as_it_was_on_the_screen(store, monkeypatch):
    from commongarden.records import classic_log as module

    run, history = store.run("plain", 0), store.history("plain", 0)
    english = classic_log("plain/0", 4, history, run)
    assert english[0] == "Model plain/0 train started:"
    assert english[1].startswith("    Epoch 1: cost=")
    with used("ko"):
        assert classic_log("plain/0", 4, history, run) == english
    monkeypatch.setattr(module, "_", lambda text: f"[{text}]")
    assert all(line.startswith("[") for line in classic_log("plain/0", 4, history, run, translated=True)[:-1])


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_libreoffice_opens_it(asked, store, tmp_path):
    asked.save(tmp_path / "report.docx")
    convert = [
        "soffice",
        "--headless",
        f"-env:UserInstallation={(tmp_path / 'office').as_uri()}",
        "--convert-to",
        "pdf",
    ]
    subprocess.run([*convert, "--outdir", str(tmp_path), str(tmp_path / "report.docx")], check=True, timeout=120)
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
