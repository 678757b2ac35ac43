"""For the API reference: fields that a docstring of a class describes as `name: text` are a list, with their types.

mkdocstrings loads this extension of griffe by its path, which mkdocs.yml names.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import griffe

ENTRY = re.compile(r"(?:^|(?<=[.;,]) )(\w+(?:, \w+)*): ")


def with_fields(text: str, fields: Collection[str]) -> str:
    """A docstring whose paragraphs of `name: text` lines are an Attributes section.

    >>> print(with_fields("A run.\\n\\nseed: its number,\\n    from 0.\\n\\nMore.", ["seed"]))
    A run.
    <BLANKLINE>
    More.
    <BLANKLINE>
    Attributes:
        seed: its number, from 0.
    """
    kept, found = [], []
    for paragraph in text.split("\n\n"):
        prose, entries = _entries(paragraph, fields)
        found += entries
        kept += [prose] if prose else []
    if not found:
        return text
    section = [f"    {name}: {described}" for names, described in found for name in names.split(", ")]
    return "\n\n".join([*kept, "\n".join(["Attributes:", *section])])


def _entries(paragraph: str, fields: Collection[str]) -> tuple[str, list[tuple[str, str]]]:
    """The prose that a paragraph begins with, and its entries: the first at a line's beginning, others there or after
    a sentence."""

    def begun(text: str) -> list[re.Match[str]]:
        return [one for one in ENTRY.finditer(text) if one[1].split(", ")[0] in fields]

    lines = paragraph.splitlines()
    first = next((i for i, line in enumerate(lines) if any(not one.start() for one in begun(line))), len(lines))
    rest = " ".join(" ".join(lines[first:]).split())
    entries = begun(rest)
    if not entries:
        return paragraph, []
    ends = [one.start() for one in entries[1:]] + [len(rest)]
    found = [(one[1], rest[one.end() : end].strip(" ;")) for one, end in zip(entries, ends, strict=True)]
    return "\n".join(lines[:first]), found


class Fields(griffe.Extension):
    """Rewrites the docstrings of classes when they are read."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        if cls.docstring and "Attributes:" not in cls.docstring.value:
            cls.docstring.value = with_fields(cls.docstring.value, cls.members)
