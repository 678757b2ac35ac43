"""A constant is written once: two modules that mean the same by a name take it from one."""

import ast
from collections import defaultdict
from pathlib import Path

import commongarden

SOURCE = Path(commongarden.__file__).parent

# one name and one value in several modules, by chance: what each stands for
BY_CHANCE = {
    "SCHEMA": "of files of different kinds",
    "FEWEST_EPOCHS": "of a run that is ended early; of a training that is described",
    "MOST_BYTES": "of a download; of what an archive unpacks to",
    "MOST_LINES": "of two lists that have nothing to do with each other",
    "SECONDS": "of two limits that have nothing to do with each other",
    "TOLERANCE": "of an export; of a gradient",
}
UNUSUAL = 4  # letters, at least, of a text that is hardly the same by chance


def constants():
    """(module, name, value as it is written) of all that modules call by a name in capitals."""
    for path in sorted(SOURCE.rglob("*.py")):
        if "scripts" in path.parts:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if name.isupper() and len(name) > 1:
                    yield path.relative_to(SOURCE).as_posix(), name, ast.unparse(node.value)


def test_no_constant_of_one_name_and_value_is_written_twice():
    found = defaultdict(list)
    for path, name, value in constants():
        if name not in BY_CHANCE:
            found[name, value].append(path)
    assert {key: paths for key, paths in found.items() if len(paths) > 1} == {}


def test_no_unusual_value_is_written_twice():
    """Texts, patterns and tuples of texts that are equal mean the same."""
    found = defaultdict(list)
    for path, name, value in constants():
        texts = [node.value for node in ast.walk(ast.parse(value)) if isinstance(node, ast.Constant)]
        if all(isinstance(text, str) for text in texts) and len("".join(map(str, texts))) >= UNUSUAL:
            found[value].append(f"{path} {name}")
    by_chance = {
        "('daisy', 'dandelion', 'rose', 'sunflower', 'tulip')"
    }  # photos that are fetched; photos that are drawn
    assert {value: where for value, where in found.items() if len(where) > 1 and value not in by_chance} == {}


def test_what_stands_by_chance_still_stands():
    names = defaultdict(set)
    for path, name, _value in constants():
        names[name].add(path)
    assert {name for name in BY_CHANCE if len(names[name]) < 2} == set()
