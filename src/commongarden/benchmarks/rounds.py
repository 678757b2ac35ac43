"""A benchmark, round by round: every round trains by each way in turn, so that what slows the machine for a while slows
all of them.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from commongarden import arch
from commongarden.benchmarks import footprint, photos, reference_script
from commongarden.benchmarks.study_benchmark import Ours
from commongarden.errors import StudyError
from commongarden.i18n.language import _, current
from commongarden.records.benchmark import (
    BENCH_SCHEMA,
    COMPILED,
    HELD,
    MEMORY,
    PLAIN,
    TIMM,
    WAYS,
    Bench,
    Case,
    Folder,
    Held,
    Trained,
)
from commongarden.runner import limits, plan, processes
from commongarden.study import arm as arms

BUSY_SECONDS = 10.0  # of a script beside a busy process, where two threads can take minutes for a step
DEVICE_LOADERS = 4
CURVE_SECONDS = 8.0  # of a script at a point of a curve: its rate does not change with the time
AXES = {"runs": (1, 2, 4, 8), "pixels": (32, 64, 96, 224), "photos": (500, 2000, 10_000)}

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Wanted:
    """An arm and how it is trained. in_memory: whether the script with its photos in memory takes part."""

    arm: str
    resolution: int = 64
    batch_size: int = 32
    epochs: int = 1
    in_memory: bool = True


# what is measured where nobody says what; more epochs where they are short, so that the seconds in which one worker
# trains already and the other not yet, or no longer, are few beside the rest
KNOWN = (
    Wanted("inception_flower:LA", 96, 10, epochs=3),
    Wanted("bottleneck_flower", 64, 10, epochs=8),
    Wanted("resnet18", 64, 32, epochs=2, in_memory=False),
)


@dataclass(frozen=True)
class How:
    """threads, loaders: of the scripts, see peer.train. workers: of ours. busy: the plain script and ours once more
    beside a process that takes one core. memory: what processes hold is looked at as well, of the first case. device:
    where it is trained, against other scripts; None for the processor."""

    rounds: int = 6
    n_photos: int = 500
    threads: int | None = None
    loaders: int | None = None
    workers: int | None = None
    timm: bool = False
    busy: bool = False
    memory: bool = True
    device: str | None = None

    @property
    def n_loaders(self) -> int:
        """Processes that read images for the plain script."""
        usual = 0 if self.device is None else min(DEVICE_LOADERS, limits.cores())
        return usual if self.loaders is None else self.loaders

    def ways(self, subject: Wanted) -> list[str]:
        """The scripts that train this."""
        if self.device is not None:
            return [PLAIN, HELD, COMPILED]
        return [PLAIN, *([MEMORY] if subject.in_memory else [])]


def wanted(text: str) -> Wanted:
    """What is measured of an arm that is named. Raises ArchError, StudyError."""
    _name, arm = arms.from_text(text)
    if arm.origin is not None:
        raise StudyError(
            _("bench: found {arm}, accepted: an architecture of commongarden's own, or a file in list form").format(
                arm=text
            )
        )
    return next((one for one in KNOWN if one.arm == text), Wanted(text))


def compare(
    subjects: Sequence[Wanted], data: Path | None, how: How, tell: Callable[[str], None], show: OnProgress
) -> Iterator[Bench]:
    """Times all subjects on a folder of drawn photos, and on a sample of `data` where that is given. Gives the
    benchmark as it stands after each round. tell: one sentence for each training; show: (what, done, total).

    Raises CommonGardenError.
    """
    load = round(psutil.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory(prefix="commongarden-bench-") as work:
        root, folders = Path(work), dict[Path, Folder]()
        _check(subjects)
        if data is not None:  # first, so that a mistake is told at once
            folders[root / "given"] = photos.sample(data, root / "given", how.n_photos)
        folders[root / "generated"] = _generated(root / "generated", how.n_photos, show)
        tasks = [
            _Task(_case(one, folder), i, path, how.ways(one))
            for i, (one, (path, folder)) in enumerate(
                (one, found) for one in subjects for found in reversed(folders.items())
            )
        ]
        known_to_timm = _known_to_timm({one.arm for one in subjects}) if how.timm else set()
        for task in tasks:
            task.ways += [TIMM] if task.case.arm in known_to_timm else []
        yield from _rounds(tasks, how, root, load, tell)


def curves(
    subject: Wanted, axes: Mapping[str, Sequence[int]], how: How, tell: Callable[[str], None], show: OnProgress
) -> Iterator[Bench]:
    """How the throughput of one arm grows along axes (see AXES), each from the subject's own values on."""
    load = round(psutil.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory(prefix="commongarden-bench-") as work:
        root, base = Path(work), dataclasses.replace(subject, epochs=1)
        points = [(base, how.n_photos)]
        points += [(dataclasses.replace(base, resolution=size), how.n_photos) for size in axes.get("pixels", ())]
        points += [(base, n) for n in axes.get("photos", ())]
        points = list(dict.fromkeys(points))
        _check([one for one, _ in points])
        folders = {n: _generated(root / f"photos-{n}", n, show) for n in sorted({n for _, n in points})}
        tasks = [
            _Task(_case(one, folders[n]), i, root / f"photos-{n}", [PLAIN], at_most=CURVE_SECONDS)
            for i, (one, n) in enumerate(points)
        ]
        tasks[0].runs = tuple(axes.get("runs", ()))
        yield from (dataclasses.replace(bench, curves=True) for bench in _rounds(tasks, how, root, load, tell))


@dataclass
class _Task:
    """A case, its place among all, its photos, the scripts that train on them; numbers of runs of our studies, by
    itself as many as there are at a time."""

    case: Case
    place: int
    photos: Path
    ways: list[str]
    runs: tuple[int, ...] = ()
    at_most: float | None = None


def _rounds(tasks: Sequence[_Task], how: How, root: Path, load: float, tell: Callable[[str], None]) -> Iterator[Bench]:
    bench = Bench(
        BENCH_SCHEMA,
        tuple(task.case for task in tasks),
        (),
        (),
        (),
        limits.cores(),
        load,
        plan.machine(),
        dict(reference_script.digest(way) for task in tasks for way in task.ways),
        datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    bench = bench if how.device is None else _on_device(bench, how.device)
    looks = how.memory and how.device is None
    if looks:  # before any process of ours has torch, whose pages would be shared with those that are looked at
        case = tasks[0].case
        tell(_("memory of one run of {case}").format(case=case.arm))
        torch, run = footprint.alone(case.arm, case.resolution, case.batch_size)
    ours = {
        task.place: Ours(task.case, task.place, task.photos, root / f"study-{task.place}", how.workers, how.device)
        for task in tasks
    }
    processes.prepare()
    for number in range(1, how.rounds + 1):
        if how.device is None:
            bench = dataclasses.replace(bench, matmul=(*bench.matmul, _matmul(bench.cores)))
        for task in tasks:
            for busy in (False, True) if how.busy else (False,):
                with _beside(busy):
                    for way in task.ways[:1] if busy else task.ways:  # the others are as slow for the same reason
                        at_most = BUSY_SECONDS if busy else task.at_most
                        found = reference_script.train(
                            way, task.case, task.place, task.photos, number, threads=how.threads,
                            loaders=0 if way in (HELD, COMPILED) else how.n_loaders, busy=busy, at_most=at_most,
                            device=how.device,
                        )  # fmt: skip
                        bench = _with(bench, found, how.rounds, tell)
                    for runs in task.runs or (ours[task.place].at_once(),):
                        found = ours[task.place].train(number, runs, busy=busy)
                        bench = _with(bench, found, how.rounds, tell)
        if looks and number == 1:  # in a study of its own, since looking takes time
            with footprint.Watched() as watched:
                found = ours[0].train(0, ours[0].at_once())
            held = Held(0, torch, run, watched.most, found.workers)
            bench = dataclasses.replace(bench, held=(held,))
        yield bench


def _on_device(bench: Bench, device: str) -> Bench:
    """The benchmark with the device that it is of."""
    from commongarden.profiling import energy  # torch, which this process has not yet, nor needs for the processor
    from commongarden.train import measure

    found, name = energy.source(measure.pick_device(device)), measure.device_name(device)
    return dataclasses.replace(bench, device=device, device_name=name, no_energy="" if found.counter else found.told)


def _with(bench: Bench, found: Trained, rounds: int, tell: Callable[[str], None]) -> Bench:
    case = bench.cases[found.case]
    said = _(
        "round {number} of {rounds}, {arm} at {pixels} pixels, {folder} images, {way}: {rate:.0f} images/s"
    ).format(
        number=found.number,
        rounds=rounds,
        arm=case.arm,
        pixels=case.resolution,
        folder=case.folder.told,
        way=_(WAYS[found.way]),
        rate=found.rate,
    )
    tell(_("{said}, beside a busy process").format(said=said) if found.busy else said)
    return dataclasses.replace(bench, trained=(*bench.trained, found))


def _check(subjects: Sequence[Wanted]) -> None:
    """So that a network that cannot be built is told before anything is done."""
    for one in subjects:
        _name, arm = arms.from_text(one.arm)
        arch.trace(arm.network(photos.N_CLASSES), (one.resolution, one.resolution, 3))


def _case(one: Wanted, folder: Folder) -> Case:
    _name, arm = arms.from_text(one.arm)
    cost = arch.cost(arm.network(folder.n_classes), (one.resolution, one.resolution, 3))
    return Case(one.arm, one.resolution, one.batch_size, one.epochs, folder, cost.n_params, cost.macs)


def _generated(root: Path, n: int, show: OnProgress) -> Folder:
    what = _("generating images")
    return photos.generate(root, n, on_progress=lambda done, total: show(what, done, total))


@contextmanager
def _beside(busy: bool) -> Iterator[None]:
    """A process that does nothing but take all it can of one core, where that is wanted."""
    with ExitStack() as stack:
        if busy:
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", "sum(iter(int, 1))"]))
            stack.callback(process.kill)
        yield


def _matmul(cores: int) -> float:
    """Billions of float32 multiply-adds a second that all cores together come to in a matrix product."""
    begun = (dict(os.environ), current())
    with ProcessPoolExecutor(1, processes.context(), processes.begin, begun) as pool, processes.quiet_start():
        return pool.submit(_multiplied, cores).result()


def _multiplied(cores: int) -> float:
    import time

    import torch

    from commongarden.profiling.machine_limits import LimitsMeter

    torch.set_num_threads(cores)
    meter = LimitsMeter(time.perf_counter_ns, torch.device("cpu"))
    meter.look()
    return meter.limits().matmul[0]


def _known_to_timm(names: set[str]) -> set[str]:
    """Those of the names that timm has a network of."""
    begun = (dict(os.environ), current())
    with ProcessPoolExecutor(1, processes.context(), processes.begin, begun) as pool, processes.quiet_start():
        return pool.submit(_in_timm, names).result()


def _in_timm(names: set[str]) -> set[str]:
    import timm

    return {name for name in names if timm.is_model(name)}
