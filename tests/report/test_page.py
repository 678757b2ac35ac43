"""The report as a person sees it: opened from the disk in headless Chromium, phone and desktop, light and dark."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from chromium import DESKTOP, PHONE, Visit
from commongarden import report
from commongarden.i18n.language import used
from commongarden.study import Arm, Study
from commongarden.study.recipe import Recipe
from grown import grown

THREE = Study(
    "factors",
    "photos",
    factors={
        "arch": ["plain_flower", "residual_flower"],
        "order": ["LAB", "LBA"],
        "init": ["fan-in", "fixed"],
        "resolution": [32, 48],
    },
)
FACTORIAL = {name: (0.50 + i / 100, 0.52 + i / 90, 0.49 + i / 80) for i, name in enumerate(THREE.arms)}
FOLDS = Study(
    "folds",
    "photos",
    {"a": Arm("plain_flower"), "b": Arm("residual_flower", {}, {"resolution": 48, "lr": 0.1})},
    Recipe(resolution=32),
    folds=3,
)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Nine arms, one of them with a long name, three seeds, twelve classes."""
    arms = {f"arm_{i}": (0.5 + 0.02 * i, 0.52 + 0.02 * i, 0.51 + 0.03 * i) for i in range(8)}
    arms["a_network_whose_name_is_about_as_long_as_the_sixty_four_letters"] = (0.4, 0.6, 0.3)
    classes = tuple(f"a class with a long name {i}" for i in range(12))
    store = grown(tmp_path_factory.mktemp("many") / "study", arms, classes=classes, published={"arm_1": 0.25})
    return report.write(store)


@pytest.fixture(scope="module")
def pages(many, finished, tmp_path_factory):
    root = tmp_path_factory.mktemp("pages")
    with used("ko"):
        korean = report.write(grown(root / "korean", FACTORIAL, study=THREE))
    return {
        "korean": korean,
        "trained": finished / "report.html",
        "many": many,
        "factors": report.write(grown(root / "factors", FACTORIAL, study=THREE)),
        "folds": report.write(grown(root / "folds", {"a": (0.5, 0.6, 0.55), "b": (0.6, 0.7, 0.62)}, study=FOLDS)),
        "one seed": report.write(grown(root / "one", {"a": (0.5,), "b": (0.6,)})),
        "one arm": report.write(grown(root / "alone", {"a": (0.5, 0.6)})),
        "nothing yet": report.write(grown(root / "none", {"a": (), "b": ()})),
    }


CUT = """() => [...document.querySelectorAll('.chart')].flatMap(chart => {
    const frame = chart.getBoundingClientRect();
    return [...chart.querySelectorAll('text')].filter(text => {
        const box = text.getBoundingClientRect();
        return box.width > 0 && (box.left < frame.left - 1 || box.right > frame.right + 1 ||
                                 box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
    }).map(text => chart.id + ': ' + text.textContent);
})"""
KINDS = ("trained", "many", "factors", "korean", "folds", "one seed", "one arm", "nothing yet")
WAYS = [(PHONE, "dark"), (DESKTOP, "light"), (PHONE, "light"), (DESKTOP, "dark")]  # neighbours differ in both
QUICK = {  # in which of the ways `make test` looks at a page; the soak looks in all
    "trained": (0, 1), "many": (1,), "factors": (), "korean": (3,), "folds": (0,), "one seed": (1,), "one arm": (2,),
    "nothing yet": (3,),
}  # fmt: skip
SEEN = [
    pytest.param(
        kind,
        *way,
        id=f"{kind}-{'phone' if way[0] is PHONE else 'desktop'}-{way[1]}",
        marks=() if j in QUICK[kind] else pytest.mark.soak,
    )
    for kind in KINDS
    for j, way in enumerate(WAYS)
]


@pytest.mark.parametrize(("kind", "viewport", "scheme"), SEEN)
def test_a_page_is_whole_offline_and_accessible(browser, pages, kind, viewport, scheme):
    with Visit(browser, pages[kind], viewport, scheme) as visit:
        assert visit.complaints == []
        assert [url for url in visit.requests if not url.startswith("data:")] == [visit.url]
        width = visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"], "the page scrolls sideways"
        sizes = visit.page.eval_on_selector_all(
            ".chart", "charts => charts.map(c => [c.id, c.querySelector('svg')?.getBoundingClientRect().width ?? 0])"
        )
        assert all(width > 100 for _, width in sizes), sizes
        assert ({name for name, _width in sizes} > {"class_counts"}) == (kind != "nothing yet")
        assert visit.page.evaluate(CUT) == [], "text that is cut off"
        found = Axe().run(visit.page, options={"resultTypes": ["violations"]}).response["violations"]
        serious = [(fault["id"], fault["nodes"][0]["html"][:200]) for fault in found if fault["impact"] != "minor"]
        assert serious == []


NOWHERE = """() => [...document.querySelectorAll('a[href^="#"]')].map(link => link.getAttribute('href').slice(1))
    .filter(anchor => !document.getElementById(decodeURIComponent(anchor)))"""


@pytest.mark.parametrize("kind", ["trained", "korean", "nothing yet"])
def test_every_entry_of_the_contents_leads_to_its_section(browser, pages, kind):
    with Visit(browser, pages[kind]) as visit:
        assert visit.page.locator("nav a[href^='#']").count() >= (1 if kind == "nothing yet" else 8)
        assert visit.page.evaluate(NOWHERE) == []
        link = visit.page.locator("nav a[href^='#']").last
        link.click()
        target = visit.page.locator(f"[id='{link.get_attribute('href')[1:]}']")
        assert target.evaluate("one => Math.abs(one.getBoundingClientRect().top) < window.innerHeight")


def test_a_page_of_a_few_models_is_short_while_it_is_folded(browser, pages):
    """The demo's page has three models and five classes, and 9,000 pixels at most."""
    with Visit(browser, pages["trained"], DESKTOP) as visit:
        assert visit.page.evaluate("document.documentElement.scrollHeight") <= 9000


COLUMNS = {  # header and unit as the page has them -> the key in results.json, and what one of its units is there
    "test accuracy%": ("test_accuracy", 100),
    "trainings": ("seconds", 1),
    "trainingimages/s": ("images_per_second", 1),
    "inferencems": ("inference_ms", 1),
    "memoryMB": ("peak_memory_mb", 1),
    "sizeMB": ("model_mb", 1),
    "parameters": ("n_params", 1),
    "MACs": ("macs", 1),
}
LETTERS = {"k": 1e3, "M": 1e6, "G": 1e9}


def number(text):
    """A number as the table writes it, and by how much it may be rounded."""
    figures, _, letter = text.replace(",", "").partition("\N{NO-BREAK SPACE}")
    decimals = len(figures.partition(".")[2])
    factor = LETTERS[letter] if letter else 1
    return float(figures) * factor, 0.5001 * 10**-decimals * factor


@pytest.mark.parametrize("kind", ["trained", "many", "one seed"])
def test_every_number_of_the_table_is_that_of_the_results(browser, pages, kind):
    results = json.loads((pages[kind].parent / "results.json").read_text(encoding="utf-8"))
    with Visit(browser, pages[kind]) as visit:
        rows = visit.page.eval_on_selector_all(
            ".comparison tr",
            "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.split('\\n').map(t => t.trim())))",
        )
    header = ["".join(cell) for cell in rows[0]]
    assert set(COLUMNS) <= set(header)
    *named, line = rows[1:]
    arms, simple = named[: len(results["arms"])], named[len(results["arms"]) :]
    assert [row[0][0] for row in arms] == [arm["arm"] for arm in results["arms"]]
    n_checked = 0
    for row, arm in zip(arms, results["arms"], strict=True):
        for name, (key, factor) in COLUMNS.items():
            shown, found = row[header.index(name)], arm[key]
            expected = [found["value"], found["low"], found["high"]] if isinstance(found, dict) else [found]
            texts = [shown[0], *(shown[1].split(" to ") if len(shown) > 1 and shown[1] else [])]
            for text, value in zip(texts, expected, strict=False):
                read, rounding = number(text)
                assert read == pytest.approx(value * factor, abs=rounding), (arm["arm"], key)
                n_checked += 1
    assert n_checked > 8 * len(arms) * (1 if kind == "one seed" else 1.5) - 1
    assert len(simple) == len(results["baselines"]) == (2 if kind == "trained" else 0)
    beaten = [*(item["test_accuracy"] for item in results["baselines"]), results["commonest"]["accuracy"]]
    for row, accuracy in zip((*simple, line), beaten, strict=True):
        read, rounding = number(row[header.index("test accuracy%")][0])
        assert read == pytest.approx(100 * accuracy, abs=rounding)


def test_a_press_on_the_legend_brings_an_arm_forward(browser, many):
    faded = """() => [...document.querySelectorAll('#val_accuracy path')].filter(
        path => parseFloat(path.getAttribute('opacity') ?? '1') < 0.2).length"""
    with Visit(browser, many) as visit:
        button = visit.page.locator(".legend button").first
        before = visit.page.evaluate(faded)
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        visit.page.wait_for_function(f"({faded})() > {before}")
        button.click()
        assert button.get_attribute("aria-pressed") == "false"
        visit.page.wait_for_function(f"({faded})() === {before}")


def test_without_scripts_the_verdicts_and_the_table_are_there(browser, pages):
    with Visit(browser, pages["trained"], java_script_enabled=False) as visit:
        text = visit.page.inner_text("main")
        assert "The charts need JavaScript" in text
        results = json.loads((pages["trained"].parent / "results.json").read_text(encoding="utf-8"))
        assert results["contrasts"][0]["verdict"].replace(" %", "\N{NO-BREAK SPACE}%") in text


def test_hostile_names_run_nothing(browser, tmp_path):
    classes = ("</script><script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "'-alert(3)-'", "{{ 7 * 7 }}")
    path = report.write(grown(tmp_path / "study", {"a": (0.5, 0.6)}, classes=classes))
    alerts = []
    with Visit(browser, path) as visit:
        visit.page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
        visit.page.reload()
        visit.page.wait_for_selector("html[data-charts=drawn]")
        assert alerts == []
        assert visit.complaints == []
        assert visit.page.locator("img[src=x]").count() == 0
        assert '"><img src=x onerror=alert(2)>' in visit.page.inner_text("main")
