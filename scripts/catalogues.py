"""What people are told, collected from the code, the templates and click, into the catalogues; `make catalogues`.

    scripts/catalogues.py             commongarden.pot anew, every .po brought up to it, every .mo from its .po
    scripts/catalogues.py LANGUAGE    the same, and an empty catalogue for a language that has none

Messages are the arguments of `_`, `N_`, `ngettext` and `pgettext`, the kind of thing that `unknown` and `check_known`
tell of, what commands show as help (docstrings, paragraph by paragraph, and help of options), the labels of the report,
and what built-in studies ask. A new message has an empty translation until somebody writes one; one that changed is
new, for a guess would be taken for a translation.
"""

import ast
import io
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from commongarden.cli.group import paragraphs
from commongarden.i18n.language import CATALOGUES, DOMAIN

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
EXAMPLES = ROOT / "examples" / "forensics"  # an example with a report of its own, in both languages
KEYWORDS = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "unknown": (1,),
    "check_known": (1,),
}
JINJA = {"trimmed": "true", "silent": "false"}
# of click's modules, those whose messages a user of ours can see
CLICK = ("core.py", "decorators.py", "exceptions.py", "formatting.py", "parser.py", "termui.py", "types.py")


def messages() -> Iterator[tuple[str, object, str | None]]:
    """Where each message is (relative to the source, or in click), its msgid or those of a plural, and its context."""
    for path in sorted(SOURCE.rglob("*.py")):
        yield from _extracted("python", path, path.relative_to(SOURCE).as_posix())
        if path.name == "labels.py":
            for key, text in _labels(ast.parse(path.read_text(encoding="utf-8"))):
                yield path.relative_to(SOURCE).as_posix(), text, key
        if path.parent.name == "cli":
            for text in _help(ast.parse(path.read_text(encoding="utf-8"))):
                yield path.relative_to(SOURCE).as_posix(), text, None
    for path in sorted(SOURCE.rglob("*.html")):
        yield from _extracted("jinja2", path, path.relative_to(SOURCE).as_posix())
    for path in sorted(EXAMPLES.rglob("*.py")):
        yield from _extracted("python", path, path.relative_to(ROOT).as_posix())
    for path in sorted([*SOURCE.rglob("studies/*.toml"), EXAMPLES / "forensics.toml"]):
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
        for table, key in (("study", "description"), ("published", "source")):
            if key in declared.get(table, {}):
                where = path.relative_to(SOURCE if path.is_relative_to(SOURCE) else ROOT)
                yield where.as_posix(), declared[table][key], None
    for name in CLICK:
        yield from _extracted("python", Path(click.__file__).parent / name, f"click/{name}")


def _extracted(method: str, path: Path, shown: str) -> Iterator[tuple[str, object, str | None]]:
    source = io.BytesIO(path.read_bytes())
    options = JINJA if method == "jinja2" else {}
    for _line, message, _comments, context in extract(method, source, KEYWORDS, options=options):
        yield shown, message, context


def _help(tree: ast.Module) -> Iterator[str]:
    """What commands and options show as help."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(_makes_command(decorator) for decorator in node.decorator_list):
            for _kept, text in paragraphs(ast.get_docstring(node) or ""):
                yield text
        elif isinstance(node, ast.keyword) and node.arg == "help" and isinstance(node.value, ast.Constant):
            yield node.value.value


def _labels(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Keys and texts of the report's labels; the key is the context."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "ENGLISH" and node.value is not None:
            yield from ast.literal_eval(node.value).items()


def _makes_command(decorator: ast.expr) -> bool:
    return (
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr in ("command", "group")
    )


def template() -> Catalog:
    """The messages without translations."""
    found = Catalog(project="commongarden", domain=DOMAIN, fuzzy=False, header_comment=_header(None))
    for where, message, context in messages():
        if message and message != "":
            found.add(message, locations=[(where, None)], context=context)
    return found


def read(language: str) -> Catalog:
    """A language's catalogue as it is kept; empty where there is none."""
    path = po(language)
    if not path.is_file():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language, domain=DOMAIN)


def updated(language: str) -> Catalog:
    """A language's catalogue with every message there is now and none that is gone."""
    kept, found = read(language), template()
    made = Catalog(
        locale=language, project="commongarden", domain=DOMAIN, fuzzy=False, header_comment=_header(language)
    )
    for message in found:
        if message.id:
            old = kept.get(message.id, message.context)
            text = old.string if old is not None and type(old.string) is type(_empty(message.id, made)) else None
            made.add(message.id, text or _empty(message.id, made), locations=message.locations, context=message.context)
    return made


def _empty(message: object, catalogue: Catalog) -> object:
    return "" if isinstance(message, str) else ("",) * catalogue.num_plurals


def _header(language: str | None) -> str:
    return f"# commongarden: {'messages' if language is None else language}. Made by `make catalogues`."


def po_text(catalogue: Catalog) -> bytes:
    """A catalogue as .po holds it; the same messages give the same bytes, whatever the day."""
    file = io.BytesIO()
    write_po(file, catalogue, width=110, omit_header=True, sort_by_file=False)
    plural = "" if catalogue.locale is None else f'"Plural-Forms: {catalogue.plural_forms}\\n"\n'
    language = "" if catalogue.locale is None else f'"Language: {catalogue.locale}\\n"\n'
    head = (
        f'{catalogue.header_comment}\nmsgid ""\nmsgstr ""\n"MIME-Version: 1.0\\n"\n'
        f'"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n{language}{plural}\n'
    )
    return head.encode() + file.getvalue()


def mo_bytes(language: str) -> bytes:
    """The compiled form of a language's .po as it is kept."""
    file = io.BytesIO()
    kept = read(language)
    made = Catalog(locale=language, fuzzy=False, project="", version="")
    for message in kept:
        if message.id and message.string:
            made.add(message.id, message.string, context=message.context)
    made.creation_date = datetime(2026, 1, 1, tzinfo=UTC)  # the same text gives the same bytes, whatever the day
    write_mo(file, made)
    return file.getvalue()


def po(language: str) -> Path:
    return CATALOGUES / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def kept() -> list[str]:
    """The languages that have a catalogue."""
    return sorted(path.parent.parent.name for path in CATALOGUES.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def main(new: list[str]) -> None:
    CATALOGUES.mkdir(exist_ok=True)
    (CATALOGUES / f"{DOMAIN}.pot").write_bytes(po_text(template()))
    for language in sorted({*kept(), *new}):
        path = po(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        catalogue = updated(language)
        path.write_bytes(po_text(catalogue))
        path.with_suffix(".mo").write_bytes(mo_bytes(language))
        lacking = sum(not message.string or message.string == ("",) for message in catalogue if message.id)
        print(f"{language}: {len(catalogue)} messages, {lacking} of them without a translation")


if __name__ == "__main__":
    main(sys.argv[1:])
