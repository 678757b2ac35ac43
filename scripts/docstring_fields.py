"""For the API reference: fields that a docstring of a class describes as `name: text` are a list, with their types.

mkdocstrings loads this extension of griffe by its path, which mkdocs.yml names.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import griffe

ENTRY = re.compile(r"^(\w+(?:, \w+)*): +(\S.*)$")


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
        entries = _entries(paragraph, fields)
        found += entries
        kept += [] if entries else [paragraph]
    if not found:
        return text
    section = [f"    {name}: {described}" for names, described in found for name in names.split(", ")]
    return "\n\n".join([*kept, "\n".join(["Attributes:", *section])])


def _entries(paragraph: str, fields: Collection[str]) -> list[tuple[str, str]]:
    """The entries of a paragraph; none where it is prose."""
    entries: list[tuple[str, str]] = []
    for line in paragraph.splitlines():
        begun = ENTRY.match(line)
        if begun and begun[1].split(", ")[0] in fields:
            entries.append((begun[1], begun[2]))
        elif not entries:
            return []
        else:
            entries[-1] = (entries[-1][0], f"{entries[-1][1]} {line.strip()}")
    return entries


class Fields(griffe.Extension):
    """Rewrites the docstrings of classes when they are read."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        if cls.docstring and "Attributes:" not in cls.docstring.value:
            cls.docstring.value = with_fields(cls.docstring.value, cls.members)
