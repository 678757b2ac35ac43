"""The first of a study's four steps: what is wrong is found, the data are prepared, the store is opened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from commongarden import arch
from commongarden import store as store_files
from commongarden.data import folder, losses
from commongarden.data.finding import Listed
from commongarden.i18n.language import _, ngettext, translate
from commongarden.records import LeftOut, inspection
from commongarden.runner import baselines, plan, processes, sources
from commongarden.runner.display import Display
from commongarden.runner.options import RunOptions
from commongarden.runner.prepared_data import PreparedData, prepare_data
from commongarden.stats import looks
from commongarden.store import Store
from commongarden.study import Study

SHOWN = 3  # files that a note names


def check_networks(study: Study) -> None:
    """Raises ArchError for a network that cannot be built at its size, before any photo is read."""
    for name, arm in study.arms.items():
        if arm.origin is None:  # others are measured as soon as the number of classes is known
            resolution = study.recipe_of(name).resolution
            arch.trace(arm.network(2), (resolution, resolution, 3))


def prepare_study(
    study: Study,
    root: Path,
    device: str,
    options: RunOptions,
    display: Display,
    listed: Listed | None,
    *,
    trains_here: bool = True,
) -> tuple[Store, PreparedData]:
    """The store with the study as it will be made, and its data. listed: the data's files, if they were listed and
    reported before. trains_here: whether processes of this machine make the runs.

    Raises CommonGardenError.
    """
    for recovered in store_files.recover(Store(root)):
        display.note(recovered)
    if listed is None:  # what is wrong with the data is found before anything is loaded
        listed = sources.listed(study.data_plan, root, keep_going=options.keep_going)
        for said in sources.said(listed):
            display.note(said)
    if trains_here and plan.pending(study, Store(root)):
        processes.prepare()
    before = Store(root).study() if (root / "study.toml").is_file() else None
    store, prepared = prepare_data(
        study,
        root,
        options.cache_folder,
        keep_going=options.keep_going,
        on_progress=display.prepare,
        cache_budget=options.cache_budget,
        tell=display.note,
        device=plan.devices(device)[0],
        listed=listed,
    )
    if not options.until and not options.budget and len(store.study().seeds) > len(study.seeds):
        text = _("note: the study keeps its {n} seeds; --name starts another study, with fewer")
        display.note(text.format(n=len(store.study().seeds)))
    study = store.study()
    if before is not None and len(study.seeds) > len(before.seeds) and not options.until and not options.budget:
        looks.keep_look(store, before)
    for note in _notes(study, store, prepared, listed):
        display.note(note)
    command = {"argv": list(options.argv), "version": plan.machine().packages.get("commongarden", "")}
    store_files.keep(store.root, "command.json", json.dumps(command, ensure_ascii=False).encode())
    smallest = min(map(study.recipe_of, study.arms), key=lambda recipe: recipe.resolution)
    baselines.keep(store, prepared, study.seeds, smallest, display.prepare, display.note)
    if options.retry:
        for run in store.runs():
            if run.status == "failed":
                store_files.forget_run(store, run.arm, run.seed)
    return store, prepared


def _notes(study: Study, store: Store, prepared: PreparedData, listed: Listed) -> Iterator[str]:
    """What a person should know of the networks and the photos before the runs."""
    for name, arm in study.arms.items():
        for note in arm.origin.texts if arm.origin is not None else ():
            yield _("note: {arm}: {what}").format(arm=name, what=translate(note))
    if prepared.manifest.left_out:
        yield left_out(prepared.manifest.left_out, losses.lines(folder.lost(listed, prepared.manifest)))
    if prepared.split.left_out:
        yield _in_no_part(prepared.split.left_out)
    yield from inspection.greys(prepared.manifest)
    found = store.inspection()
    warnings = [] if found is None else inspection.warnings(found, prepared.manifest, prepared.split)
    for said in (*warnings, *inspection.divided_warnings(prepared.manifest, inspection.part_of(prepared.split))):
        yield _("warning: {what}").format(what=said)


def left_out(files: Sequence[LeftOut], by_class: Sequence[str]) -> str:
    """The files that take no part, an example for each reason, and what each class loses."""
    first: dict[str, LeftOut] = {}
    for file in files:
        first.setdefault(file.reason, file)
    examples = list(first.values())
    return ngettext(
        "warning: {n} file is skipped:{files}",
        "warning: {n} files are skipped:{files}",
        len(files),
    ).format(n=f"{len(files):,}", files=_shown(examples, len(files)) + "".join(f"\n  {line}" for line in by_class))


def _in_no_part(files: Sequence[LeftOut]) -> str:
    return ngettext(
        "warning: {n} file is skipped, in none of the sets:{files}",
        "warning: {n} files are skipped, in none of the sets:{files}",
        len(files),
    ).format(n=len(files), files=_shown(files, len(files)))


def _shown(examples: Sequence[LeftOut], n: int) -> str:
    """The first of the examples, a line each, and how many of n files are not named."""
    shown = "".join(f"\n  {file.path}: {translate(file.text)}" for file in examples[:SHOWN])
    if more := n - min(len(examples), SHOWN):
        shown += _("\n  and {n} more, all listed in split.json").format(n=more)
    return shown
