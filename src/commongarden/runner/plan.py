"""Which runs are to be made, in which order, by how many workers, and what a run's record says before it begins."""

from __future__ import annotations

import datetime
import hashlib
import platform
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import msgspec
import psutil

from commongarden import arch
from commongarden.arch import Node
from commongarden.errors import RunnerError
from commongarden.i18n.language import N_, _
from commongarden.records import SCHEMA, Failure, Git, Hashes, Machine, Run
from commongarden.runner import limits
from commongarden.runner.events import AuditTask, FoldJob, Job, Trial
from commongarden.runner.executor import TaskContext
from commongarden.runner.prepared_data import PreparedData
from commongarden.store import Store
from commongarden.study import Study
from commongarden.study.arm import Arm
from commongarden.study.recipe import Recipe, hashed

WORKER_BYTES = 450_000_000  # resident size of a process that has torch loaded and runs a small step
MOST_SIDE_BY_SIDE = 16  # runs on one CUDA device: twice as many did no more on the largest one there is (gpu.md)
PACKAGES = ("commongarden", "torch", "torchvision", "timm", "numpy", "pillow", "scipy")


@dataclass(frozen=True)
class RunPlan:
    """One run as it is to be made: all that a worker needs of the study, beside the photos.

    record: what is known of the run before it begins. study_seed, init_seed, order_seed: what its streams of chance are
    made from.
    """

    job: Job
    arm: Arm
    record: Run
    study_seed: int
    init_seed: int
    order_seed: int

    @property
    def is_trial(self) -> bool:
        """Whether it is a tuning run, which is not tested."""
        return isinstance(self.job, Trial)


def run_plan(study: Study, prepared: PreparedData, job: Job, device: str, git: Git | None = None) -> RunPlan:
    """How a job's run is made on this machine. git: of the folder where the command was given."""
    init, order = study.stream_seed(job.seed, "init"), study.stream_seed(job.seed, "order")
    return RunPlan(job, study.arms[job.arm], record(study, prepared, job, device, git), study.seed, init, order)


def first_run(study: Study, prepared: PreparedData, arm: str, device: str) -> RunPlan:
    """The run with an arm's first seed, by which it is audited and timed."""
    return run_plan(study, prepared, Job(arm, study.seeds[0]), device)


def task_context(
    store: Store, prepared: PreparedData, device: str, n_workers: int, stop_at_futility: bool = False
) -> TaskContext:
    """What the workers of a study begin with, so many at a time."""
    threads = n_decoding(store.study(), n_workers)
    together = -(-n_workers // len(devices(device)))
    return TaskContext(
        store.root, prepared.cache_folder, device, prepared.direct, threads, stop_at_futility, together, git_state()
    )


def networks(study: Study, n_classes: int) -> dict[str, tuple[Node, Recipe]]:
    """The network and the recipe of each arm whose network is no other people's."""
    return {
        name: (arm.network(n_classes), study.recipe_of(name)) for name, arm in study.arms.items() if arm.origin is None
    }


def pending(study: Study, store: Store) -> list[Job]:
    """Runs that the store lacks: seed by seed, all arms of a seed together, so that a stopped study compares evenly.
    None of an arm that a person dropped."""
    made, dropped = FoldJob if study.folds else Job, store.dropped()
    arms = [arm for arm in study.arms if arm not in dropped]
    return [made(arm, seed) for seed in study.seeds for arm in arms if not store.has(arm, seed)]


def unaudited(study: Study, store: Store, jobs: Sequence[Job], n_classes: int) -> list[AuditTask]:
    """Arms of the jobs whose network, as it is now, the store holds no audit of."""
    kept = store.audits()
    return [
        AuditTask(arm)
        for arm in dict.fromkeys(job.arm for job in jobs)
        if arm not in kept or kept[arm].network != arch.hash(study.arms[arm].network(n_classes))
    ]


def recipe_of(study: Study, job: Job) -> Recipe:
    """How a job's network is trained."""
    return study.trial_recipe(job.arm, job.number) if isinstance(job, Trial) else study.recipe_of(job.arm)


def kept_in(store: Store, job: Job) -> tuple[Store, int]:
    """Where a job's run is kept, and under which number."""
    return (store.tuning(), job.number) if isinstance(job, Trial) else (store, job.seed)


def work(study: Study, job: Job, n_train: int, n_classes: int) -> float:
    """A run's size in multiply-adds of its forward passes; what time left is reckoned in."""
    recipe = recipe_of(study, job)
    shape = (recipe.resolution, recipe.resolution, 3)
    cost = arch.cost(study.arms[job.arm].network(n_classes), shape)
    macs = cost.macs if cost.macs != arch.UNKNOWN else cost.n_params  # each is used once at least
    return float(macs) * n_train * recipe.epochs


def n_workers(study: Study, n_jobs: int, n_classes: int, device: str, wanted: int | None = None) -> int:
    """As many runs at a time as there are physical cores for their threads and memory for their peaks; on CUDA devices
    the most that are tried side by side, on MPS one."""
    if n_jobs == 0:
        return 0
    if wanted is not None:
        return min(wanted, n_jobs)
    if device != "cpu":
        return min(n_jobs, MOST_SIDE_BY_SIDE * len(devices(device))) if device.startswith("cuda") else 1
    threads = max(study.recipe_of(arm).threads for arm in study.arms)
    peak = max(forecast_bytes(study, arm, n_classes) for arm in study.arms)
    return max(1, min(n_jobs, limits.cores() // threads, int(0.8 * limits.free_memory() // peak)))


def n_decoding(study: Study, n_workers: int) -> int:
    """Threads of each worker that decode photos where that is done each time: cores that no run is on."""
    busy = n_workers * max(study.recipe_of(arm).threads for arm in study.arms)
    return max(1, limits.cores() // max(busy, 1))


def forecast_bytes(study: Study, arm: str, n_classes: int) -> int:
    """A run's peak: the process, and what training holds."""
    recipe = study.recipe_of(arm)
    cost = arch.cost(study.arms[arm].network(n_classes), (recipe.resolution, recipe.resolution, 3))
    return WORKER_BYTES + cost.training_bytes(recipe.batch_size)


def check_precision(study: Study, device: str) -> None:
    """Raises RunnerError where an arm is to be trained in numbers that the device does not have: it would be called
    what it is not."""
    for arm in study.arms:
        precision = study.recipe_of(arm).precision
        if precision in ("tf32", "float16") and not device.startswith("cuda"):
            text = _(
                "{arm}: recipe.precision: found {precision!r}, which needs a CUDA device, but the device is "
                "{device}; accepted: 'float32', 'bfloat16'"
            )
            raise RunnerError(text.format(arm=arm, precision=precision, device=device))


def devices(device: str) -> list[str]:
    """The devices that a study is trained on: "cuda:0,cuda:2" gives two."""
    return device.split(",")


def device_name(wanted: str) -> str:
    """The device to train on, without loading torch where it can only be the CPU; all CUDA devices where "cuda" is
    wanted, as "cuda:0,cuda:1". Raises RunnerError where a wanted one is not there."""
    accelerator = sys.platform in ("darwin", "win32") or Path("/dev/nvidiactl").exists()
    if wanted == "cpu" or (wanted == "auto" and not accelerator):
        return "cpu"
    from commongarden.train.measure import n_cuda_devices, pick_device

    found = [str(pick_device(name)) for name in dict.fromkeys(devices(wanted))]
    if found == ["cuda"] and n_cuda_devices() > 1:
        found = [f"cuda:{number}" for number in range(n_cuda_devices())]
    return ",".join(found)


@cache
def machine() -> Machine:
    """This machine, for the record."""
    versions = {}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        processor=_processor(),
        physical_cores=limits.cores(),
        memory_bytes=int(psutil.virtual_memory().total),
        python=platform.python_version(),
        packages=versions,
        host=platform.node(),
    )


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def record(study: Study, prepared: PreparedData, job: Job, device: str, git: Git | None = None) -> Run:
    """What is known of a run before it begins; its results are filled in with dataclasses.replace. git: of the folder
    where the command was given."""
    recipe, prepared = recipe_of(study, job), prepared.of(job.seed)
    shape = (recipe.resolution, recipe.resolution, 3)
    network, kept = study.arms[job.arm].network(len(prepared.manifest.classes)), study.arms[job.arm].origin
    cost = arch.cost(network, shape)
    return Run(
        schema=SCHEMA,
        arm=job.arm,
        seed=job.number if isinstance(job, Trial) else job.seed,
        status="failed",
        arch=arch.write(network),
        input=shape,
        classes=prepared.manifest.classes,
        recipe=recipe,
        hashes=Hashes(prepared.manifest.hash, prepared.split.hash, arch.hash(network), recipe_hash(recipe)),
        device=device,
        machine=machine(),
        started=now(),
        ended="",
        n_params=cost.n_params,
        macs=cost.macs,
        n_train=len(prepared.train),
        n_val=len(prepared.val),
        n_test=len(prepared.test),
        pixel_mean=(0.0, 0.0, 0.0),
        pixel_std=(1.0, 1.0, 1.0),
        failure=Failure(N_("not started")),
        repeats=device == "cpu" and (kept is None or kept.repeats),
        git=git,
        notes=() if kept is None else kept.texts,
        range=prepared.manifest.range,
    )


def recipe_hash(recipe: Recipe) -> str:
    """SHA-256 over every value of the recipe."""
    return hashlib.sha256(msgspec.json.encode(hashed(recipe), order="sorted")).hexdigest()


@cache
def git_state() -> Git | None:
    """Of the repository around the current folder; None where there is none, or no git."""
    command = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false")
    try:
        commit, changed = (
            subprocess.run(
                [*command, *arguments], capture_output=True, text=True, timeout=20, check=True
            ).stdout.strip()
            for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return Git(commit, bool(changed))


def now() -> str:
    """Local time with its offset, to the second."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")
