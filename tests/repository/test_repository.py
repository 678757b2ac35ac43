"""What a repository promises around the code: one version, a licence, a changelog, templates, `make help`."""

import re
import subprocess
import tomllib

import pytest
import yaml

from paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_there_is_one_version():
    assert yaml.safe_load(text("CITATION.cff"))["version"] == PROJECT["version"]
    headings = re.findall(r"^## \[(.+?)\](?: - \d{4}-\d{2}-\d{2})?$", text("CHANGELOG.md"), re.MULTILINE)
    assert headings[:2] == ["Unreleased", PROJECT["version"]]


def test_the_changelog_has_the_kinds_of_its_form():
    kinds = re.findall(r"^### (.+)$", text("CHANGELOG.md"), re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_licence_is_named_everywhere_the_same():
    assert PROJECT["license"] == yaml.safe_load(text("CITATION.cff"))["license"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]
    licence = text("LICENSE")
    assert "Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert "[name of copyright owner]" not in licence


def test_the_citation_has_what_its_form_requires():
    citation = yaml.safe_load(text("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem
)
def test_issue_templates_are_forms(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem == "config":
        assert form["blank_issues_enabled"] is True
        return
    assert {"name", "description", "body"} <= form.keys()
    ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert ids
    assert len(ids) == len(set(ids))


def test_make_help_names_every_target():
    printed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    (phony,) = re.findall(r"^\.PHONY: (.+)$", text("Makefile"), re.MULTILINE)
    assert [target for target in phony.split() if not re.search(rf"^make {target}\b", printed, re.MULTILINE)] == []


@pytest.mark.parametrize("page", ["README.md", "README.ko.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"])
def test_links_lead_to_files(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", text(page))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_files_that_the_contributing_page_names_are_there():
    page = text("CONTRIBUTING.md")
    named = re.findall(r"`((?:src|tests|scripts|docs|report|stats|study|families|i18n)/[\w./-]+)`", page)
    assert len(named) > 10
    places = ("", "src/commongarden/", "src/commongarden/arch/")
    assert [name for name in named if not any((ROOT / place / name).exists() for place in places)] == []


def test_no_file_has_the_marks_of_an_unfinished_merge():
    found = subprocess.run(["git", "grep", "-lE", "^(<{7}|>{7}) "], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout.split() == []
