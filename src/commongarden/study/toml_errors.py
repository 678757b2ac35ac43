"""What is wrong with TOML text, in our words: tomllib's are English, and name no remedy."""

from __future__ import annotations

import re

from commongarden.i18n.language import N_, _

PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
TABLE = re.compile(r"\(((?:'[^']*',? ?)+)\)")
VALUE = N_("not a value; accepted: text in quotes, a number, true, false, or a list such as [1, 2]")
# what tomllib says (Lib/tomllib/_parser.py), by how it begins
REASONS = {
    "Invalid statement": N_("neither KEY = VALUE nor [SECTION]"),
    "Expected newline or end of document": N_("more text after the value; accepted: one KEY = VALUE per line"),
    "Expected '=' after a key": N_('no "=" after the key; accepted: KEY = VALUE'),
    "Expected ']' at the end": N_('no "]" at the end of the section; accepted: [SECTION]'),
    "Expected ']]' at the end": N_('no "]]" at the end of the section; accepted: [[SECTION]]'),
    "Invalid initial character for a key part": N_(
        "not a key; accepted: letters, digits, - and _, or any text in quotes"
    ),
    "Unclosed array": N_('no "]" at the end of the list, or no "," between its values'),
    "Unclosed inline table": N_("no closing brace at the end of the table, or no comma between its keys"),
    "Unescaped": N_("a single backslash in text in double quotes; accepted: 'single quotes', or two backslashes"),
    "Invalid hex value": N_("\\x, \\u or \\U without its digits; accepted: text in 'single quotes'"),
    "Escaped character is not": N_("\\u or \\U with a number that is no character"),
    "Unterminated string": N_("no quote at the end of the text"),
    "Illegal character": N_("a line break or control character within the text"),
    "Found invalid character": N_("a control character"),
    "Invalid date or datetime": N_("a date that does not exist; accepted: text in quotes"),
    "Invalid value": VALUE,
    "Duplicate inline table key": N_("duplicate key"),
    "Cannot overwrite a value": N_("duplicate key or section"),
    "Cannot declare": N_("duplicate section"),
    "Cannot redefine namespace": N_("duplicate section, once as [SECTION] and once as [[SECTION]]"),
    "Cannot mutate immutable namespace": N_("duplicate key or section"),
}


def sentence(error: ValueError | RecursionError, text: str) -> str:
    """The message for what tomllib raised while it read `text`: the line, what is wrong with it, the line itself."""
    if isinstance(error, RecursionError):
        return _("lists or tables nested too deeply")
    said = str(error)
    place = PLACE.search(said)
    reason = next((_(ours) for theirs, ours in REASONS.items() if said.startswith(theirs)), "")
    if place is None:
        return reason or _(VALUE)
    if place[1] is None:
        return _("at the end of the file: {reason}").format(reason=reason or said[: place.start()])
    number, column = int(place[1]), int(place[2])
    lines = text.split("\n")
    key = ".".join(re.findall(r"'([^']*)'", found[1])) if (found := TABLE.search(said[: place.start()])) else ""
    if key and (first := _first(key, lines[: number - 1])):
        reason = _("duplicate {key}, first in line {first}; accepted: one of them").format(key=key, first=first)
    line = lines[number - 1].replace("\t", " ")
    shown = f"\n    {line}\n    {' ' * (column - 1)}^" if line.strip() and len(line) < 200 else ""
    return _("line {number}: {reason}").format(number=number, reason=reason or said[: place.start()]) + shown


def _first(key: str, lines: list[str]) -> int | None:
    """The number of the line that writes this key or section first."""
    pattern = re.compile(rf"\s*(?:\[+\s*{re.escape(key)}\s*\]|{re.escape(key)}\s*=)")
    return next((i for i, line in enumerate(lines, 1) if pattern.match(line)), None)
