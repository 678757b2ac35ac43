"""Where a study runs, from the file of `run --where`: a cluster is no part of a study, so it has a file of its own.

[ray]
address = "10.0.0.1:6379"     the head [RAY_ADDRESS, or the cluster of this machine]
token_path = "~/.ray/auth_token"
cpus_per_run = 1
gpus_per_worker = 0

[slurm]
partition = "gpu"             [the cluster's default]
account = ""
time = "4:00:00"              of a job, as sbatch has it [the partition's]
gres = "gpu:1"                for one worker, which holds several runs; without it, runs use processors
setup = ["module load cuda"]  lines of the script before the workers start
sbatch = ["--mem=16G"]        further options of sbatch
cpus_per_run = 1
runs_per_job = 1              runs at a time in a job, on processors
array_parallelism = 8         jobs at a time
seconds_to_save = 90          before the end of a job's time
folder = ""                   for messages, on a disk that all machines see [the image cache's]

[files]
shared = "auto"               true, false, or auto: files are sent to the machines that lack them
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commongarden.errors import StudyError, check_known
from commongarden.i18n.language import _
from commongarden.io.fields import convert
from commongarden.study.toml_errors import sentence

SBATCH = re.compile(r"--[a-z][a-z-]*(=\S.*)?")
SHARED = {"auto": None, "true": True, "false": False, True: True, False: False}


@dataclass(frozen=True)
class RaySettings:
    """The section [ray]. cpus_per_run: that Ray reserves for each run; gpus_per_worker: whole GPUs of each worker,
    which holds several runs; 0 to train on processors."""

    address: str = ""
    token_path: str = ""
    cpus_per_run: float = 1.0
    gpus_per_worker: int = 0


@dataclass(frozen=True)
class SlurmSettings:
    """The section [slurm]: what each job asks for. runs_per_job: workers of a job, each with one run at a time, on
    processors; on GPUs a job has one worker, which holds several. array_parallelism: jobs at a time. seconds_to_save:
    how long before the end of its time a job is told to save its runs. folder: for messages and logs."""

    partition: str = ""
    account: str = ""
    time: str = ""
    gres: str = ""
    setup: tuple[str, ...] = ()
    sbatch: tuple[str, ...] = ()
    cpus_per_run: int = 1
    runs_per_job: int = 1
    array_parallelism: int = 8
    seconds_to_save: int = 90
    folder: str = ""


@dataclass(frozen=True)
class Where:
    """shared: whether all machines see the same disk; None to find out, file by file."""

    ray: RaySettings = field(default_factory=RaySettings)
    shared: bool | None = None
    slurm: SlurmSettings = field(default_factory=SlurmSettings)


def read(path: Path | None) -> Where:
    """The file's contents; the defaults without a file. Raises StudyError."""
    if path is None:
        return Where()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(_("{path}: cannot be read: {reason}").format(path=path, reason=error)) from None
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise StudyError(f"{path}: {sentence(error, text)}") from None
    return _where(found, str(path))


def _where(found: Mapping[str, Any], path: str) -> Where:
    check_known("section", found, ("ray", "slurm", "files"), StudyError, where=path)
    for name, section in found.items():
        if not isinstance(section, Mapping):
            text = _("{path}: {name}: found {found!r}, accepted: a section [{name}]")
            raise StudyError(text.format(path=path, name=name, found=section))
    ray = convert(RaySettings, found.get("ray", {}), where=f"{path}: ray")
    files = found.get("files", {})
    check_known("key", files, ("shared",), StudyError, where=f"{path}: files")
    shared = files.get("shared", "auto")
    if not isinstance(shared, str | bool) or shared not in SHARED:
        text = _('{path}: files.shared: found {found!r}, accepted: true, false, "auto"')
        raise StudyError(text.format(path=path, found=shared))
    slurm = convert(SlurmSettings, found.get("slurm", {}), where=f"{path}: slurm")
    least: dict[str, float] = {"cpus_per_run": 0.0, "gpus_per_worker": 0}
    _check_least(ray, "ray", least, path)
    least = {"cpus_per_run": 1, "runs_per_job": 1, "array_parallelism": 1, "seconds_to_save": 1}
    _check_least(slurm, "slurm", least, path)
    for line in slurm.sbatch:
        if not SBATCH.fullmatch(line):
            text = _('{path}: slurm.sbatch: found {found!r}, accepted: long options of sbatch, such as "--mem=16G"')
            raise StudyError(text.format(path=path, found=line))
    return Where(ray, SHARED[shared], slurm)


def _check_least(settings: object, section: str, least: Mapping[str, float], path: str) -> None:
    for key, number in least.items():
        if getattr(settings, key) < number:
            text = _("{path}: {section}.{key}: found {found:g}, accepted: {least} or more")
            found = getattr(settings, key)
            raise StudyError(text.format(path=path, section=section, key=key, found=found, least=number))
