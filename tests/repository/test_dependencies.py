"""What the package imports is declared, and what is declared is pinned for the tests."""

import ast
import re
import sys
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from paths import ROOT

ABSENT = {
    "pynvml": ["nvidia-ml-py"],
    "mlflow": ["mlflow"],
    "trackio": ["trackio"],
    "wandb": ["wandb"],
}  # of extras that the tests go without
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"].keys() - {"dev"}


def imported(source):
    """The first part of the name of each module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def declared(*groups):
    """The distributions of pyproject.toml, with those of the extras that it asks for by name, as in altair[save]."""
    names = set()
    for line in [
        *PROJECT["dependencies"],
        *(line for group in groups for line in PROJECT["optional-dependencies"][group]),
    ]:
        wanted = Requirement(line)
        names.add(canonicalize_name(wanted.name))
        for extra in wanted.extras - {*groups}:
            for part in map(Requirement, metadata.requires(wanted.name) or ()):
                if part.marker and part.marker.evaluate({"extra": extra}) and not part.marker.evaluate({"extra": ""}):
                    names.add(canonicalize_name(part.name))
    return names


def test_everything_that_is_imported_is_declared():
    files = sorted((ROOT / "src").rglob("*.py"))
    used = {name: path for path in files for name in imported(path.read_text(encoding="utf-8"))}
    foreign = used.keys() - sys.stdlib_module_names - {"commongarden"}
    assert {"torch", "threadpoolctl", "markupsafe", "huggingface_hub"} <= foreign
    found, known = {**ABSENT, **metadata.packages_distributions()}, declared(*EXTRAS)
    missing = {name: used[name] for name in foreign if not known & {*map(canonicalize_name, found.get(name, ()))}}
    assert not missing, f"imported, and not in pyproject.toml: {missing}"


@pytest.mark.parametrize(
    "source", ["import yaml.nodes", "def f():\n    from yaml import load", "if 0:\n    import yaml as y"]
)
def test_imports_are_found_anywhere(source):
    assert list(imported(source)) == ["yaml"]


def test_everything_that_is_declared_is_pinned_and_explained():
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {canonicalize_name(line.partition("==")[0]) for line in pins.splitlines() if "==" in line}
    assert declared(*EXTRAS, "dev") - {"commongarden"} <= pinned
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8").partition("## Dependencies")[2]
    rows = "\n".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| "))
    explained = set(map(canonicalize_name, re.findall(r"[\w-]+", rows)))
    wanted = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert wanted <= explained, wanted - explained
