"""Photos that belong together (of one patient, plant, video): by a person's expression, and where names suggest it."""

from __future__ import annotations

import json
import posixpath
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from commongarden.data.listing import Candidate
from commongarden.errors import DataError
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_, _
from commongarden.io.terminal import NOT_IN_NAMES

# plant12_03, IMG_0001_a, patient7-2, video3_frame0012: a number, then a number, a letter or a word with a number
_NAME = re.compile(r"(?P<group>.*\d)[_ .(-]+(?:[A-Za-z]|[A-Za-z]*\d+)\)?\.\w+")
_MOMENT = re.compile(r"(19|20)\d{6}[_ .-]?\d{4,6}")  # when it was taken: no number of what it shows
_COUNTED = r"[_ .(-]+[A-Za-z]*\d*\)?"
WHOLE = rf"^(.*\d){_COUNTED}\.\w+$"
OF_A_NAME = rf"([^/]*\d){_COUNTED}\.\w+$"
SOME = rf"^(.*?)(?:(?<=\d){_COUNTED})?\.\w+$"  # a photo whose name has no number behind its own is a group of one
# words of what may have photos in several classes
ACROSS = re.compile(r"(patient|subject|person|case|donor|animal|mouse|slide|video|clip)", re.IGNORECASE)
MOST_SECONDS, PATHS_PER_SECOND = 5.0, 20_000  # of an expression's search
SEARCHING = Path(__file__).with_name("searching.py")
FEWEST = 6  # photos
LEAST_NAMED = 0.9
MOST_IN_ONE = 0.5


@dataclass(frozen=True)
class Suggested:
    """Groups that the names of photos suggest. example: two paths of one group."""

    expression: str
    n_groups: int
    n_photos: int
    example: tuple[str, str]

    @property
    def said(self) -> Coded:
        """A note, as a record."""
        return N_(
            "the file names suggest {n_groups} groups of photos ({one} and {two}): if photos of a "
            "group are related, keep each group in one set with --group-by '{expression}'"
        ).format(n_groups=self.n_groups, one=self.example[0], two=self.example[1], expression=self.expression)


def grouped(candidates: Sequence[Candidate], expression: str) -> list[Candidate]:
    """The candidates with the group that the expression finds in their paths. Raises DataError where it finds none in
    one of them."""
    found: list[Candidate] = []
    missed = []
    names = iter(_matched(expression, [one.path for one in candidates if not one.reason]))
    for one in candidates:
        if one.reason:
            found.append(one)
            continue
        group = next(names)
        if not group.strip() or NOT_IN_NAMES.search(group):
            missed.append(one.path)
        found.append(replace(one, group=group.strip()))
    if missed:
        n = sum(not one.reason for one in candidates)
        message = _(
            "--group-by {expression!r}: found no group in {k} of {n} paths, such as {path}; accepted: "
            "a regular expression that matches every path and captures the group's name in its first "
            "parentheses"
        )
        raise DataError(message.format(expression=expression, k=len(missed), n=n, path=missed[0]))
    return found


def _matched(expression: str, paths: Sequence[str]) -> list[str]:
    """What the expression finds in each path, "" for nothing. In a process of its own: some expressions take years
    for a path, and a search cannot be stopped from within."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(SEARCHING)],
            input=json.dumps([expression, *paths]),
            capture_output=True,
            text=True,
            encoding="ascii",
            timeout=MOST_SECONDS + len(paths) / PATHS_PER_SECOND,
            check=True,
        )
    except subprocess.TimeoutExpired as late:
        message = _(
            "--group-by {expression!r}: matching {n} paths takes longer than {seconds:.0f} s; "
            "accepted: an expression without nested repetition such as (a+)+"
        )
        raise DataError(message.format(expression=expression, n=len(paths), seconds=late.timeout)) from None
    found: list[str] = json.loads(done.stdout)
    return found


def suggested(candidates: Sequence[Candidate]) -> Suggested | None:
    """Groups that numbered names suggest; None where numbers only count the photos."""
    photos = [one for one in candidates if not one.reason and one.label]
    found: defaultdict[str, list[Candidate]] = defaultdict(list)
    is_across = False
    for one in photos:
        name = posixpath.basename(one.path)
        match = _NAME.fullmatch(name)
        if match is not None and not _MOMENT.search(name):
            is_across |= ACROSS.search(match["group"]) is not None
            folder = "" if is_across else posixpath.dirname(one.path)
            found[posixpath.join(folder, match["group"])].append(one)
    n = sum(map(len, found.values()))
    if len(photos) < FEWEST or n < LEAST_NAMED * len(photos) or len(found) < 2 or n < 1.5 * len(found):
        return None
    of_a_class = Counter(label for members in found.values() for label in {one.label for one in members})
    if max(map(len, found.values())) > MOST_IN_ONE * n or min(of_a_class.values()) < 2:
        return None
    members = max(found.values(), key=len)
    expression = SOME if n < len(photos) else OF_A_NAME if is_across else WHOLE
    return Suggested(expression, len(found), n, (members[0].path, members[1].path))
