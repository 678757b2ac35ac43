"""Jobs of SLURM: submitted by submitit, looked for in the queue, cancelled."""

from __future__ import annotations

import importlib.util
import logging
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commongarden.cluster.where_file import SlurmSettings
from commongarden.errors import RunnerError
from commongarden.i18n.language import _, ngettext

SECONDS_TO_ANSWER = 60.0
ENDED = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "COMPLETING", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
         "PREEMPTED", "TIMEOUT"}  # fmt: skip
UNKNOWN = "UNKNOWN"  # the state of a job that the queue does not list any more
LIST = ("squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i|%T|%r")


def check_installed() -> None:
    """Raises RunnerError where submitit or SLURM's commands are missing."""
    if importlib.util.find_spec("submitit") is None:
        raise RunnerError(_("submitit is not installed; install it: pip install 'commongarden[slurm]'"))
    if shutil.which("sbatch") is None or shutil.which("squeue") is None:
        raise RunnerError(_("sbatch and squeue are not found; accepted: a machine that submits jobs to SLURM"))


@dataclass
class SlurmQueue:
    """folder: for scripts and logs, on a disk that all machines see."""

    settings: SlurmSettings
    folder: Path
    seconds_between_looks = 10.0
    seconds_to_appear = 5.0  # of a new job, in the queue
    jobs: dict[str, tuple[Any, float]] = field(default_factory=dict)  # submitted here, and when
    states: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # as the queue last had them, with reasons
    looked: float = 0.0  # when it was asked last, and answered

    def submit(self, function: Callable[[Sequence[str]], None], groups: Sequence[Sequence[str]]) -> list[str]:
        """A job for each group, as one array; their numbers. Raises RunnerError with what sbatch says."""
        logging.getLogger("submitit").setLevel(logging.ERROR)
        executor = self._executor(max(map(len, groups)))
        try:
            made = executor.map_array(function, groups) if len(groups) > 1 else [executor.submit(function, groups[0])]
        except Exception as error:  # of any kind, as submitit has it
            raise RunnerError(_("no job was submitted; sbatch: {reason}").format(reason=_first_line(error))) from None
        now = time.monotonic()
        self.jobs.update({job.job_id: (job, now) for job in made})
        return [job.job_id for job in made]

    def _executor(self, n_tasks: int) -> Any:
        import submitit

        set_ = self.settings
        executor = submitit.SlurmExecutor(self.folder)
        further: dict[str, Any] = {"no-requeue": True}
        if set_.time:
            further["time"] = set_.time
        for line in set_.sbatch:
            name, is_set, value = line.removeprefix("--").partition("=")
            further[name] = value if is_set else True
        named = {"partition": set_.partition, "account": set_.account, "gres": set_.gres}
        executor.update_parameters(
            job_name="commongarden",
            ntasks_per_node=n_tasks,
            cpus_per_task=set_.cpus_per_run,
            signal_delay_s=set_.seconds_to_save,
            array_parallelism=set_.array_parallelism,
            setup=list(set_.setup) or None,
            srun_args=[f"--cpus-per-task={set_.cpus_per_run}"],  # which srun does not take over from sbatch any more
            wckey=None,
            additional_parameters=further,
            **{name: value for name, value in named.items() if value},
        )
        executor.parameters["time"] = None  # submitit's own default is 5 minutes; this one is the partition's
        return executor

    def look(self) -> None:
        """Asks the queue; keeps what it said before where it does not answer."""
        now = time.monotonic()
        try:
            answer = subprocess.run(LIST, capture_output=True, text=True, timeout=SECONDS_TO_ANSWER, check=True)
        except (OSError, subprocess.SubprocessError):
            return
        rows = [line.split("|", 2) for line in answer.stdout.splitlines()]
        found = {row[0].strip(): (row[1], row[2].strip()) for row in rows if len(row) == 3}
        self.states, self.looked = found, now

    def has_ended(self, number: str) -> str:
        """The state in which a job has ended, as SLURM names it; "" while it waits or runs, or that is not known."""
        since = self.jobs[number][1] if number in self.jobs else 0.0
        if not self.looked or self.looked - since < self.seconds_to_appear:
            return ""
        state = self.states.get(number, (UNKNOWN, ""))[0]
        return state if state in ENDED or number not in self.states else ""

    def cancel(self, numbers: Iterable[str]) -> None:
        """Ends jobs, waiting and running ones. Those that have ended already are passed over."""
        left = [number for number in numbers if number and not self.has_ended(number)]
        if left:
            with suppress(OSError, subprocess.SubprocessError):
                subprocess.run(["scancel", *left], capture_output=True, timeout=SECONDS_TO_ANSWER, check=False)

    def close(self) -> None:
        """After the last job."""

    def log(self, number: str) -> str:
        """The last line of a job's log, with the file; "" where there is none."""
        if number not in self.jobs:
            return ""
        paths = self.jobs[number][0].paths
        for path in (paths.stderr, paths.stdout):
            with suppress(OSError):
                lines = path.read_text(errors="replace").strip().splitlines()
                if lines:
                    return f"{path}: {lines[-1]}"
        return ""

    def waiting(self, numbers: Iterable[str]) -> str:
        """What jobs wait for, in a sentence, with SLURM's reasons."""
        reasons = Counter(self.states[number][1] for number in numbers
                          if number in self.states and self.states[number][0] == "PENDING")  # fmt: skip
        if not (n := sum(reasons.values())):
            return _("no job is waiting in SLURM's queue: their workers are starting")
        text = ngettext(
            "{n} job is waiting in SLURM's queue ({why})", "{n} jobs are waiting in SLURM's queue ({why})", n
        )
        return text.format(n=n, why=", ".join(sorted(set(reasons) - {"", "None"})) or _("no reason given"))


def _first_line(error: Exception) -> str:
    """What sbatch says, in what submitit makes of it."""
    said = getattr(error, "stderr", "") or str(error)
    lines = [line for line in said.splitlines() if line.strip()]
    named = [line for line in lines if "error" in line.lower()]
    return (named or lines or [type(error).__name__])[-1].strip().removeprefix("sbatch: ")
