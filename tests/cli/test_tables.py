"""Tables that commands print hold the whole text of each cell, at every width of a terminal from 40 to 200 columns."""

import gzip
import io
import shutil
from collections import Counter

import pytest
from click.testing import CliRunner
from rich.console import Console
from rich.text import Text

from commongarden import stats
from commongarden import store as stores
from commongarden.cli import main
from commongarden.i18n.language import used
from commongarden.io import fitted
from commongarden.io.terminal import columns
from commongarden.report.topics import tables as comparison
from commongarden.runner.display import LiveDisplay
from commongarden.runner.events import Job, Stepped
from commongarden.study.ablation import take_apart
from commongarden.study.recipe import Recipe
from grown import grown
from paths import TESTS

pytest.importorskip("pty", reason="needs the pseudo-terminals of POSIX")
import command
import pseudo_terminal

WIDTHS = range(40, 201)
BETWEEN = 3  # columns of space between two of a table's
MEASURED = TESTS / "support" / "measured"
LONG = "a_network_whose_name_is_about_as_long_as_the_sixty_four_letters"
CALLS = (
    "bench --measured bench.json",
    "compare small",
    "compare long",
    "compare ablated",
    "describe inception_flower:LA --rewritten",
    "describe torchvision:mobilenet_v3_small --input 32x32",
    "diff plain_flower:LA residual_flower",
    "evaluate small photos --model plain",
    "explain plain_flower residual_flower --measured steps.json",
    "profile --measured steps.json",
    "twins --widths 16,32 --blocks 1,1",
)


@pytest.fixture(scope="module")
def lab(finished, photos, tmp_path_factory):
    """A folder with finished studies, photos, a kept timing and a kept benchmark."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(finished, folder / "small")
    shutil.copytree(photos, folder / "photos")
    (folder / "steps.json").write_bytes(gzip.decompress((MEASURED / "steps.json.gz").read_bytes()))
    shutil.copy(MEASURED / "bench.json", folder / "bench.json")
    grown(folder / "long", {LONG: (0.4, 0.6, 0.5), "b": (0.7, 0.8, 0.75)}, published={"b": 0.7})
    ablated = take_apart("photos", "residual_flower", ("order", "shortcut"), Recipe(resolution=32, epochs=4)).study
    grown(folder / "ablated", {arm: (0.5 + i / 50, 0.6, 0.55) for i, arm in enumerate(ablated.arms)}, study=ablated)
    return folder


def tables(lab, call, language, monkeypatch):
    """The tables that a command prints, before they meet a terminal."""
    found = []

    def seen(self, console, options):
        found.append(self.table)
        yield self.table

    monkeypatch.chdir(lab)
    with monkeypatch.context() as patch, used(language):
        patch.setattr(fitted.Fitted, "__rich_console__", seen)
        done = CliRunner().invoke(main, call.split(), env={"COMMONGARDEN_LANG": language, "COLUMNS": "1000"})
    assert done.exit_code == 0, done.output
    assert found, f"{call} prints no table"
    return found


def live_table():
    """What is shown while runs go on."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None)
    jobs = (Job(LONG, 0), Job("b", 12))
    with LiveDisplay(console) as display:
        display.begin(dict.fromkeys(jobs, 1.0), dict.fromkeys(jobs, 20), 2)
        display.show(Stepped(jobs[0], 1, 5, 10, 1.234, 0.321, 173_634.0))
        picture = display._picture().renderables[0]
    return picture.table


def texts(table):
    """Its columns, each as the texts of its header and cells."""
    return [
        [cell.plain if isinstance(cell, Text) else str(cell) for cell in (column.header, *column.cells)]
        for column in table.columns
    ]


def shown(table, width):
    console = Console(file=io.StringIO(), width=width, color_system=None, markup=False, emoji=False)
    console.print(fitted.Fitted(table), highlight=False)
    return console.file.getvalue()


def faults(table, width):
    """What is wrong with the table at this width."""
    text = shown(table, width)
    found = [f"too wide: {line}" for line in text.splitlines() if columns(line.rstrip()) > width]
    cells, words = texts(table), set(text.split())
    lost = Counter("".join("".join(column) for column in cells)) - Counter(text)
    found += [f"lost: {letter!r}" for letter in lost if not letter.isspace()]
    longest = [max((columns(word) for cell in column for word in cell.split()), default=0) for column in cells]
    for i, column in enumerate(cells):
        beside = max([0, *longest[:i], *longest[i + 1 :]]) + BETWEEN
        for word in {word for cell in column for word in cell.split()} - words:
            if columns(word) + beside <= width:
                found.append(f"cut: {word}")
    for column, own in zip(table.columns, cells, strict=True):
        if column.no_wrap and column.justify == "right":  # figures
            found += [f"cut: {line}" for cell in own for line in cell.splitlines() if line and line not in text]
    return found


def shortened(table):
    """The table with the rows that hold each column's longest word and longest cell, and a few others: as wide, and
    quicker to draw."""
    cells = [column[1:] for column in texts(table)]
    kept = set(range(min(3, len(table.rows))))
    for column in cells:
        for measure in (columns, lambda cell: max(map(columns, cell.split()), default=0)):
            kept.add(max(range(len(column)), key=lambda row, column=column, measure=measure: measure(column[row])))
    for column in table.columns:
        column._cells = [cell for row, cell in enumerate(column._cells) if row in kept]
    table.rows = [row for place, row in enumerate(table.rows) if place in kept]
    return table


def check(table, widths):
    natural = max(map(columns, shown(table, 1000).split("\n")))
    for width in widths:
        assert faults(table, width) == [], f"{width} columns\n{shown(table, width)}"
        if width > natural:
            return  # from here on it is the same


@pytest.mark.parametrize(("place", "call"), list(enumerate(CALLS)))
def test_no_cell_of_a_table_is_cut_at_any_width(lab, place, call, monkeypatch):
    """Every fifth width in each language: which, differs from command to command."""
    for offset, language in enumerate(("en", "ko")):
        for table in tables(lab, call, language, monkeypatch)[:2]:
            check(shortened(table), (40, *WIDTHS[(place + 2 * offset) % 5 :: 5]))


@pytest.mark.soak
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_cell_of_a_table_is_cut_at_any_width_in_either_language(lab, call, language, monkeypatch):
    for table in tables(lab, call, language, monkeypatch):
        check(table, WIDTHS)


def test_the_runs_under_way_are_shown_whole():
    table = live_table()
    for width in (*WIDTHS[:70:7], 200):
        assert faults(table, width) == []


@pytest.mark.parametrize("width", [40, 97])
def test_a_real_terminal_shows_the_same(lab, cache_folder, width):
    """What is read off the screen holds every figure of the table."""
    environment = command.environment(cache_folder) | {"COMMONGARDEN_LANG": "en", "TERM": "xterm-256color"}
    del environment["COLUMNS"]
    screen = pseudo_terminal.call(["compare", "long"], environment, width, lab)
    assert screen.code == 0
    text = "\n".join(screen.seen)
    results = stats.summarize(stores.open_store(lab / "long"))
    for row in comparison.rows(results):
        for name in comparison.columns(results):
            assert comparison.cell(name, row.values[name]).text in text, (name, text)
