"""A study's data listed and checked before anything is loaded that takes seconds; and read as the study was begun."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from commongarden import store as store_files
from commongarden.data import finding, folder, losses
from commongarden.data.ambiguity import AmbiguousError
from commongarden.data.finding import Listed
from commongarden.data.remote import is_remote
from commongarden.data.split import too_few_groups
from commongarden.errors import DataError, StoreError
from commongarden.i18n.language import _, translate
from commongarden.records import Manifest, Understood
from commongarden.store import Store
from commongarden.study import DataOptions, DataPlan, Study

Choose = Callable[[AmbiguousError], str]
OnProgress = Callable[[int, int], None]  # how many files are checked, how many there are


def listed(plan: DataPlan, root: Path, *, keep_going: bool = False, on_progress: OnProgress | None = None) -> Listed:
    """The files of the study's data, as `data.finding.find` gives them, read as they were when the study in `root` was
    begun: with the layout that is stored there, and by an earlier version without recognizing any.

    Raises DataError.
    """
    kept, before = _stored(root)
    undeclared = set() if before is None else _undeclared(before)
    options = plan.reading
    if kept is not None and not options.layout:
        options = replace(options, layout=kept.reading.layout)

    def find(layout: str) -> Listed:
        read = replace(options, layout=layout)
        return finding.find(plan.data, read, keep_going=keep_going, on_progress=on_progress, earlier=undeclared)

    if before is None:
        new = find(options.layout)
        if reason := too_few_groups(new.candidates, plan.split, plan.folds):
            raise DataError(reason)
        return new
    places = {(photo.path, photo.label, photo.part) for photo in before.photos}
    try:
        found, error = _without_new_groups(find(options.layout), plan, before), None
        if options.layout or not Path(plan.data).is_dir() or places <= _places(found):
            return found
    except DataError as refused:
        if options.layout or not Path(plan.data).is_dir():
            raise
        found, error = None, refused
    with suppress(DataError):
        earlier = find("parts" if any(photo.part for photo in before.photos) else "classes")
        if places <= _places(earlier):
            return earlier
    if found is None:
        assert error is not None
        raise error
    return found


def chosen(
    plan: DataPlan, root: Path, keep_going: bool, choose: Choose | None, on_progress: OnProgress | None = None
) -> tuple[DataOptions, Listed]:
    """How a study's data are read, and their files; choose is asked where there are several ways, and its answer is
    then among the options. Raises DataError."""
    try:
        return plan.reading, listed(plan, root, keep_going=keep_going, on_progress=on_progress)
    except AmbiguousError as error:
        if choose is None:
            raise
        plan = replace(plan, reading=replace(plan.reading, layout=choose(error)))
        return plan.reading, listed(plan, root, keep_going=keep_going, on_progress=on_progress)


def said(found: Listed) -> Iterator[str]:
    """What is reported first of all: how the data were understood, and what a person should know of them."""
    yield translate(found.layout)
    for note in found.notes:
        yield _("note: {text}").format(text=translate(note))


def keep(store: Store, found: Listed, manifest: Manifest) -> None:
    """Keeps beside the study how its data were understood and what each class loses, without the folders that the data
    lie in."""
    said = (*found.notes, *losses.records(folder.lost(found, manifest)))
    folder_of = f"{found.source if is_remote(found.source) else Path(found.source).as_posix()}/"
    notes = tuple(note.changed(lambda text: text.replace(folder_of, "")) for note in said)
    kept = msgspec.json.encode(Understood(found.layout, notes))
    store_files.keep(store.root, store_files.UNDERSTOOD, msgspec.json.format(kept, indent=1))


def _stored(root: Path) -> tuple[Study | None, Manifest | None]:
    """The study and the photos in a folder; None for what is missing or cannot be read, which is reported elsewhere."""
    try:
        store = store_files.open_store(root)
        study = store.study()
    except StoreError:
        return None, None
    try:
        return study, store.manifest()
    except StoreError:
        return study, None


def _places(found: Listed) -> set[tuple[str, str, str]]:
    return {(one.path, one.label, one.part) for one in found.candidates}


def _undeclared(before: Manifest) -> set[str]:
    """What no photo of a study has: columns that earlier versions did not read are not read for it."""
    return {key for key in ("part", "group") if not any(getattr(photo, key) for photo in before.photos)}


def _without_new_groups(found: Listed, plan: DataPlan, before: Manifest) -> Listed:
    """A CSV's column of groups is not read for a study that was begun without."""
    if plan.reading.group_by or any(photo.group for photo in before.photos):
        return found
    return replace(found, candidates=tuple(replace(one, group="") for one in found.candidates))
