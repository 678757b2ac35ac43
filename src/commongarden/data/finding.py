"""What lies at a source, found and checked before any photo is decoded: files, classes, parts, groups, first bytes."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from pathlib import Path

from commongarden.data import classes, coco, fixes, groups, image, losses, regular, remote, shards, table
from commongarden.data.headers import looked_at
from commongarden.data.listing import Candidate, in_folder, in_table
from commongarden.data.listing import Listed as Listed
from commongarden.data.parts import ACCEPTED
from commongarden.errors import DataError, nearest
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_, _
from commongarden.io.terminal import NOT_IN_NAMES
from commongarden.study.reading import DataOptions

DEFAULT = DataOptions()
MASK_NAME = re.compile(r"(.*[^_\s-])[_ -]+(?:mask|seg|segmentation|label|gt)(?:[_ -]?\d+)?", re.IGNORECASE)
FEWEST_MASKS = 3
UNCHECKED = N_("class {label} has no photos in the validation set and does not affect which epoch is chosen")
UNTESTED = N_("class {label} has no photos in the test set: its accuracy is not measured")


def find(
    source: str,
    options: DataOptions = DEFAULT,
    *,
    keep_going: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    earlier: Set[str] = frozenset(),
) -> Listed:
    """Lists the files of `source` and looks at their first bytes; quick, and without any library that decodes.

    source: a folder of class folders (folders inside one belong to the class), a folder of train, val and test
    folders with class folders in each, a CSV file (path,label[,split][,group], paths from its own folder), a
    file of COCO annotations (coco.py), tar or Parquet shards (shards.py), an address of a folder (remote.py), or
    "builtin:NAME[/N]" (drawn_tasks.py). keep_going: what is lost is noted and not refused. on_progress(done, total) is
    called after each file. earlier: of a CSV file, "part" and "group" where only columns are wanted that earlier
    versions read.

    Raises DataError for a layout that is none of these (layout.AmbiguousError for one that may be several), for fewer
    than two classes, and unless `keep_going` for a class without photos, a class that a declared part lacks, and more
    than 5 % of files that cannot be photos; RemoteError for an address that cannot be reached.
    """
    path, is_elsewhere = Path(source), source.startswith(image.BUILTIN) or remote.is_remote(source)
    inside = [] if is_elsewhere else shards.of_source(path)
    if options.layout and (inside or is_elsewhere or not path.is_dir()):
        message = _(
            "{source}: found layout {layout!r}, which applies to folders of photos only; accepted here: no layout"
        )
        raise DataError(message.format(source=source, layout=options.layout))
    if source.startswith(image.BUILTIN):
        drawn = tuple(_grouped([Candidate(*place) for place in _drawn(source)], options))
        return Listed(source, source, drawn, N_("Layout: synthetic photos with built-in classes"))
    if remote.is_remote(source):
        found = shards.at_address(source)
    elif path.is_dir() and not inside:
        found = in_folder(path, options.layout)
    elif inside:
        found = shards.listed(path, inside)
    elif path.is_file() and path.suffix.lower() == coco.ENDING:
        found = coco.listed(path)
    elif path.is_file() and path.suffix.lower() in table.ENDINGS:
        found = in_table(path, bool(options.group_by), earlier)
    else:
        message = _("{source}: {problem}; {accepted}")
        raise DataError(message.format(source=source, problem=_why_not(path), accepted=_(ACCEPTED)))
    root = found.root
    candidates = [_valid_name(candidate) for candidate in found.candidates]
    notes = [*found.notes, *classes.said(candidates, options.merge_classes)]
    if options.merge_classes:
        candidates = classes.merged(candidates)
    candidates.sort(key=lambda candidate: candidate.path)
    candidates = list(image.in_threads(partial(looked_at, root), candidates, on_progress))
    notes += _check_there(source, Path(root), candidates, keep_going)
    candidates = _grouped(candidates, options)
    notes += _masks(candidates)
    if not any(one.group for one in candidates) and (suggestion := groups.suggested(candidates)) is not None:
        notes.append(suggestion.said)
    layout, shown = _printable(found.layout), tuple(map(_printable, notes))
    return checked(replace(found, source=source, candidates=tuple(candidates), layout=layout, notes=shown), keep_going)


def _masks(candidates: Sequence[Candidate]) -> list[Coded]:
    """A note where files look like the masks of other photos, by their names."""
    stems = {posixpath.splitext(one.path)[0] for one in candidates if one.label}
    folders = {posixpath.dirname(one.path) for one in candidates if one.label}
    masks = [
        path
        for path in sorted(stems)
        if any((found := MASK_NAME.fullmatch(name)) and found[1] in beside
               for name, beside in ((path, stems), (posixpath.dirname(path), folders)))
    ]  # fmt: skip
    if len(masks) < FEWEST_MASKS:
        return []
    text = N_("files named like masks of other photos: {n}, such as {path}; they are used as photos")
    return [text.format(n=len(masks), path=masks[0])]


def _printable(text: Coded) -> Coded:
    """Text that names folders, without what could not be written or would act on a terminal."""
    return text.changed(lambda part: NOT_IN_NAMES.sub("?", part.encode("utf-8", "replace").decode()))


def _grouped(candidates: list[Candidate], options: DataOptions) -> list[Candidate]:
    return groups.grouped(candidates, options.group_by) if options.group_by else candidates


def checked(listed: Listed, keep_going: bool) -> Listed:
    """What is found in classes and parts: refused, or left out with a note where the study is to go on."""
    left_out = listed.left_out
    notes = losses.fallen(losses.by_class(listed.candidates, left_out))
    if not keep_going and left_out:
        losses.check(listed.source, listed.candidates, left_out)
    candidates, said = _in_parts(listed, keep_going)
    check_classes(listed, {one.label for one in candidates if not one.reason} - {""})
    new = [note for note in (*notes, *said) if note not in listed.notes]
    return replace(listed, candidates=tuple(candidates), notes=(*listed.notes, *new))


def _in_parts(listed: Listed, keep_going: bool) -> tuple[list[Candidate], list[Coded]]:
    """The candidates, without the classes that the training set lacks; and a note for each class that a part lacks."""
    candidates = list(listed.candidates)
    labels: defaultdict[str, set[str]] = defaultdict(set)
    for one in candidates:
        if not one.reason:
            labels[one.part].add(one.label)
    if set(labels) <= {""}:
        return candidates, []
    if "train" not in labels:
        message = _("{source}: found the sets {labels}; accepted: train, with or without val and test")
        raise DataError(message.format(source=listed.source, labels=", ".join(labels)))
    lacking = losses.by_part(labels)
    if lacking and not keep_going:
        raise DataError(_lacks(listed.source, labels, lacking))
    gone = {label for part, label in lacking if part == "train"}
    unlearned = N_("class {label} is excluded: it has no photos in the training set")
    texts = {"train": unlearned, "val": UNCHECKED, "test": UNTESTED}
    told = [(part, label) for part, label in lacking if part == "train" or label not in gone]
    notes = [texts[part].format(label=repr(label)) for part, label in told]
    return [
        replace(one, reason=losses.NO_TRAINING) if one.label in gone and not one.reason else one for one in candidates
    ], notes


def _lacks(source: str, labels: Mapping[str, set[str]], lacking: Sequence[tuple[str, str]]) -> str:
    part, label = lacking[0]
    meaning = {
        "train": _("excludes the class and its photos"),
        "val": _("continues, and selects the best epoch without this class"),
        "test": _("continues, and does not measure the accuracy of this class"),
    }
    more = _(" (and {n} more)").format(n=len(lacking) - 1) if len(lacking) > 1 else ""
    return _(
        "{source}: class {label!r} has no readable photo in the {part} set{more}; accepted: every "
        "class in each of {labels}, or --keep-going, which {meaning}"
    ).format(source=source, label=label, part=_(part), more=more, labels=", ".join(labels), meaning=meaning[part])


def _check_there(source: str, root: Path, candidates: Sequence[Candidate], keep_going: bool) -> list[Coded]:
    """Files that a CSV names and that are not there: refused with the nearest fix where they are many, else noted."""
    missing = [one.written for one in candidates if one.written]
    if not missing:
        return []
    left = {one.label for one in candidates if not one.reason}
    if len(missing) <= losses.MOST_UNREADABLE * len(candidates) or (keep_going and len(left) > 1):
        return []
    lines = "".join(f"\n  {line}" for line in fixes.causes(root, missing, len(candidates)))
    message = _("{source}: {k} of {n} photos were not found in {root}/:{lines}")
    hint = _("\nUse --keep-going to continue without them.") if len(left) > 1 else ""
    k, n = len(missing), len(candidates)
    raise DataError(message.format(source=source, k=k, n=n, root=root.as_posix(), lines=lines) + hint)


def _drawn(source: str) -> Iterator[tuple[str, str]]:
    from commongarden.data.drawn_tasks import task

    for index in range(image.builtin_photos(source)):
        label = task(source).label(index)
        yield f"{label}/{index:05d}.png", label


def _valid_name(candidate: Candidate) -> Candidate:
    """A name that is no Unicode cannot be written to a manifest; one with control characters could do harm where it is
    shown."""
    shown = candidate.path.encode("utf-8", "replace").decode()
    if shown != candidate.path:
        return replace(candidate, path=shown, label="", reason=N_("its name is not valid Unicode; rename it"))
    if NOT_IN_NAMES.search(shown):
        shown = NOT_IN_NAMES.sub(lambda found: repr(found[0])[1:-1], shown)
        return replace(candidate, path=shown, label="", reason=N_("its name contains control characters; rename it"))
    return candidate


def _why_not(path: Path) -> str:
    if path.exists() and not path.is_file():
        return _(regular.NOT_REGULAR)
    if path.exists():
        return _("not a CSV file")
    try:
        siblings = [entry.name for entry in path.parent.iterdir() if entry.is_dir() or entry.suffix.lower() == ".csv"]
    except OSError:
        siblings = []
    near = nearest(path.name, siblings)
    hint = _("; did you mean {near!r}?").format(near=(path.parent / near[0]).as_posix()) if near else ""
    return _("no such folder or file") + hint


def check_classes(listed: Listed, labels: set[str]) -> None:
    if len(labels) >= 2:
        return
    found = _("1 class ({label})").format(label=next(iter(labels))) if labels else _("no class")
    lines = losses.lines(losses.by_class(listed.candidates, listed.left_out))
    message = _("{source}: found {found} with photos; accepted: at least 2 classes. {accepted}")
    accepted = "\n  ".join([_("Left out:"), *lines]) if lines else _(ACCEPTED)[:1].upper() + _(ACCEPTED)[1:]
    raise DataError(message.format(source=listed.source, found=found, accepted=accepted))
