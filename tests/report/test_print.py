"""The report on paper, A4 and letter: nothing is cut off at the right, what is folded on the screen is open."""

import re
import shutil
import subprocess
from collections import Counter

import pytest

from chromium import DESKTOP, Visit
from commongarden import report
from grown import grown

MILLIMETRE = 96 / 25.4
PAPERS = {"A4": (210 - 28) * MILLIMETRE, "letter": (215.9 - 28) * MILLIMETRE}  # without the margins of page.css

CUT = """width => [...document.querySelectorAll('main table, main th, main td, main svg, main img, main pre, main p')]
    .filter(one => one.checkVisibility() && !one.closest('.unseen, svg svg'))
    .filter(one => one.getBoundingClientRect().right > width + 1 || one.getBoundingClientRect().left < -1
        || (one.matches('th, td') && one.scrollWidth > one.clientWidth + 1))
    .map(one => `${one.tagName} ${one.textContent.slice(0, 60)}`)"""
BROKEN = """() => [...document.querySelectorAll('main tbody th')]
    .filter(cell => cell.checkVisibility() && cell.childElementCount === 0 && cell.textContent.trim())
    .filter(cell => {
        const words = cell.textContent.trim().split(/\\s+/), range = document.createRange();
        range.selectNodeContents(cell);
        const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top))).size;
        return words.every(word => word.length <= 20) && lines > words.length;
    }).map(cell => cell.textContent)"""
UNREAD = """() => [...document.querySelectorAll('table, .chart svg')]
    .filter(one => !one.checkVisibility({contentVisibilityAuto: true}) || one.getBoundingClientRect().height < 10)
    .map(one => one.textContent.slice(0, 60))"""
CELLS = "[...document.querySelectorAll('main table th, main table td')].map(cell => cell.innerText)"
OPEN = "open => document.querySelectorAll('details').forEach(one => { one.open = open })"
NUMBER = re.compile(r"\d(?:[\d.,]*\d)?")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Nine models, one with a long name, twelve classes with long names: the widest tables."""
    arms = {f"arm_{i}": (0.5 + 0.02 * i, 0.52 + 0.02 * i, 0.51 + 0.03 * i) for i in range(8)}
    arms["a_network_whose_name_is_about_as_long_as_the_sixty_four_letters"] = (0.4, 0.6, 0.3)
    classes = tuple(f"a class with a long name {i}" for i in range(12))
    store = grown(tmp_path_factory.mktemp("print") / "study", arms, classes=classes, published={"arm_1": 0.25})
    return report.write(store)


def test_every_table_and_chart_is_whole_on_paper_in_light_colours(browser, path):
    with Visit(browser, path, DESKTOP, "dark") as visit:
        page = visit.page
        assert page.locator("details:not([open]) table").count() > 0
        for paper, width in PAPERS.items():
            page.emulate_media(media="print", color_scheme="dark")
            page.set_viewport_size({"width": int(width), "height": 1000})
            assert page.evaluate(CUT, int(width)) == [], paper
            assert page.evaluate(UNREAD) == [], paper
            assert page.evaluate(BROKEN) == [], paper
            assert page.evaluate("document.documentElement.scrollWidth") <= width, paper
        style = "getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()"
        assert visit.page.evaluate(style) == "#1b1e23"
        assert visit.page.pdf(format="A4").startswith(b"%PDF")
        assert visit.complaints == []
        assert visit.page.locator("details[open]").count() == 0, "folds are closed again after printing"


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="reads the PDF with pdftotext (poppler)")
@pytest.mark.parametrize("kind", [pytest.param("many", marks=pytest.mark.soak), "trained"])
def test_every_number_of_the_tables_is_in_the_printed_pdf(browser, path, finished, kind, tmp_path):
    with Visit(browser, path if kind == "many" else finished / "report.html") as visit:
        visit.page.evaluate(OPEN, True)
        shown = Counter(NUMBER.findall("\n".join(visit.page.evaluate(CELLS))))
        visit.page.evaluate(OPEN, False)
        assert shown.total() > 100
        for paper in ("A4", "Letter") if kind == "many" else ("A4",):
            printed = tmp_path / f"{paper}.pdf"
            visit.page.pdf(path=printed, format=paper)
            text = subprocess.run(["pdftotext", "-layout", printed, "-"], capture_output=True, check=True).stdout
            lost = shown - Counter(NUMBER.findall(text.decode()))
            assert not lost, paper
