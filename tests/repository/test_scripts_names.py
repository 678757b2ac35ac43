"""The scripts, which nothing imports, use names that the package has."""

import ast
import importlib
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = sorted((Path(__file__).parents[2] / "scripts").rglob("*.py"))


def missing(tree):
    """Names that the tree takes from commongarden, or from one of its modules, and that are not there."""
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "commongarden":
            module = importlib.import_module(node.module)
            for alias in node.names:
                try:
                    found = getattr(module, alias.name, None) or importlib.import_module(f"{node.module}.{alias.name}")
                except ModuleNotFoundError:
                    yield f"{node.module}.{alias.name}"
                    continue
                if isinstance(found, ModuleType):
                    modules[alias.asname or alias.name] = found
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = modules.get(node.value.id)
            if module is not None and not hasattr(module, node.attr):
                yield f"{node.value.id}.{node.attr}"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_name_is_there(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    shadowed = {arg.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for arg in node.args}
    shadowed |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    assert [name for name in missing(tree) if name.partition(".")[0] not in shadowed] == []


def test_a_name_that_is_gone_is_found():
    tree = ast.parse(
        "from commongarden.report.wording import words\nwords.headline(1)\nfrom commongarden import nowhere"
    )
    assert list(missing(tree)) == ["commongarden.nowhere", "words.headline"]
