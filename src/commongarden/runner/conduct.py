"""A study from its declaration to a full store: prepares the soil, makes the runs that are missing, keeps what the
report will need.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from commongarden import arch, stats
from commongarden import store as store_files
from commongarden.data import image
from commongarden.errors import DataError
from commongarden.findings import Audit
from commongarden.language import _, ngettext, told
from commongarden.records import LeftOut
from commongarden.runner import baselines, plan, tuning
from commongarden.runner.display import Display
from commongarden.runner.events import Audited
from commongarden.runner.soil import Soil, prepare
from commongarden.runner.tensorboard import EventFiles
from commongarden.runner.workers import LocalWorkers
from commongarden.store import Store
from commongarden.study import Study

THUMBNAIL_PIXELS = 160


@dataclass(frozen=True)
class Conducted:
    """How a study stands after a call: runs in the store by how they ended, runs still to be made."""

    store: Store
    n_finished: int
    n_failed: int
    n_missing: int
    interrupted: bool


def conduct(
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
) -> Conducted:
    """Makes every run of the study that `root` lacks, and goes on with those that were stopped.

    Every arm is audited before the first of its runs, once; tell_audit gives the note on one in which something is
    found. Ctrl-C once stops at the next step with every checkpoint kept; twice stops at once. Raises CommonGardenError.
    """
    for arm in study.arms:  # a network that cannot be built at its size is told before any photo is read
        if study.arms[arm].origin is not None:
            continue  # it is measured as soon as the number of classes is known
        resolution = study.recipe_of(arm).resolution
        arch.trace(study.arms[arm].network(2), (resolution, resolution, 3))
    event_files = EventFiles(root / "tensorboard") if tensorboard else None
    device = plan.device_name(device)
    interrupted = False
    with store_files.held(root), display:
        store_files.mend(Store(root))
        store, soil = prepare(study, root, cache_folder, keep_going=keep_going, on_progress=display.prepare)
        study = store.study()
        if soil.manifest.left_out:
            display.note(_unreadable(soil.manifest.left_out))
        if soil.split.left_out:
            display.note(_in_no_part(soil.split.left_out))
        _write_command(store, argv)
        baselines.keep(store, study, soil, display.prepare)
        if retry:
            for run in store.runs():
                if run.status == "failed":
                    store_files.forget_run(store, run.arm, run.seed)
        if study.tuning is not None:
            with _interruptible() as stop:
                interrupted = not tuning.search(store, soil, display, n_workers, device, stop.is_set, retry=retry)
            study = store.study()
        jobs = [] if interrupted else plan.pending(study, store)
        n_classes = len(soil.manifest.classes)
        looks = plan.unaudited(study, store, jobs, n_classes)
        n_workers = plan.n_workers(study, len(jobs), n_classes, device, n_workers)
        if jobs:
            sizes = {job: plan.work(study, job, len(soil.train), n_classes) for job in jobs}
            display.begin(sizes, {job: study.recipe_of(job.arm).epochs for job in jobs}, n_workers)
            with _interruptible() as stop:
                for event in LocalWorkers(store, soil, n_workers, device).execute([*looks, *jobs], stop.is_set):
                    if isinstance(event, Audited):
                        _keep_audit(store, event, display, tell_audit)
                        continue
                    display.show(event)
                    if event_files is not None:
                        event_files.show(event)
            interrupted = stop.is_set()
            if event_files is not None:
                event_files.close()
        _keep_thumbnails(store, soil)
        return _standing(store, study, interrupted)


def _keep_audit(store: Store, event: Audited, display: Display, tell_audit: Callable[[str, Audit], str] | None) -> None:
    if event.audit is None:
        display.note(_("warning: {arm} could not be audited: {cause}").format(arm=event.arm, cause=event.cause))
        return
    store_files.write_audit(store, event.arm, event.audit)
    if event.audit.findings and tell_audit is not None:
        display.note(tell_audit(event.arm, event.audit))


def _unreadable(files: Sequence[LeftOut]) -> str:
    return ngettext(
        "warning: {n} file is left out, unreadable:{files}",
        "warning: {n} files are left out, unreadable:{files}",
        len(files),
    ).format(n=len(files), files=_listed(files))


def _in_no_part(files: Sequence[LeftOut]) -> str:
    return ngettext(
        "warning: {n} file is left out, in no part:{files}",
        "warning: {n} files are left out, in no part:{files}",
        len(files),
    ).format(n=len(files), files=_listed(files))


def _listed(files: Sequence[LeftOut]) -> str:
    shown = "".join(f"\n  {file.path}: {told(file.reason)}" for file in files[:3])
    if len(files) <= 3:
        return shown
    return shown + _("\n  and {n} more, all named in split.json").format(n=len(files) - 3)


def _standing(store: Store, study: Study, interrupted: bool) -> Conducted:
    runs = store.runs()
    n_failed = sum(run.status == "failed" for run in runs)
    n_missing = len(study.arms) * len(study.seeds) - len(runs)
    return Conducted(store, len(runs) - n_failed, n_failed, n_missing, interrupted and n_missing > 0)


def _keep_thumbnails(store: Store, soil: Soil) -> None:
    jpegs = {}
    for photo, _n in stats.most_missed(store):
        with suppress(DataError):  # taken away since it was decoded: the report shows the others
            jpegs[photo] = image.jpeg(soil.manifest.root, photo, THUMBNAIL_PIXELS)
    store_files.write_thumbnails(store, jpegs)


def _write_command(store: Store, argv: Sequence[str]) -> None:
    command = {"argv": list(argv), "version": plan.machine().packages.get("commongarden", "")}
    store_files.write_atomically(store.root / "command.json", json.dumps(command, ensure_ascii=False).encode())


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
