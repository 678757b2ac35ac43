"""Class names that are nearly the same: shown so that the difference is visible, merged where a person asks for it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from commongarden.data.listing import Candidate
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_

INVISIBLE = re.compile(r"[\u200b-\u200f\u2060\ufeff\u00ad]")
NUMBER = re.compile(r"0*(\d+)(?:\.0*)?")
SPACES = re.compile(r"[\s_\-]+")


def near(candidates: Sequence[Candidate]) -> list[tuple[str, ...]]:
    """Class names that differ in case, spaces, hyphens, invisible letters, width or the zeros of numbers
    alone; most photos first."""
    counts = Counter(candidate.label for candidate in candidates if candidate.label)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for label in sorted(counts):
        found[_key(label)].append(label)
    several = [labels for labels in found.values() if len(labels) > 1]
    return [tuple(sorted(labels, key=lambda label: (-counts[label], label))) for labels in several]


def merged(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates with one label for names that are nearly the same: the most frequent, without spaces around it."""
    kept = {label: labels[0].strip() for labels in near(candidates) for label in labels}
    return [replace(one, label=kept[one.label]) if one.label in kept else one for one in candidates]


def said(candidates: Sequence[Candidate], is_merged: bool) -> list[Coded]:
    """A note, as a record, for each set of names that are nearly the same."""
    counts = Counter(candidate.label for candidate in candidates if candidate.label)
    notes = []
    for labels in near(candidates):
        names = ", ".join(f"{visible(label)} ({counts[label]:,})" for label in labels)
        if is_merged:
            text = N_("merged into class {label}: {names}")
            notes.append(text.format(label=visible(labels[0].strip()), names=names))
        else:
            text = N_("these similar names are separate classes: {names}; --merge-classes merges them")
            notes.append(text.format(names=names))
    return notes


def visible(label: str) -> str:
    """The name in quotes, with what cannot be seen in it: spaces at its ends, several in a row, invisible letters."""
    return f"'{shown(label)}'"


def shown(label: str) -> str:
    """The name with what cannot be seen in it."""
    text = INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", label)
    inner = text.strip()
    before, after = len(text) - len(text.lstrip()), len(text) - len(text.rstrip())
    if inner:
        text = "␣" * before + inner + "␣" * after
    return text.replace("  ", "␣␣")


def _key(label: str) -> str:
    folded = unicodedata.normalize("NFKC", INVISIBLE.sub("", label)).casefold()
    if number := NUMBER.fullmatch(folded.strip()):  # 001, 1 and 1.0, as spreadsheets write them
        return number[1]
    return SPACES.sub(" ", folded).strip() or label
