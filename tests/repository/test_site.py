"""The documentation site: links out of it, broken links, the lists of the API reference; in the soak its build and its
notebooks."""

import json
import runpy
import subprocess
import sys

import pytest

from paths import ROOT

SITE = runpy.run_path(str(ROOT / "scripts" / "build_site.py"))
COMMANDS = runpy.run_path(str(ROOT / "scripts" / "command_reference.py"))
NOTEBOOKS = [one for one in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")) if one.stem != "colab"]


def test_links_to_files_that_the_site_has_not_are_their_text(tmp_path):
    def rewritten(text, place="page.md"):
        return SITE["within_site"](tmp_path / place, tmp_path, text)

    assert rewritten("see [`disk.py`](../src/disk.py) and [data](data.md)") == "see `disk.py` and [data](data.md)"
    assert rewritten("[data](../data.md) [own](../../examples/own.py)", "howto/page.md") == "[data](../data.md) own"
    assert rewritten("**English** · [한국어](page.ko.md)\n\nText") == "Text"
    assert rewritten('| <img src="a.svg" alt="A block" width="4"> |') == "| ![A block](a.svg) |"


def test_broken_links_of_built_pages_are_found(tmp_path):
    (tmp_path / "ko").mkdir()
    (tmp_path / "ko" / "index.html").write_text('<h1 id="one">한국어</h1><img src="../no.svg">', encoding="utf-8")
    (tmp_path / "index.html").write_text(
        '<a href="ko/index.html#one">a</a><a href="ko/index.html#two">b</a><a href="gone.html">c</a>'
        '<a href="https://example.org/x">d</a><a href="#top">e</a>',
        encoding="utf-8",
    )
    assert SITE["broken_links"](tmp_path) == [
        "index.html: ko/index.html#two",
        "index.html: gone.html",
        "index.html: #top",
        "ko/index.html: ../no.svg",
    ]


def test_a_notebook_becomes_a_page():
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "\n", "Text"]},
        {"cell_type": "code", "source": ["print(1)"], "outputs": [{"output_type": "stream", "text": ["1\n"]}]},
    ]
    page = SITE["notebook_page"]({"cells": cells}, "n.ipynb", "Download")
    assert page == (
        "# Title\n\n[Download](n.ipynb){ .md-button download }\n\nText\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n"
    )


def test_the_command_reference_has_every_command_in_both_languages():
    from commongarden.i18n import language

    pages = {}
    for spoken in ("en", "ko"):
        with language.used(spoken):
            pages[spoken] = COMMANDS["page"]()
    names = [name for name, _ in COMMANDS["commands"]()]
    assert "commongarden data check" in names
    for page in pages.values():
        assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == names
    assert "| `--seeds INTEGER RANGE` |" in pages["en"]
    assert pages["en"].count("| `--") == pages["ko"].count("| `--")
    assert "학습" in pages["ko"]


def test_fields_in_a_docstring_are_a_list_in_the_reference():
    with_fields = runpy.run_path(str(ROOT / "scripts" / "docstring_fields.py"))["with_fields"]
    assert with_fields("A run.\n\nseed, n: numbers\n    from 0.\nnote: this\n\nMore.", ["seed", "n"]) == (
        "A run.\n\nMore.\n\nAttributes:\n    seed: numbers from 0. note: this\n    n: numbers from 0. note: this"
    )
    assert with_fields("Prose: no field.", ["seed"]) == "Prose: no field."


@pytest.mark.soak
def test_the_site_is_built_without_a_warning():
    pytest.importorskip("material", reason="make docs installs what builds the site")
    built = subprocess.run(
        [sys.executable, "scripts/build_site.py"], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    for name in ("index.html", "ko/index.html", "ko/reference/commands.html", "notebooks/five-minutes.html"):
        assert (ROOT / "build" / "site" / name).is_file()


@pytest.mark.soak
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_and_print_what_they_show(path, tmp_path, monkeypatch):
    """In a kernel of Jupyter, as its users run them. Numbers of runs repeat on the same versions only."""
    pytest.importorskip("nbclient", reason="make docs installs Jupyter's kernel")
    monkeypatch.setenv("COMMONGARDEN_LANG", "en")
    runner = runpy.run_path(str(ROOT / "scripts" / "run_notebooks.py"))
    done = runner["run"](path, tmp_path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    for ours, theirs in zip(done.cells, stored["cells"], strict=True):
        if ours.cell_type == "code":
            assert bool(ours.outputs) or not theirs["outputs"], "a cell that printed something prints nothing"
    assert list(tmp_path.glob("garden/*/report.html"))
