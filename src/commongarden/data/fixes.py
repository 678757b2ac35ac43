"""CSV rows whose files are not there: the causes counted, each with the nearest fix."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from commongarden.data.tree import Tree, identity
from commongarden.errors import DataError
from commongarden.i18n.coded import NOTHING, Coded
from commongarden.i18n.language import N_, _, translate

MOST_FILES = 300_000  # below the CSV's folder, that are searched for the photos
MOST_LINES = 8
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True)
class Fix:
    """What makes of a written path that of a file: folders taken off and put before it, an ending, other letters."""

    removed: str = ""
    added: str = ""
    ending: str = ""
    other_case: bool = False


def causes(root: Path, missing: Sequence[str], n: int) -> list[str]:
    """A line for each cause, most frequent first. missing: paths as written, whose files are not there, of n rows."""
    addresses = Counter(said for path in missing if (said := address(path)))
    first = {address(path): path for path in reversed(missing)}
    paths = [path for path in missing if not address(path)]
    found: defaultdict[Fix | None, list[tuple[str, str]]] = defaultdict(list)
    index = _index(root) if paths else {}
    fixes = [_fixes(index, path) for path in paths]
    frequent = Counter(fix for options in fixes for fix in options)
    for path, options in zip(paths, fixes, strict=True):
        best = max(options, key=lambda fix: (frequent[fix], fix.added, fix.ending), default=None)
        found[best].append((path, options[best] if best is not None else ""))
    counted = [(len(pairs), _line(fix, pairs, n)) for fix, pairs in found.items()]
    for said, k in addresses.items():
        text = _("{k} of {n}: {reason} ({first})")
        counted.append((k, text.format(k=k, n=n, reason=translate(said), first=first[said])))
    return [line for _n, line in sorted(counted, key=lambda pair: -pair[0])[:MOST_LINES]]


def address(written: str) -> Coded:
    """Why a path that is an address names no file, as a record; "" for a path."""
    if not ADDRESS.match(written):
        return NOTHING
    if written.lower().startswith("file:"):
        return N_("a file URL; write the path only, without file://")
    return N_("a web URL; download the photo and write its path")


def _line(fix: Fix | None, pairs: Sequence[tuple[str, str]], n: int) -> str:
    written, there = pairs[0]
    if fix is None:
        return _("{k} of {n}: no such file ({first})").format(k=len(pairs), n=n, first=written)
    text = _("{k} of {n}: no such file; {where}: write '{there}' instead of '{written}'")
    return text.format(k=len(pairs), n=n, where=_said(fix), there=there, written=written)


def _said(fix: Fix) -> str:
    said = []
    if fix.added:
        said.append(_("they exist below {folder}/").format(folder=fix.added))
    elif fix.removed:
        said.append(_("they exist without {folder}/").format(folder=fix.removed))
    if fix.ending:
        said.append(_("with the extension {ending}").format(ending=fix.ending))
    if fix.other_case:
        said.append(_("with different upper and lower case"))
    text = ", ".join(said)
    return text if fix.added or fix.removed else _("they exist {how}").format(how=text)


def _index(root: Path) -> dict[str, list[str]]:
    """The files below a folder by their name without ending, in small letters."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    tree = Tree(root)
    try:
        for path in islice(tree.walk("", set()), MOST_FILES):
            found[_key(posixpath.splitext(posixpath.basename(path))[0])].append(path)
    except (DataError, OSError):  # a folder that may not be read hides what is in it
        identity(root)
    return found


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _fixes(index: dict[str, list[str]], written: str) -> dict[Fix, str]:
    """How the written path can be mended, with the path that it then is."""
    parts = [part for part in written.replace("\\", "/").split("/") if part not in ("", ".")]
    if not parts:
        return {}
    name = parts[-1]
    found: dict[Fix, str] = {}
    for stem in dict.fromkeys((_key(name), _key(posixpath.splitext(name)[0]))):
        for path in index.get(stem, ()):
            fix = _between(parts, path.split("/"), written.startswith(("/", "\\")))
            if fix is not None:
                found.setdefault(fix, path)
    longest = min((fix.removed.count("/") + bool(fix.removed) for fix in found), default=0)
    return {fix: path for fix, path in found.items() if fix.removed.count("/") + bool(fix.removed) == longest}


def _between(written: list[str], there: list[str], is_absolute: bool) -> Fix | None:
    ending = ""
    if _key(written[-1]) != _key(there[-1]):
        stem, ending = posixpath.splitext(there[-1])
        if _key(stem) not in (_key(written[-1]), _key(posixpath.splitext(written[-1])[0])):
            return None
    k = 1
    while k < min(len(written), len(there)) and _key(written[-1 - k]) == _key(there[-1 - k]):
        k += 1
    same = written[-k:] == there[-k:] if not ending else written[-k:-1] == there[-k:-1]
    if ending:
        same = same and there[-1].startswith(posixpath.splitext(written[-1])[0])
    removed = "/".join(written[:-k])
    return Fix(f"/{removed}" if is_absolute and removed else removed, "/".join(there[:-k]), ending, not same)
