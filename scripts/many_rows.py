"""Times what a study does with the list of its photos, on synthetic rows: the manifest, the split, a worker's start.

    python scripts/many_rows.py FOLDER --rows 1000000

Makes N photos of 100 classes in memory, without any file; splits them; writes the manifest and the split into FOLDER as
a study does; and reopens them in a process of its own, as a worker does. Prints a line of JSON: CPU seconds of each
step, and the largest memory of each of the two processes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from commongarden import store as store_files
from commongarden import study as studies
from commongarden.data.split import split
from commongarden.records import Manifest, Photo
from commongarden.runner.prepared_data import reopen
from commongarden.store import Store
from commongarden.study import SplitPlan

CLASSES = 100
STUDY = """
[study]
name = "rows"
data = "photos"
seeds = 1

[arms.plain]
arch = "plain_flower"
"""


def rows(n: int) -> Manifest:
    """n photos of folders of class folders."""
    labels = [f"class_{i % CLASSES:03}" for i in range(n)]
    hashes = (hashlib.sha256(b"%d" % i).hexdigest() for i in range(n))
    made = [
        Photo(f"{label}/{i:08}.jpg", label, "", sha256)
        for i, (label, sha256) in enumerate(zip(labels, hashes, strict=True))
    ]
    return Manifest("photos", tuple(sorted(made, key=lambda photo: photo.path)))


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def worker(folder: Path) -> None:
    """What a worker does before its first run."""
    start = time.process_time()
    data = reopen(Store(folder), folder)
    seconds = time.process_time() - start
    print(json.dumps({"worker_start": round(seconds, 2), "worker_mb": peak_mb(), "train": len(data.train)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--worker", action="store_true", help="Only reopen FOLDER.")
    asked = parser.parse_args()
    if asked.worker:
        worker(asked.folder)
        return
    asked.folder.mkdir(parents=True, exist_ok=True)
    seconds = {}
    manifest = rows(asked.rows)

    def timed(name: str, start: float) -> float:
        now = time.process_time()
        seconds[name] = round(now - start, 2)
        return now

    clock = time.process_time()
    assert manifest.hash
    clock = timed("hash", clock)
    parts = split(manifest, SplitPlan(), 0)
    clock = timed("split", clock)
    store_files.write_split(Store(asked.folder), manifest, parts)
    timed("write", clock)
    (asked.folder / "wanted.toml").write_text(STUDY)
    store_files.write_study(asked.folder, studies.read(asked.folder / "wanted.toml"))
    command = [sys.executable, __file__, str(asked.folder), "--worker"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    size = sum(path.stat().st_size for path in asked.folder.glob("*.*"))
    found = {"rows": asked.rows, **seconds, "mb": peak_mb(), **json.loads(done.stdout)}
    print(json.dumps(found | {"files_mb": round(size / 1e6), "load": round(os.getloadavg()[0], 1)}))


if __name__ == "__main__":
    main()
