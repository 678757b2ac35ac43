"""Photos that do not take part, counted by class: what stops a study, and what is noted if it continues."""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from commongarden.data.listing import Candidate
from commongarden.errors import DataError
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_, _, translate
from commongarden.records import LeftOut

MOST_UNREADABLE = 0.05
CONFLICT = "conflicting"  # how the reason of a photo with several labels begins
TEXTS = frozenset(
    ("", ".txt", ".md", ".rst", ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".csv", ".tsv", ".json", ".jsonl", ".xml",
     ".yaml", ".yml", ".toml", ".ini", ".cfg", ".html", ".css", ".js", ".py", ".pyc", ".ipynb", ".r", ".m", ".sh",
     ".bat", ".log", ".db", ".url", ".lnk")
)  # fmt: skip
MOST_LINES = 8
NO_TRAINING = N_("its class has no photos in the training set")


@dataclass(frozen=True)
class Loss:
    """Photos of a class, and how many of them cannot be read; reason: the most frequent one."""

    label: str
    n: int
    n_lost: int
    reason: Coded

    @property
    def is_whole(self) -> bool:
        return self.n_lost == self.n


def by_class(candidates: Sequence[Candidate], left_out: Sequence[LeftOut]) -> list[Loss]:
    """The classes that lose photos, those that lose all first."""
    reasons = {out.path: out.text for out in left_out if out.reason != NO_TRAINING}
    n: Counter[str] = Counter()
    lost: defaultdict[str, Counter[Coded]] = defaultdict(Counter)
    for one in candidates:
        if not one.label or not (one.counts or one.path not in reasons):
            continue
        n[one.label] += 1
        if one.path in reasons:
            lost[one.label][reasons[one.path].changed(partial(_without, one.path))] += 1
    for label, reasons_of in _without_photos(candidates, reasons).items():
        n[label], lost[label] = reasons_of.total(), reasons_of
    found = [Loss(label, n[label], why.total(), why.most_common(1)[0][0]) for label, why in lost.items()]
    return sorted(found, key=lambda loss: (not loss.is_whole, -loss.n_lost / loss.n, loss.label))


def _without(path: str, text: str) -> str:
    return text.replace(path, "").strip(" :")


def _without_photos(candidates: Sequence[Candidate], reasons: Mapping[str, Coded]) -> dict[str, Counter[Coded]]:
    """The class folders that hold no photo and nothing named as one, but other files than texts and programs."""
    found: defaultdict[str, Counter[Coded]] = defaultdict(Counter)
    others: set[str] = set()
    for one in candidates:
        reason = reasons.get(one.path)
        if not one.label or one.counts or not reason or reason.startswith(CONFLICT):
            others |= {one.label}
        elif posixpath.splitext(one.path)[1].lower() not in TEXTS:
            found[one.label][reason] += 1
    return {label: counted for label, counted in found.items() if label not in others}


def records(found: Sequence[Loss]) -> list[Coded]:
    """A sentence for each class that loses photos, as a record."""
    text = N_("class {label}: {n_lost} of {n} photos cannot be read ({reason})")
    return [
        text.format(label=repr(loss.label), n_lost=f"{loss.n_lost:,}", n=f"{loss.n:,}", reason=loss.reason)
        for loss in found
    ]


def lines(found: Sequence[Loss]) -> list[str]:
    """A line for each class that loses photos."""
    said = [translate(record) for record in records(found)]
    if len(said) > MOST_LINES:
        said[MOST_LINES:] = [_("and {n} more").format(n=len(said) - MOST_LINES)]
    return said


def fallen(found: Sequence[Loss]) -> list[Coded]:
    """A note, as a record, for each class of which no photo can be read."""
    text = N_("class {label} is excluded: none of its {n} photos can be read ({reason})")
    return [text.format(label=repr(loss.label), n=loss.n, reason=loss.reason) for loss in found if loss.is_whole]


def check(source: str, candidates: Sequence[Candidate], left_out: Sequence[LeftOut]) -> None:
    """Refuses a class of which nothing can be read, and more than 5 % of all. Raises DataError."""
    counted = {one.path for one in candidates if one.counts}
    unreadable = [out for out in left_out if out.path in counted]
    found = by_class(candidates, left_out)
    whole = [loss for loss in found if loss.is_whole]
    shown = "".join(f"\n  {line}" for line in lines(whole or found))
    if whole:
        n = len({one.label for one in candidates if one.label})
        message = _(
            "{source}: none of the photos can be read in {k} of {n} classes:{shown}\nConvert the "
            "photos or remove the folders; use --keep-going to continue without these classes."
        )
        raise DataError(message.format(source=source, k=len(whole), n=n, shown=shown))
    if len(unreadable) <= MOST_UNREADABLE * len(counted):
        return
    files = "".join(f"\n  {out.path}: {translate(out.text)}" for out in unreadable[:3])
    more = _("\n  and {n} more").format(n=len(unreadable) - 3) if len(unreadable) > 3 else ""
    message = _(
        "{source}: {n_unreadable} of {n} photos cannot be read, more than "
        "{share:.0%}:{shown}{more}\nRepair or remove them, or use --keep-going to skip them."
    )
    counts = {"n_unreadable": len(unreadable), "n": len(counted), "share": MOST_UNREADABLE}
    raise DataError(message.format(source=source, shown=shown + files, more=more, **counts))


def by_part(labels: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """(part, class) for each class that a declared part lacks, the training set first."""
    everywhere = set().union(*labels.values())
    ordered = sorted(labels, key=lambda part: (part != "train", part))
    return [(part, label) for part in ordered for label in sorted(everywhere - labels[part])]
