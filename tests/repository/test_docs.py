"""The documentation: commands in it exist with their options, links lead somewhere, both languages show the same."""

import json
import re
import tomllib

import click
import pytest
import yaml

import commongarden as cg
from commongarden.cli import main
from commongarden.study import data_sets
from pages import anchors, blocks, commands, is_broken, links, shell_commands
from paths import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "README.ko.md", *sorted(DOCS.rglob("*.md"))]
GENERATED = {"reference/commands.md", *(f"notebooks/{one.stem}.md" for one in (DOCS / "notebooks").glob("*.ipynb"))}
PLACEHOLDERS = {"COMMAND", "명령"}


def name(page):
    return page.relative_to(ROOT).as_posix()


def mistake(words):
    """What is wrong with a command that a page shows; None where it can be typed."""
    command, words = main, list(words)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        if words[0] in PLACEHOLDERS:
            return None
        context = click.Context(command)
        found = command.get_command(context, words[0])
        if found is None:
            return f"no command {words[0]!r}"
        command, words = found, words[1:]
    context = command.context_class(command, info_name=command.name)
    other = {name: one.opts[0] for one in command.params for name in getattr(one, "also", ())}
    try:
        values, _, order = command.make_parser(context).parse_args([other.get(word, word) for word in words])
        for option in order:
            if isinstance(option.type, click.Choice):
                option.type_cast_value(context, values[option.name])
    except click.UsageError as error:
        return error.format_message()
    return None


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist_with_their_options(page):
    wrong = {" ".join(words): mistake(words) for words in commands(page.read_text(encoding="utf-8"))}
    assert {line: why for line, why in wrong.items() if why} == {}


@pytest.mark.parametrize(
    "typed", ["commongarden rnu demo", "commongarden run demo --no-such", "commongarden report D --format pdf"]
)
def test_a_command_that_does_not_exist_is_found(typed):
    (words,) = commands(f"Text.\n\n    {typed}   # a comment\n")
    assert mistake(words)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files_and_headings(page):
    generated = {(DOCS / one).resolve() for one in GENERATED}
    targets = [
        target
        for target in links(page.read_text(encoding="utf-8"))
        if (page.parent / target.partition("#")[0]).resolve() not in generated
    ]
    assert [target for target in targets if is_broken(page, target)] == []


def test_headings_have_the_anchors_that_github_gives_them(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One `two`: three\n\n```text\n# four\n```\n\n## 다섯, 여섯\n", encoding="utf-8")
    assert anchors(page) == {"one-two-three", "다섯-여섯"}
    assert is_broken(page, "#four")
    assert is_broken(page, "none.md")
    assert not is_broken(page, "page.md#다섯-여섯")


@pytest.mark.parametrize("page", [one for one in PAGES if one.name.endswith(".ko.md")], ids=name)
def test_both_languages_show_the_same_commands(page):
    english = page.with_name(page.name.replace(".ko.md", ".md"))
    assert english.exists()
    if page.parent == ROOT or page.name == "forensics.ko.md":
        return
    ours, theirs = (shell_commands(one.read_text(encoding="utf-8")) for one in (page, english))
    assert [drop_language(one) for one in ours] == [drop_language(one) for one in theirs]


def drop_language(words):
    return [word for i, word in enumerate(words) if word != "--lang" and (i == 0 or words[i - 1] != "--lang")]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_study_files_in_the_pages_are_read(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i, block in enumerate(one for one in blocks(page.read_text(encoding="utf-8")) if one.kind == "toml"):
        tomllib.loads(block.text)
        if "[study]" in block.text and ("[arms." in block.text or "[factors]" in block.text) and "data =" in block.text:
            file = tmp_path / f"{i}.toml"
            file.write_text(block.text, encoding="utf-8")
            if data_sets.read(file) is None:
                cg.read_study(file)


def test_tests_that_the_pages_name_exist():
    files = {one.name: one.read_text(encoding="utf-8") for one in (ROOT / "tests").rglob("test_*.py")}
    defined = set(re.findall(r"^ *def (test_\w+)\(", "\n".join(files.values()), re.MULTILINE))
    for page in PAGES:
        code = " ".join(re.findall(r"`[^`\n]*`", page.read_text(encoding="utf-8")))
        assert set(re.findall(r"\btest_\w+\.py\b", code)) <= files.keys(), page.name
        for found in set(re.findall(r"(?<!\w)(?:::|`)(test_\w+)(?!\w|\.py|/)", code)) - {"test_set"}:
            assert any(one == found or (found.endswith("_") and one.startswith(found)) for one in defined), found


def test_the_api_page_has_every_public_name():
    text = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    shown = re.findall(r"^::: commongarden\.(\w+)$", text, re.MULTILINE)
    assert sorted(shown) == sorted(set(cg.__all__) - {"__version__"})


class Config(yaml.SafeLoader):
    """mkdocs.yml without the Python objects that it names."""


Config.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def test_the_navigation_has_every_page():
    config = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Config)

    def files(entry):
        if isinstance(entry, str):
            return [entry]
        return [one for part in (entry.values() if isinstance(entry, dict) else entry) for one in files(part)]

    pages = {one.relative_to(DOCS).as_posix() for one in DOCS.rglob("*.md") if not one.name.endswith(".ko.md")}
    assert sorted(files(config["nav"])) == sorted(pages | GENERATED)
    (i18n,) = (one["i18n"] for one in config["plugins"] if "i18n" in one)
    titles = {key for entry in config["nav"] for key in entry}
    titles |= {key for entry in config["nav"] for part in entry.values() if isinstance(part, list) for key in part[0]}
    assert titles <= i18n["languages"][1]["nav_translations"].keys()


@pytest.mark.parametrize("path", sorted((DOCS / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_have_what_jupyter_needs_and_nothing_of_this_machine(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    assert "".join(notebook["cells"][0]["source"]).startswith("# ")
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        assert cell["cell_type"] == "markdown" or text.startswith(("%", "!")) or compile(text, "cell", "exec")
        for words in commands(text):
            assert mistake(words) is None
    assert not re.search(r"/(?:home|root|work|tmp|Users)/", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", ["README.md", "README.ko.md"])
def test_the_readme_has_every_command(page):
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    table = "\n".join(line.split("|")[1] for line in lines if line.startswith("| `"))
    assert [name for name in main.commands if not re.search(rf"`{name}\b", table)] == []
