"""Texts of studies that came with the package are messages of the catalogues; those of other studies are a person's."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

from commongarden.i18n.language import _
from commongarden.study import moved
from commongarden.study.file import builtin_studies


def text_of(text: str) -> str:
    """A study's description, or where its published figures come from: in the language in use if it came with the
    package, else as it was written."""
    return _(text) if text and text in _texts() else text


@cache
def _texts() -> frozenset[str]:
    folder = resources.files("commongarden") / "studies"
    tables = [tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8")) for name in builtin_studies()]
    pairs = (("study", "description"), ("published", "source"))
    found = [table[part][key] for table in tables for part, key in pairs if key in table.get(part, {})]
    return frozenset((*found, *moved.TEXTS))
