"""A study that is killed, or whose disk refuses to work, at any moment: it goes on to the same numbers."""

import json
import os
import random
import subprocess
import sys
import time

import psutil
import pytest

from command import environment
from commongarden import store as stores
from paths import TESTS
from running import numbers, start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and fork")
SUPPORT = TESTS / "support"


def crashed(tmp_path, photos, cache_folder, *, seed, kills=0, faults=0):
    """What crashing.py says; it asserts that every study ends with the numbers of an undisturbed one."""
    command = [sys.executable, SUPPORT / "crashing.py", tmp_path / "studies", photos, *map(str, (seed, kills, faults))]
    path = os.pathsep.join(filter(None, [str(SUPPORT), os.environ.get("PYTHONPATH")]))
    variables = environment(cache_folder) | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    told = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=3000)
    assert told.returncode == 0, told.stderr[-5000:]
    found = json.loads(told.stdout)
    print(found)  # `pytest -rP` shows the figures that docs/reliability.md has
    assert sum(found.get("kills", {}).values()) == kills
    assert sum(found.get("faults", {}).values()) == faults
    return found


def test_a_study_that_is_killed_or_refused_its_disk_goes_on(tmp_path, photos, cache_folder):
    crashed(tmp_path, photos, cache_folder, seed=2, kills=3, faults=1)


@pytest.mark.soak
def test_two_hundred_kills(tmp_path, photos, cache_folder):
    found = crashed(tmp_path, photos, cache_folder, seed=1, kills=200)
    assert {"file", "power", "clock"} == found["kills"].keys()
    assert {"checkpoint", "cache", "result", "checksums"} <= found["hit"].keys()


@pytest.mark.soak
@pytest.mark.parametrize("seed", [0, 1])
def test_a_hundred_faults_of_the_disk(tmp_path, photos, cache_folder, seed):
    found = crashed(tmp_path, photos, cache_folder, seed=seed, faults=50)
    assert len(found["faults"]) == 7  # six kinds, and some that stop nothing


@pytest.mark.soak
def test_worker_processes_are_killed_with_their_parent_at_twelve_moments(
    study_file, cache_folder, tmp_path, commongarden, finished
):
    chance, out, kept = random.Random(3), tmp_path / "out", {}
    for _ in range(12):
        process = start(study_file, out, cache_folder, "--workers", "2")
        time.sleep(chance.uniform(2, 9))
        if process.poll() is None:
            family = [*psutil.Process(process.pid).children(recursive=True), process]
            for one in family:
                one.kill()
        process.communicate()
        now = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/[0-9]/run.json")}
        assert now.items() >= kept.items(), "a finished run was made again"
        kept = now
    commongarden("run", study_file, "--out", out, check=0)
    assert numbers(out) == numbers(finished)
    assert stores.verify(stores.open_store(out)).found == ()
