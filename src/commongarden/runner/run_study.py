"""A study from its declaration to a full store: prepares the data, makes the runs that are missing, keeps what the
report will need.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from commongarden import arch, stats
from commongarden import store as store_files
from commongarden.data import folder, image, losses
from commongarden.data.finding import Listed
from commongarden.errors import DataError
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import _, ngettext, translate
from commongarden.records import LeftOut, inspection
from commongarden.records.findings import Audit
from commongarden.runner import (
    attribution_tasks,
    baselines,
    budget,
    decoding,
    forecast,
    gradients,
    plan,
    processes,
    sources,
    tuning,
)
from commongarden.runner.budget import Spending
from commongarden.runner.cached_results import CachedResults
from commongarden.runner.display import Display
from commongarden.runner.events import Attributed, Audited, Job, Piloted, Task
from commongarden.runner.forecast import Forecast
from commongarden.runner.prepared_data import PreparedData, prepare_data
from commongarden.runner.rounds import Rounds
from commongarden.runner.tensorboard import EventFiles
from commongarden.runner.workers import LocalWorkers
from commongarden.stats import sequential
from commongarden.stats.raced import Raced
from commongarden.store import Store, attribution_maps
from commongarden.study import Study

THUMBNAIL_PIXELS = 160


@dataclass(frozen=True)
class StudyOutcome:
    """How a study stands after a call: runs in the store by how they ended, runs still to be made (by the rule of the
    race, where there is one). forecast: with what it took, where runs were made to the end."""

    store: Store
    n_finished: int
    n_failed: int
    n_missing: int
    interrupted: bool
    forecast: Forecast | None = None
    raced: Raced | None = None


def run_study(
    study: Study,
    root: Path,
    cache_folder: Path,
    display: Display,
    *,
    n_workers: int | None = None,
    device: str = "auto",
    keep_going: bool = False,
    retry: bool = False,
    tensorboard: bool = False,
    argv: Sequence[str] = (),
    tell_audit: Callable[[str, Audit], str] | None = None,
    spending: Spending | None = None,
    tell_look: Callable[[Raced, int], str] | None = None,
    confirm: Callable[[Forecast], bool] | None = None,
    stop_hopeless: bool = False,
    maps: bool = True,
    cache_budget: int | None = None,
    listed: Listed | None = None,
) -> StudyOutcome:
    """Makes every run of the study that `root` lacks, and goes on with those that were stopped.

    spending: the study is raced (docs/racing.md); tell_look gives the note on a look. A few steps of each arm are timed
    first, and the plan is told; confirm is asked where that is more than ten minutes. stop_hopeless: see hopeless.py.

    maps: looks at the finished networks at the end (sights.py), which takes seconds and changes no run.

    cache_budget: bytes that decoded images may take; photos of a size that does not fit are decoded each time.

    listed: the data's files, where the caller has listed them and reported how they were understood (sources.py).

    Every arm is audited before the first of its runs, once; tell_audit gives the note on one in which something is
    found. Ctrl-C once stops at the next step with every checkpoint kept; twice stops at once. Raises CommonGardenError.
    """
    for arm in study.arms:  # a network that cannot be built at its size is told before any photo is read
        if study.arms[arm].origin is not None:
            continue  # it is measured as soon as the number of classes is known
        resolution = study.recipe_of(arm).resolution
        arch.trace(study.arms[arm].network(2), (resolution, resolution, 3))
    if spending is not None:
        study = budget.with_seeds(study, spending.most)
    event_files = EventFiles(root / "tensorboard") if tensorboard else None
    device = plan.device_name(device)
    plan.check_precision(study, device)
    interrupted = False
    with store_files.lock(root), display:
        for mended in store_files.recover(Store(root)):
            display.note(mended)
        if listed is None:  # what is wrong with the data is found before anything is loaded
            listed = sources.listed(study, root, keep_going=keep_going)
            for said in sources.said(listed):
                display.note(said)
        if plan.pending(study, Store(root)):
            processes.prepare()
        store, prepared = prepare_data(
            study,
            root,
            cache_folder,
            keep_going=keep_going,
            on_progress=display.prepare,
            cache_budget=cache_budget,
            tell=display.note,
            device=device,
            listed=listed,
        )
        study = store.study()
        for arm in study.arms:
            kept = study.arms[arm].origin
            for note in kept.texts if kept is not None else ():
                display.note(_("note: {arm}: {what}").format(arm=arm, what=translate(note)))
        if prepared.manifest.left_out:
            display.note(_left_out(prepared.manifest.left_out, losses.lines(folder.lost(listed, prepared.manifest))))
        if prepared.split.left_out:
            display.note(_in_no_part(prepared.split.left_out))
        for said in inspection.greys(prepared.manifest):
            display.note(said)
        for said in _found_in_photos(store, prepared):
            display.note(_("warning: {what}").format(what=said))
        _write_command(store, argv)
        baselines.keep(store, study, prepared, display.prepare, display.note)
        if retry:
            for run in store.runs():
                if run.status == "failed":
                    store_files.forget_run(store, run.arm, run.seed)
        known = forecast.measured(store)
        if study.tuning is not None:
            with _interruptible() as stop:
                workers = LocalWorkers(store, prepared, 0, device, known=known)
                interrupted = not tuning.search(
                    workers,
                    known,
                    n_workers,
                    display,
                    stop.is_set,
                    confirm,
                    keep_audit=lambda event: _keep_audit(store, event, display, tell_audit),
                    retry=retry,
                )
            study = store.study()

        def tell(found: Raced, number: int) -> None:
            if tell_look is not None and (translate := tell_look(found, number)):
                display.note(translate)

        rounds = Rounds(study, store, spending, known, tell)
        jobs = [] if interrupted else rounds.all()
        n_classes = len(prepared.manifest.classes)
        looks = plan.unaudited(study, store, jobs, n_classes)
        n_workers = plan.n_workers(study, len(jobs), n_classes, device, n_workers)
        began = Began(jobs, known, n_workers, spending)
        if jobs:
            gradients.check(study, n_classes, cache_folder)
        for said in decoding.costs(study, prepared, jobs, n_workers):
            display.note(said)
        if jobs:
            pilots = forecast.pilots(jobs, known)
            memos = CachedResults(study, prepared, device, n_workers, display.note)
            recalled, tasks = memos.recalled([*looks, *pilots])
            for seen_before in recalled:
                if isinstance(seen_before, Audited):
                    _keep_audit(store, seen_before, display, tell_audit)
                else:
                    _keep_pilot(known, seen_before, display)

            def more() -> list[Task]:
                nonlocal maps
                if not began.is_planned and not began.plan(store, display, confirm):
                    return []
                made = rounds.next()
                if made:
                    sizes = {job: plan.work(study, job, len(prepared.train), n_classes) for job in made}
                    display.begin(sizes, {job: study.recipe_of(job.arm).epochs for job in made}, n_workers)
                elif maps:
                    maps = False  # once: what could not be looked at now could not be a moment later
                    return [*attribution_tasks.pending(store, study)]
                return [*made]

            with _interruptible() as stop:
                workers = LocalWorkers(store, prepared, n_workers, device, stop_hopeless, known)
                for event in workers.execute(tasks, stop.is_set, more):
                    if isinstance(event, Audited | Piloted):
                        memos.keep(event)
                    if isinstance(event, Audited):
                        _keep_audit(store, event, display, tell_audit)
                    elif isinstance(event, Piloted):
                        _keep_pilot(known, event, display)
                    elif isinstance(event, Attributed):
                        _keep_sight(store, event, display)
                    else:
                        display.show(event)
                        if event_files is not None:
                            event_files.show(event)
            interrupted = stop.is_set() or began.is_declined
            if event_files is not None:
                event_files.close()
        elif maps and not interrupted and (unseen := attribution_tasks.pending(store, study)):
            with _interruptible() as stop:
                for event in LocalWorkers(store, prepared, 1, device).execute(unseen, stop.is_set):
                    if isinstance(event, Attributed):
                        _keep_sight(store, event, display)
        rounds.close()
        if spending is not None:
            study = _trimmed(store, study)
        _keep_thumbnails(store, prepared)
        standing = _standing(store, study, interrupted, rounds)
        return dataclasses.replace(standing, forecast=None if standing.n_missing else began.ended(store))


@dataclass
class Began:
    """What is known of the time that the runs take, from before the first one on."""

    jobs: Sequence[Job]
    known: dict[str, Piloted]
    n_workers: int
    spending: Spending | None
    is_planned: bool = False
    is_declined: bool = False
    forecast: Forecast | None = None
    start: float = 0.0

    def plan(self, store: Store, display: Display, confirm: Callable[[Forecast], bool] | None) -> bool:
        """Tells the plan and asks where it takes long; whether to go on."""
        self.is_planned = True
        jobs, limited = list(self.jobs), self.spending.budget if self.spending is not None else None
        if limited is not None and limited.seconds is not None:
            jobs = self._within(jobs, limited.seconds)
        found = forecast.forecast(jobs, self.known, self.n_workers, at_most=self.spending is not None)
        if found is not None:
            display.note(forecast.said(found))
            forecast.write(store, found)
            forecast.check_space(store, found)
            if found.seconds > forecast.ASK_ABOVE and confirm is not None and not confirm(found):
                self.is_declined = True
        self.forecast, self.start = found, time.monotonic()
        return not self.is_declined

    def ended(self, store: Store) -> Forecast | None:
        """The forecast with what it took; None where nothing was forecast."""
        if self.forecast is None or self.is_declined:
            return None
        found = dataclasses.replace(self.forecast, took=time.monotonic() - self.start)
        forecast.write(store, found)
        return found

    def _within(self, jobs: list[Job], seconds: float) -> list[Job]:
        kept = []
        for job in jobs:
            seconds -= self.known[job.arm].seconds or 0.0 if job.arm in self.known else 0.0
            if seconds < 0:
                break
            kept.append(job)
        return kept


def _keep_sight(store: Store, event: Attributed, display: Display) -> None:
    if event.sight is not None:
        attribution_maps.write(store, event.sight)
        return
    text = _("warning: what {arm} looks at could not be drawn: {cause}")
    display.note(text.format(arm=event.arm, cause=translate(event.cause)))


def _keep_pilot(known: dict[str, Piloted], event: Piloted, display: Display) -> None:
    known[event.arm] = event
    if event.seconds is None:
        text = _("warning: {arm} could not be timed before its runs: {cause}")
        display.note(text.format(arm=event.arm, cause=translate(event.cause)))


def _trimmed(store: Store, study: Study) -> Study:
    """The study with the seeds that the race has come to, so that those it did not need are not missing from it."""
    seeds = tuple(seed for seed in study.seeds if any(store.state(arm, seed) != "missing" for arm in study.arms))
    trimmed = dataclasses.replace(study, seeds=seeds or study.seeds[: sequential.FIRST])
    store_files.write_study(store.root, trimmed)
    return trimmed


def _keep_audit(store: Store, event: Audited, display: Display, tell_audit: Callable[[str, Audit], str] | None) -> None:
    if event.audit is None:
        display.note(
            _("warning: {arm} could not be audited: {cause}").format(arm=event.arm, cause=translate(event.cause))
        )
        return
    store_files.write_audit(store, event.arm, event.audit)
    if event.audit.findings and tell_audit is not None:
        display.note(tell_audit(event.arm, event.audit))


def _left_out(files: Sequence[LeftOut], by_class: Sequence[str]) -> str:
    """The files that take no part, an example for each reason, and what each class loses."""
    reasons: dict[Coded, list[str]] = {}
    for file in files:
        reasons.setdefault(file.text, []).append(file.path)
    examples = [LeftOut(paths[0], reason) for reason, paths in reasons.items()]
    more = len(files) - min(len(examples), 3)
    shown = "".join(f"\n  {file.path}: {translate(file.text)}" for file in examples[:3])
    if more:
        shown += _("\n  and {n} more, all named in split.json").format(n=more)
    return ngettext(
        "warning: {n} file is left out:{files}",
        "warning: {n} files are left out:{files}",
        len(files),
    ).format(n=f"{len(files):,}", files=shown + "".join(f"\n  {line}" for line in by_class))


def _found_in_photos(store: Store, prepared: PreparedData) -> list[str]:
    found = inspection.read(store.root / inspection.FILE)
    said = [] if found is None else inspection.warnings(found, prepared.manifest, prepared.split)
    return [*said, *inspection.divided_warnings(prepared.manifest, inspection.part_of(prepared.split))]


def _in_no_part(files: Sequence[LeftOut]) -> str:
    return ngettext(
        "warning: {n} file is left out, in no part:{files}",
        "warning: {n} files are left out, in no part:{files}",
        len(files),
    ).format(n=len(files), files=_listed(files))


def _listed(files: Sequence[LeftOut]) -> str:
    shown = "".join(f"\n  {file.path}: {translate(file.text)}" for file in files[:3])
    if len(files) <= 3:
        return shown
    return shown + _("\n  and {n} more, all named in split.json").format(n=len(files) - 3)


def _standing(store: Store, study: Study, interrupted: bool, rounds: Rounds) -> StudyOutcome:
    runs = store.runs()
    n_failed = sum(run.status == "failed" for run in runs)
    found = rounds.raced
    n_missing = len(study.arms) * len(study.seeds) - len(runs) if found is None else rounds.n_needed
    return StudyOutcome(
        store, len(runs) - n_failed, n_failed, n_missing, interrupted and n_missing > 0, raced=found
    )  # fmt: skip


def _keep_thumbnails(store: Store, prepared: PreparedData) -> None:
    jpegs = {}
    for photo, _share in stats.most_missed(store):
        with suppress(DataError):  # taken away since it was decoded: the report shows the others
            jpegs[photo] = image.jpeg(prepared.manifest.root, photo, THUMBNAIL_PIXELS, prepared.manifest.range)
    store_files.write_thumbnails(store, jpegs)


def _write_command(store: Store, argv: Sequence[str]) -> None:
    command = {"argv": list(argv), "version": plan.machine().packages.get("commongarden", "")}
    store_files.keep(store.root, "command.json", json.dumps(command, ensure_ascii=False).encode())


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second one is Python's own KeyboardInterrupt."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        print(_("stopping at the next step; checkpoints are kept (Ctrl-C again to stop at once)"), file=sys.stderr)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
