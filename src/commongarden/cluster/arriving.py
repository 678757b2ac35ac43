"""What a worker on another machine does with the files that it needs: it looks for them, and keeps those it is sent.

Decoded images lie in the image cache of the machine, once for all workers and studies; what else is sent lies in the
same folder under its SHA-256. The study's own files are copied for each worker, which writes its runs beside them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import filelock
import psutil

from commongarden.cluster import messages
from commongarden.cluster.messages import Assignment, Files, Wanted
from commongarden.data import cache
from commongarden.data.stored import file_of, opened
from commongarden.io import disk
from commongarden.runner import plan
from commongarden.runner.executor import TaskContext
from commongarden.study import copies, origin

PREFIX = "commongarden-worker-"


def kind_of_machine() -> str:
    """Machines with the same text compute the same bits: the processor's model, torch's version, the GPU's model."""
    machine = plan.machine()
    forced = os.environ.get("ATEN_CPU_CAPABILITY", "")
    return " | ".join((machine.processor, forced, machine.packages.get("torch", ""), gpu_model()))


def gpu_model() -> str:
    """The model of this process's NVIDIA GPU, without loading torch; "" where it has none."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return ""
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        with suppress(OSError):
            for line in file.read_text().splitlines():
                if line.startswith("Model:"):
                    return line.partition(":")[2].strip()
    return ""


class Shelf:
    """The files of an assignment on this machine. folder: of this worker, for the study's own files and its runs."""

    def __init__(self, assignment: Assignment, folder: Path) -> None:
        self.assignment, self.folder, self.root = assignment, folder, folder / "study"
        self.copies = folder / "copies"
        self.kept = cache.default_folder()
        shared = assignment.context.cache_folder
        images = [wanted for wanted in assignment.wanted if wanted.is_images]
        may_share = assignment.shared is not False
        if may_share and all(_has(shared / Path(wanted.path).name, wanted) for wanted in images):
            self.kept_images = shared
        else:
            self.kept_images = self.kept

    def write(self, files: Files) -> None:
        """Puts files into this worker's copy of the study."""
        for name, data in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def lacking(self) -> Iterator[Wanted]:
        """The files that must be sent."""
        for wanted in self.assignment.wanted:
            if wanted.is_images:
                if not _has(self.kept_images / Path(wanted.path).name, wanted):
                    yield wanted
            elif not self._is_in_place(wanted) and not _has(self._of_digest(wanted), wanted):
                yield wanted

    def lacks_photo(self) -> str:
        """One of the original photos that cannot be read here; "" for none."""
        for place, digest in self.assignment.photos.items():
            file = file_of(*place.split(messages.SEPARATOR))
            with suppress(Exception), opened(file) as stream:
                if hashlib.sha256(stream.read()).hexdigest() == digest:
                    continue
            return str(file)
        return ""

    def receive(self, wanted: Wanted, parts: Iterable[bytes]) -> None:
        """Keeps a file that was sent, unless another worker of this machine has received it meanwhile."""
        path = self.kept_images / Path(wanted.path).name if wanted.is_images else self._of_digest(wanted)
        disk.make_folder(path.parent)
        lock = path.with_suffix(".lock")
        with filelock.FileLock(lock):
            if _has(path, wanted):
                return
            with disk.replacing(path) as file:
                for part in parts:
                    disk.write(file, part)

    def open(self) -> TaskContext:
        """The context of this worker, once it has all files."""
        for wanted in self.assignment.wanted:
            if wanted.named and not self._is_in_place(wanted):
                place = copies.place(self.copies, wanted.named)
                place.mkdir(parents=True, exist_ok=True)
                with suppress(FileExistsError):
                    (place / Path(wanted.path).name).symlink_to(self._of_digest(wanted))
        os.environ[copies.FOLDER] = str(self.copies)
        return replace(self.assignment.context, root=self.root, cache_folder=self.kept_images)

    def _is_in_place(self, wanted: Wanted) -> bool:
        """Whether this machine has the same file under the same path, as on a shared disk."""
        if self.assignment.shared is False:
            return False
        with suppress(Exception):
            path = Path(wanted.path)
            return path.stat().st_size == wanted.n_bytes and origin.file_hash(path) == wanted.digest
        return False

    def _of_digest(self, wanted: Wanted) -> Path:
        return self.kept / "files" / wanted.digest


def _has(path: Path, wanted: Wanted) -> bool:
    try:
        return path.stat().st_size == wanted.n_bytes
    except OSError:
        return False


def make_folder() -> Path:
    """A folder for this process among the temporary files of its machine; those of processes that are gone are
    removed first."""
    above = Path(tempfile.gettempdir())
    above.mkdir(parents=True, exist_ok=True)
    for old in above.glob(f"{PREFIX}*"):
        number = old.name.removeprefix(PREFIX).partition("-")[0]
        with suppress(OSError):
            if number.isdecimal() and not psutil.pid_exists(int(number)):  # others' folders refuse
                shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=above))
