"""Kills a study again and again, or has its disk refuse to work, lets it go on, and says in JSON how it ended.

    python tests/support/crashing.py FOLDER PHOTOS SEED KILLS FAULTS

Every life of the study is a forked process, so that none has to load torch. It dies by SIGKILL: at a step done to a
file (before, after or in the middle of it), at such a step with all lost that was not flushed, as when the power goes,
or at a moment that a clock chooses.
"""

from __future__ import annotations

import dataclasses
import errno
import gc
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

import torch

import commongarden as cg
from commongarden import store as stores
from commongarden import workflow
from commongarden.errors import CommonGardenError
from commongarden.runner import pilot, processes, run_study, schedule
from commongarden.runner.display import PlainDisplay
from commongarden.runner.task_runner import open_tasks
from disks import Disk, Failing, Killing

TOLD = 2  # the exit code of a life that ended in one message
FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOENT, errno.EACCES)
STEPS_IN_A_LIFE, SECONDS_IN_A_LIFE = 140, 1.5  # the first 70 steps bring a life to its first run
NETWORKS = {
    "plain": [
        ["conv", {"ksize": 3, "chn": 4, "stride": 2, "actions": "LAB"}],
        ["avg", {"stride": 4}],
        ["dropout", {"keep_prob": 0.8}],
    ],
    "wide": [["conv", {"ksize": 3, "chn": 8, "stride": 2, "actions": "LA"}], ["avg", {"stride": 4}]],
}


def study_of(photos: Path, folder: Path) -> cg.Study:
    """Eight short runs; the files of its networks are put into the folder."""
    for name, network in NETWORKS.items():
        (folder / f"{name}.json").write_text(json.dumps({"model": network}))
    return cg.Study(
        "crashing",
        str(photos),
        {name: cg.Arm(str(folder / f"{name}.json")) for name in NETWORKS},
        cg.Recipe(resolution=16, epochs=2, batch_size=8, augment=("flip",), select="best-val"),
        (0, 1, 2, 3),
        split=cg.SplitPlan(0.6, 0.2),
    )


@dataclass
class InProcess:
    """An executor whose runs are made here, one after another."""

    context: Any
    n: int
    known: Any = None

    def execute(self, tasks, stop, more=None):
        runner = open_tasks(self.context)
        waiting = list(tasks)
        while waiting or (more is not None and (waiting := list(more()))):
            for task in waiting:
                yield from runner.carry_out(task, stop)
            waiting = []


def in_process():
    """Puts the executor in the place of worker processes, with pilots of a few steps."""
    run_study.LocalWorkers = InProcess
    processes.prepare = lambda: None
    schedule.gradients.check = lambda *_: None  # which has a process of its own
    pilot.MOST_STEPS = 4
    torch.set_num_threads(1)


def grown(study: cg.Study, folder: Path, disk: Disk, log: Any) -> None:
    """Makes the study in `folder`/out, here."""
    in_process()
    told = PlainDisplay(lambda text: print(text, file=log, flush=True))
    with disk.in_place():
        workflow.run(study, folder / "out", cache_dir=folder / "cache", display=told, device="cpu", maps=False)


def live(study: cg.Study, folder: Path, disk: Disk) -> int:
    """One life of the study, as a process of its own; returns its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    with (folder / "log.txt").open("a") as log:
        try:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            grown(study, folder, disk, log)
            code = 0
        except CommonGardenError as error:
            print(f"error: {error}", file=log)
            code = TOLD
        except BaseException:
            traceback.print_exc(file=log)
        finally:
            log.flush()
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


def main(folder: Path, photos: Path, seed: int, n_kills: int, n_faults: int) -> dict[str, Any]:
    """Makes the study undisturbed, then with kills, then with faults of the disk."""
    start = time.monotonic()
    whole = folder / "undisturbed"
    whole.mkdir(parents=True)
    study, undisturbed = study_of(photos, folder), Disk()
    grown(study, whole, undisturbed, sys.stderr)  # here, so that every life finds all loaded
    gc.collect()
    gc.freeze()  # or every life would go through all of it again
    wanted, n_steps = numbers(whole / "out"), len(undisturbed.seen)
    assert len(wanted) == 8
    killed = kill(study, folder, wanted, random.Random(seed), n_kills) if n_kills else {}
    refused = refuse(study, folder, wanted, random.Random(seed), n_faults, n_steps) if n_faults else {}
    return {"steps": n_steps, **killed, **refused, "seconds": time.monotonic() - start}


def kill(study: cg.Study, folder: Path, wanted: Any, chance: random.Random, n_kills: int) -> dict[str, Any]:
    """Kills until there were so many; the last study is then left to finish."""
    kills, hit, n_studies, n_lives = Counter(), Counter(), 0, 0
    while kills.total() < n_kills:
        n_studies += 1
        here = folder / f"killed{n_studies}"
        here.mkdir()
        kept: dict[str, tuple[int, int]] = {}
        while True:
            n_lives += 1
            kind = chance.choice(["file", "file", "power", "clock"]) if kills.total() < n_kills else "none"
            note = here / "last.txt"
            disk: Disk = Disk()
            if kind in ("file", "power"):
                disk = Killing(
                    chance.randint(1, STEPS_IN_A_LIFE), chance.choice(["before", "half", "after"]), chance.random(),
                    power=kind == "power", tell=lambda step, name, note=note: note.write_text(f"{step} {name}"),
                )  # fmt: skip
            child = live(study, here, disk)
            if kind == "clock":
                time.sleep(chance.uniform(0, SECONDS_IN_A_LIFE))
                os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
            kept = same_runs(here / "out", kept)
            if os.WIFSIGNALED(status):
                kills[kind] += 1
                if note.exists():
                    hit[_kind_of(note.read_text())] += 1
                    note.unlink()
                continue
            assert status == 0, (here / "log.txt").read_text()[-3000:]
            break
        is_whole(here, wanted)
    return {"kills": dict(kills), "hit": dict(hit), "studies": n_studies, "lives": n_lives}


def refuse(
    study: cg.Study, folder: Path, wanted: Any, chance: random.Random, n_faults: int, n_steps: int
) -> dict[str, Any]:
    """So many studies whose disk fails at some step: told in one message, and the next life ends as it should."""
    told: Counter[str] = Counter()
    for number in range(n_faults):
        here = folder / f"refused{number}"
        here.mkdir()
        fault, at, lasting = chance.choice(FAULTS), chance.randint(1, n_steps), chance.random() < 0.5
        code = os.waitstatus_to_exitcode(os.waitpid(live(study, here, Failing(at, fault, lasting)), 0)[1])
        log = (here / "log.txt").read_text()
        what = f"{errno.errorcode[fault]} at step {at}{' and on' if lasting else ''}"
        assert code in (0, TOLD), f"{what}: exit code {code}\n{log[-4000:]}"
        if code == TOLD:
            told[errno.errorcode[fault]] += 1
            message = log[log.rindex("error: ") :]
            assert os.strerror(fault) in message or "the disk is full" in message, f"{what}: {message}"
            assert str(here) in message, f"{what}: {message}"
        else:
            told["went on"] += 1
        kept = same_runs(here / "out", {})
        assert os.waitpid(live(study, here, Disk()), 0)[1] == 0, f"{what}: {(here / 'log.txt').read_text()[-4000:]}"
        same_runs(here / "out", kept)
        is_whole(here, wanted)
    return {"faults": dict(told)}


def same_runs(out: Path, kept: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """What the finished runs consist of now; those that were kept must be among it, untouched."""
    now = stamps(out) if out.is_dir() else {}
    assert now.items() >= kept.items(), f"a finished run was made again: {kept.items() - now.items()}"
    return now


def is_whole(here: Path, wanted: Any) -> None:
    """The study ended with the numbers of an undisturbed one and nothing is left lying about."""
    found = numbers(here / "out")
    different = [name for name in wanted if found.get(name) != wanted[name]]
    assert not different, f"{here}: other numbers: {different}"
    verified = stores.verify(stores.open_store(here / "out"))
    assert not verified.found, verified.found
    left = [str(path) for path in here.rglob("*") if path.name.endswith((".tmp", ".partial", ".forgotten"))]
    assert not left, left


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
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))))
