"""Kills a study again and again, lets it go on each time, and says in JSON how it ended.

    python tests/crashing.py FOLDER PHOTOS SEED KILLS

Every life of the study is a forked process, so that none has to load torch. It dies by SIGKILL: at a step done to a
file (before, after or in the middle of it), at such a step with all lost that was not flushed, as when the power goes,
or at a moment that a clock chooses.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair  # noqa: F401  a life would load it for its page
import torch  # noqa: F401

import commongarden as cg
from commongarden import garden
from commongarden import store as stores
from commongarden.report import page  # noqa: F401
from commongarden.runner import conduct, pilot
from commongarden.runner.display import PlainDisplay
from commongarden.runner.events import Look, Pilot
from commongarden.runner.grow import grow
from commongarden.runner.look import look
from commongarden.runner.soil import reopen
from disks import Disk, Killing

STEPS_IN_A_LIFE = 160


def study_of(photos: Path) -> cg.Study:
    """Eight short runs."""
    return cg.Study(
        "crashing",
        str(photos),
        {"plain": cg.Arm("plain_flower"), "residual": cg.Arm("residual_flower", {"order": "LBA"})},
        cg.Recipe(resolution=16, epochs=2, batch_size=8, augment=("flip",), select="best-val"),
        (0, 1, 2, 3),
        split=cg.SplitPlan(0.6, 0.2),
    )


@dataclass
class InProcess:
    """An executor whose runs are made here, one after another."""

    store: stores.Store
    soil: Any
    n: int
    device: str
    stop_hopeless: bool = False
    known: Any = None

    def execute(self, tasks, stop, more=None):
        study, soil = self.store.study(), reopen(self.store, self.soil.cache_folder)
        waiting = list(tasks)
        while waiting:
            for task in waiting:
                if isinstance(task, Look):
                    yield look(study, soil, task.arm)
                elif isinstance(task, Pilot):
                    yield pilot.pilot(self.store, study, soil, task.arm, self.device)
                else:
                    yield from grow(self.store, study, soil, task, self.device, stop)
            waiting = list(more()) if more is not None else []


def in_process():
    """Puts the executor in the place of worker processes, with pilots of a few steps."""
    conduct.LocalWorkers = InProcess
    pilot.MOST_STEPS = 4
    torch.set_num_threads(1)


def live(study: cg.Study, folder: Path, disk: Disk) -> int:
    """One life of the study in `folder`/out, as a process of its own; returns its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        with (folder / "log.txt").open("a") as log, disk.in_place():
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            in_process()
            told = PlainDisplay(lambda text: print(text, file=log, flush=True))
            garden.run(study, folder / "out", cache_dir=folder / "cache", display=told, device="cpu")
        (folder / "seen.json").write_text(json.dumps(disk.seen))
        code = 0
    except BaseException:
        with (folder / "log.txt").open("a") as log:
            traceback.print_exc(file=log)
    finally:
        os._exit(code)


def numbers(out: Path) -> dict[str, Any]:
    """All that must not depend on interruptions, of each run."""
    store, found = stores.open_store(out), {}
    for run in store.runs():
        history = [
            dataclasses.replace(epoch, seconds_data=0, seconds_forward_backward=0, seconds_optimizer=0, seconds_val=0)
            for epoch in store.history(run.arm, run.seed)
        ]
        weights = (store.directory(run.arm, run.seed) / "model.safetensors").read_bytes()
        said = store.predictions(run.arm, run.seed)
        found[f"{run.arm}/{run.seed}"] = (
            weights, history, said.probabilities.tobytes(), run.selected_epoch, run.test_accuracy, run.test_loss,
        )  # fmt: skip
    return found


def stamps(out: Path) -> dict[str, tuple[int, int]]:
    """Which files the finished runs consist of: another one has another number or time."""
    return {
        str(path.relative_to(out)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in out.glob("runs/*/[0-9]/*")
        if path.parent.name.isdecimal()
    }


def main(folder: Path, photos: Path, seed: int, n_kills: int) -> dict[str, Any]:
    """Kills until there were so many; the last study is then left to finish."""
    study, chance = study_of(photos), random.Random(seed)
    whole = folder / "undisturbed"
    whole.mkdir(parents=True)
    start = time.monotonic()
    assert os.waitpid(live(study, whole, Disk()), 0)[1] == 0, (whole / "log.txt").read_text()
    seconds = time.monotonic() - start
    wanted = numbers(whole / "out")
    assert len(wanted) == 8
    kills, hit, n_studies, n_lives = Counter(), Counter(), 0, 0
    while sum(kills.values()) < n_kills:
        n_studies += 1
        here = folder / f"killed{n_studies}"
        here.mkdir()
        kept: dict[str, tuple[int, int]] = {}
        while True:
            n_lives += 1
            kind = chance.choice(["file", "file", "power", "clock"])
            if sum(kills.values()) >= n_kills:
                kind = "none"
            note = here / "last.txt"
            disk: Disk = Disk()
            if kind in ("file", "power"):
                at, when = chance.randint(1, STEPS_IN_A_LIFE), chance.choice(["before", "half", "after"])
                disk = Killing(
                    at, when, chance.random(), power=kind == "power",
                    tell=lambda step, name, note=note: note.write_text(f"{step} {name}"),
                )  # fmt: skip
            child = live(study, here, disk)
            if kind == "clock":
                time.sleep(chance.uniform(0, 0.7 * seconds))
                os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
            now = stamps(here / "out") if (here / "out").is_dir() else {}
            assert now.items() >= kept.items(), f"a finished run was made again: {kept.items() - now.items()}"
            kept = now
            if os.WIFSIGNALED(status):
                kills[kind] += 1
                if note.exists():
                    hit[_kind_of(note.read_text())] += 1
                    note.unlink()
                continue
            assert status == 0, (here / "log.txt").read_text()[-3000:]
            break
        found = numbers(here / "out")
        different = [name for name in wanted if found.get(name) != wanted[name]]
        assert not different, f"{here}: other numbers: {different}"
        store = stores.open_store(here / "out")
        verified = stores.verify(store)
        assert not verified.found, verified.found
        left = [str(path) for path in here.rglob("*") if path.name.endswith((".tmp", ".partial", ".forgotten"))]
        assert not left, left
    return {
        "kills": dict(kills), "hit": dict(hit), "studies": n_studies, "lives": n_lives,
        "steps": len(json.loads((whole / "seen.json").read_text())), "seconds": time.monotonic() - start,
    }  # fmt: skip


def _kind_of(said: str) -> str:
    name = said.partition(" ")[2]
    for part, kind in (
        ("checkpoint", "checkpoint"), (".npy", "cache"), ("run.json", "result"), ("predictions", "result"),
        ("history", "result"), ("model", "result"), ("checksums", "checksums"), ("study.toml", "study"),
    ):  # fmt: skip
        if part in name:
            return kind
    return "other"


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
