"""Proves that a refactoring changes nothing: stores what the program does as text, and compares two such stores.

    python scripts/pin.py store DIR [--src SRC]   run the studies and commands of scripts/pinned/ on the code in SRC
    python scripts/pin.py compare OLD NEW         print the differences by kind; exit code 1 if there are any

SRC is the `src` folder of any checkout; without it, of this one. Nothing of the program is imported: commands run as
`python -m commongarden.cli` in processes of their own, and results are read from files. Run both stores on one machine
and in one environment: the bits of a training depend on the processor and on torch.

DIR has a folder for each kind: records of the stores, digests of weights and arrays, what commands print, results.csv
and results.json, the text and charts of the pages, the text of docx, Markdown and LaTeX, help, refusals. All of it is
text that `diff -r` reads as well. What cannot repeat is replaced by the rules in scripts/pinned/rules.py. `markup`
holds the HTML of the pages; `compare` leaves it out unless --markup is given, since a page may be built differently and
read the same. Where the means or intervals of times are to change, two stores made with --even show whether anything
else does.
"""

from __future__ import annotations

import argparse
import difflib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from pinned import commands, photos, studies
from pinned.session import Session

HERE = Path(__file__).resolve().parent.parent
SCRATCH = "scratch"
LOUD = 12  # lines of each file's difference that are printed without --full


def store(target: Path, src: Path, real: Path, jobs: int, only: str | None, is_even: bool) -> int:
    """Fills the folder. Studies run two at a time, each with one worker."""
    if target.exists() and any(target.iterdir()):
        sys.exit(f"error: {target} is not empty; accepted: a new folder")
    if not (src / "commongarden" / "__init__.py").is_file():
        sys.exit(f"error: --src: found {src}, accepted: the src folder of a checkout")
    target.mkdir(parents=True, exist_ok=True)
    target = target.resolve()
    if subprocess.run(["git", "-C", target, "rev-parse"], capture_output=True).returncode == 0:
        sys.exit(f"error: {target} lies in a git repository, whose commit would be in every record")
    session = Session(target, target / SCRATCH, src.resolve(), is_even)
    session.check()
    photos.draw(session.scratch / "photos")
    has_real = photos.sample(real, session.scratch / "flower-photos")
    if not has_real:
        print(f"skipped: flowers, since {real} is not there")
    work: dict[str, Callable[[Session], None]] = {
        study.name: partial(studies.pin, study=study)
        for study in studies.STUDIES
        if study.name != "flowers" or has_real
    }
    work |= commands.TASKS
    if only and not set(only.split(",")) <= set(work):
        sys.exit(f"error: --only: found {only}, accepted: some of {','.join(work)}")
    begun = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        tasks = {name: pool.submit(each, session) for name, each in work.items() if not only or name in only.split(",")}
        names = {task: name for name, task in tasks.items()}
        failed = []
        for task in as_completed(names):
            error = task.exception()
            failed += [names[task]] if error else []
            print(f"{time.monotonic() - begun:5.0f} s  {names[task]}{f': {error}' if error else ''}", flush=True)
    if failed:
        print(f"not pinned: {', '.join(sorted(failed))}; what they left is in {session.scratch}")
        return 1
    shutil.rmtree(session.scratch)
    n_files = sum(path.is_file() for path in target.rglob("*"))
    print(f"{n_files} files in {target}, made in {time.monotonic() - begun:.0f} s from {src}")
    return 0


def compare(old: Path, new: Path, full: bool, markup: bool) -> int:
    """Prints what differs, kind by kind."""
    for path in (old, new):
        if not (path / "environment.txt").is_file():
            sys.exit(f"error: {path}: found no environment.txt, accepted: a folder made by `pin.py store`")
    left, right = _files(old), _files(new)
    kinds = sorted({name.partition("/")[0] for name in left | right} - (set() if markup else {"markup"}))
    n_differing = 0
    for kind in kinds:
        names = sorted(name for name in left | right if name.partition("/")[0] == kind)
        changed = [name for name in names if left.get(name) != right.get(name)]
        n_differing += len(changed)
        print(f"{kind}: {len(names)} files, {len(changed)} differ")
        for name in changed:
            _show(name, left.get(name), right.get(name), full)
    print("no difference" if not n_differing else f"{n_differing} files differ")
    return 1 if n_differing else 0


def _files(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(root).parts[0] != SCRATCH
    }


def _show(name: str, old: str | None, new: str | None, full: bool) -> None:
    if old is None or new is None:
        print(f"  {name}: only in {'NEW' if old is None else 'OLD'}")
        return
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0))[2:]
    marked = [line for line in lines if not line.startswith("@@")]
    n_old, n_new = (sum(line[0] == sign for line in marked) for sign in "-+")
    print(f"  {name}: {n_old} lines of OLD, {n_new} of NEW")
    for line in marked if full else marked[:LOUD]:
        print(f"    {line if full else line[:200]}")
    if not full and len(marked) > LOUD:
        print(f"    and {len(marked) - LOUD} more (--full)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    storing = actions.add_parser("store", help="Run the studies and commands and store what they give.")
    storing.add_argument("target", metavar="DIR", type=Path)
    storing.add_argument("--src", type=Path, default=HERE / "src", help="The src folder of the checkout to run.")
    storing.add_argument(
        "--flowers", type=Path, default=HERE.parent / "shared" / "flowers", help="Real photos, by class."
    )
    storing.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="Studies at a time.")
    storing.add_argument("--only", help="Some of the studies and tasks, separated by commas.")
    storing.add_argument("--even", action="store_true", help="Make all times of an arm equal, in both stores.")
    comparing = actions.add_parser("compare", help="Print what differs between two stores.")
    comparing.add_argument("old", metavar="OLD", type=Path)
    comparing.add_argument("new", metavar="NEW", type=Path)
    comparing.add_argument("--full", action="store_true", help="Print every line that differs.")
    comparing.add_argument("--markup", action="store_true", help="Compare the HTML of the pages as well.")
    given = parser.parse_args()
    if given.action == "store":
        return store(given.target, given.src, given.flowers, given.jobs, given.only, given.even)
    return compare(given.old, given.new, given.full, given.markup)


if __name__ == "__main__":
    sys.exit(main())
