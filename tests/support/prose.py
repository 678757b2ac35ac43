"""Strings in the code, and words on a page, that a reader of another language would meet in English."""

import ast
import re
import string
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from babel.messages.mofile import write_mo

from paths import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import catalogues

SOURCE = ROOT / "src" / "commongarden"
MARKS = {"_", "N_", "ngettext", "pgettext", "unknown", "check_known"}
OURS_ALONE = {"TypeError", "ValueError", "AttributeError", "RuntimeError"}  # of mistakes in the program itself
TWO_WORDS = re.compile(r"[A-Za-z]{2,}[,:;]? [a-z]{2,}")


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each string that is not marked for the catalogues; what is filled in stands as {}."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed = {id(node) for marked in _marked(tree) for node in ast.walk(marked)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node) is not None
        ):
            passed.add(id(node.body[0].value))
        elif isinstance(node, ast.JoinedStr):
            passed |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in passed:
            continue
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def codes() -> set[str]:
    """Strings that are one of a Literal's, or a column of a file: for programs, and said otherwise where they are."""
    found = {"commonest class"}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Literal":
                found |= {part.value for part in ast.walk(node.slice) if isinstance(part, ast.Constant)}
    return found


def _marked(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS:
            yield from node.args if node.func.id not in ("unknown", "check_known") else node.args[:1]
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "ENGLISH" and node.value is not None:
            yield node.value  # the report's labels
        elif isinstance(node, ast.keyword) and node.arg == "help":
            yield node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in OURS_ALONE:
            yield from node.args
        elif isinstance(node, ast.Assert) and node.msg is not None:
            yield node.msg


def english(text: str, names: set[str]) -> list[str]:
    """Runs of two words or more in Latin letters, but for those of names and terms alone."""
    runs = re.findall(r"(?<![\w/.:=\-'\"])[A-Za-z][a-z']+(?:,? [A-Za-z][a-z']+\b(?!\.\w))+", text)
    return [run for run in runs if not set(re.split(r",? ", run)) <= names]


OPEN, CLOSE = "\N{MATHEMATICAL LEFT WHITE SQUARE BRACKET}", "\N{MATHEMATICAL RIGHT WHITE SQUARE BRACKET}"


def bracketed(message: str) -> str:
    """A translation into a language that no one speaks, by which what is looked up is told from what is not: the
    message's own words stand in brackets, what is filled in does not."""
    try:
        parts = list(string.Formatter().parse(message))
    except ValueError:  # it shows braces and is not filled in
        return f"{OPEN}{message}{CLOSE}"
    if any(name is not None and not name.isidentifier() for _literal, name, _spec, _conversion in parts):
        return f"{OPEN}{message}{CLOSE}"
    said = ""
    for literal, name, spec, conversion in parts:
        literal = literal.replace("{", "{{").replace("}", "}}") if len(parts) > 1 or name is not None else literal
        said += f"{OPEN}{literal}{CLOSE}" if literal.strip() else literal
        if name is not None:
            said += "{" + name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "") + "}"
    return said


def write_brackets(folder: Path) -> None:
    """The catalogue of that language, "xx"."""
    catalogue = catalogues.template()
    for message in catalogue:
        if message.id:
            ids = message.id if isinstance(message.id, tuple) else (message.id,)
            texts = tuple(map(bracketed, ids))
            message.string = texts if isinstance(message.id, tuple) else texts[0]
    path = folder / "xx" / "LC_MESSAGES" / "commongarden.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, catalogue)


def outside(text: str) -> str:
    """What stands in no bracket."""
    depth, kept = 0, []
    for letter in text:
        depth += (letter == OPEN) - (letter == CLOSE)
        if not depth:
            kept.append("\n" if letter == CLOSE else letter)
    return "".join(kept)


def misfilled() -> Iterator[str]:
    """Messages whose placeholders and what is filled in do not agree; those filled from a dictionary are passed."""
    for path in sorted(SOURCE.rglob("*.py")):
        for line, mark, texts, filled in _filled(ast.parse(path.read_text(encoding="utf-8"))):
            kept = texts[1:] if mark == "pgettext" else texts
            messages = [text.value for text in kept if isinstance(text, ast.Constant) and str(text.value)]
            wanted = {
                name
                for message in messages
                if isinstance(message, str)
                for _literal, name, _spec, _conversion in string.Formatter().parse(message)
                if name
            }
            given = {keyword.arg for keyword in filled}
            if messages and None not in given and wanted != given:  # else it is chosen elsewhere
                yield f"{path.name}:{line}: {sorted(wanted ^ given)}"


def _filled(tree: ast.Module) -> Iterator[tuple[int, str, list[ast.expr], list[ast.keyword]]]:
    """Line, mark, messages and what is filled in: at once, or in the statement behind the one that names the text."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(ast.Attribute(ast.Call(ast.Name(mark), texts), "format"), _, filled) if mark in MARKS:
                yield node.lineno, mark, texts, filled
        for statements in (getattr(node, name, []) for name in ("body", "orelse", "finalbody")):
            for one, two in pairwise(statements if isinstance(statements, list) else []):
                match one:
                    case ast.Assign([ast.Name(text)], ast.Call(ast.Name(mark), texts)) if mark in MARKS:
                        for part in ast.walk(two):
                            match part:
                                case ast.Call(ast.Attribute(ast.Name(name), "format"), _, filled) if name == text:
                                    yield part.lineno, mark, texts, filled
